//! `exeat serve`: the arguments of the durable server, their share of the configuration, and what it
//! says when it starts.

use gate::Gate;

use super::store_access;
use crate::client::Key as ApiKey;
use crate::config::{Config, Flags, Key};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::proxy::Listeners;
use crate::server::{self, Server};
use crate::{proxy, telemetry, way_out};

/// Run the server on its store
#[derive(Debug, clap::Args)]
#[command(
    before_help = "Examples:\n  exeat serve\n  DATABASE_URL=postgres://app@db/exeat exeat serve --listen 0.0.0.0:7070 --mode enforce"
)]
pub struct Args {
    /// Where the API listens [env: EXEAT_LISTEN] [default: 127.0.0.1:7070]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// Where the proxy listens [env: EXEAT_PROXY_LISTEN] [default: 127.0.0.1:7071]
    #[arg(long, value_name = "ADDRESS")]
    pub proxy_listen: Option<String>,
    /// The mode of workspaces without one of their own [env: POLICY_ENFORCEMENT_MODE] [default: shadow]
    #[arg(long, value_name = "MODE")]
    pub mode: Option<String>,
    /// A folder with policies (*.toml), watched for changes [env: EXEAT_POLICIES]
    #[arg(long, value_name = "DIR")]
    pub policies: Option<String>,
    /// Where files are kept [env: EXEAT_DATA_DIR]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<String>,
}

impl Args {
    /// Their share of the configuration, stronger than the environment.
    ///
    /// There is no flag for the store's address: it may hold a password.
    #[must_use]
    pub fn flags(&self) -> Flags {
        let all = [
            (Key::Listen, "--listen", &self.listen),
            (Key::ProxyListen, "--proxy-listen", &self.proxy_listen),
            (Key::Mode, "--mode", &self.mode),
            (Key::PoliciesDir, "--policies", &self.policies),
            (Key::DataDir, "--data-dir", &self.data_dir),
        ];
        all.into_iter().filter_map(|(key, flag, value)| Some((key, flag, value.clone()?))).collect()
    }
}

/// The lines said on standard error once the server listens. `first_key` is the owner key made on an
/// empty store: shown here, once, and nowhere else.
#[must_use]
pub fn started(config: &Config, api_url: &str, proxy_url: &str, first_key: Option<&ApiKey>) -> String {
    let mut text = format!(
        "exeat {} · {api_url} · proxy {proxy_url} · store {} · mode {}",
        env!("CARGO_PKG_VERSION"),
        config.database_url,
        config.mode
    );
    if let Some(key) = first_key {
        text.push_str(&format!(
            "\nThe store was empty, so an owner key was made. It is shown this once and cannot be read again:\n  {}\nKeep it in a file of your own (chmod 600) and name that file in EXEAT_KEY_FILE.",
            key.expose()
        ));
    }
    text
}

/// Runs the server until it is asked to end.
///
/// # Errors
/// See [`Failure`].
pub async fn run(config: &Config, output: Output) -> Result<Exit, Failure> {
    telemetry::install_logs(&config.log)?;
    let metrics = telemetry::install_metrics(env!("CARGO_PKG_VERSION"))?;
    let store = store_access::open(config, true).await?;
    let secret = store_access::secret(config)?;
    if store.append_only_is_weak().await.map_err(|error| store_access::db_failure(&error))? {
        tracing::warn!(
            append_only = "weak",
            "this role owns the event log and could switch its protection off; run as one that `exeat db migrate --service-role` prepared"
        );
    }
    let first_key = server::first_key(&store).await?;
    let listener = server::bind(config.listen, "--listen or EXEAT_LISTEN").await?;
    let listeners = Listeners::bind(config.proxy_listen, &config.egress).await?;
    let api_url = format!("http://{}", listener.local_addr()?);
    output.say(&started(config, &api_url, &listeners.url(), first_key.as_ref()));
    drop(first_key);
    server::run(Server {
        listener,
        gate: Gate::new(store, secret),
        metrics: Some(metrics),
        config: config.clone(),
        worker: config.run_worker.embedded.then(|| config.run_worker.worker()),
        policies: config.policies.clone(),
        log_kept: config.decision_log,
        dialer: way_out::dialer(&config.egress)?,
        proxy: (listeners, proxy::settings(config)),
    })
    .await?;
    Ok(Exit::Ok)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, Layers};
    use std::path::Path;

    #[test]
    fn flags_win_and_the_password_and_the_key_show_only_where_they_must() {
        let args = Args {
            listen: Some("127.0.0.1:1".to_owned()),
            proxy_listen: None,
            mode: Some("enforce".to_owned()),
            policies: None,
            data_dir: None,
        };
        let environment: Environment = [
            ("HOME", "/home/me"),
            ("EXEAT_LISTEN", "127.0.0.1:2"),
            ("DATABASE_URL", "postgres://app:hunter2@db/exeat"),
        ]
        .into_iter()
        .collect();
        let layers =
            Layers::load(args.flags(), &environment, None, Path::new("/nowhere"), Path::new("/nowhere")).unwrap();
        let config = Config::from_layers(&layers).unwrap();
        assert_eq!((config.listen.port(), config.mode), (1, model::Mode::Enforce));

        let key = ApiKey::parse("exk_1_secret").unwrap();
        let first = started(&config, "http://127.0.0.1:1", "http://127.0.0.1:2", Some(&key));
        assert!(first.contains("exk_1_secret") && first.contains("EXEAT_KEY_FILE"), "{first}");
        assert!(!first.contains("hunter2"), "{first}");
        assert_eq!(started(&config, "http://127.0.0.1:1", "http://127.0.0.1:2", None).lines().count(), 1);
    }
}
