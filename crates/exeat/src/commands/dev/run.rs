//! Running `exeat dev`: everything in one process, on a store that ends with it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use gate::{Gate, InstallSecret, NewKey};
use model::{Mode, Role, WorkspaceId};
use policy::Defaults;
use secrecy::ExposeSecret as _;
use store::{Durability, Location, Store, StoreConfig};

use super::Args;
use super::banner::{self, DevStarted};
use super::files::DevFiles;
use super::site;
use crate::client::{DevFile, Key};
use crate::commands::{gate_failure, store_access};
use crate::config::{Config, ExecConfig, Places};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::proxy::Listeners;
use crate::server::{self, Server};
use crate::{proxy, telemetry, way_out};

const WORKSPACE: &str = "ws_dev";

/// Runs the throw-away server until it is asked to end.
///
/// # Errors
/// See [`Failure`].
pub async fn run(args: &Args, config: &Config, places: &Places, output: Output) -> Result<Exit, Failure> {
    telemetry::install_logs(&config.log)?;
    let metrics = telemetry::install_metrics(env!("CARGO_PKG_VERSION"))?;
    let folder = folder()?;
    let store = open(folder.path().join("exeat.db")).await?;
    let secret = InstallSecret::ephemeral().map_err(|e| {
        Failure::new(Exit::Failure, "install_secret", "no install secret can be made").why(e.to_string())
    })?;
    let gate = Gate::new(store.clone(), secret);
    let owner = key(&store, Role::Owner, None).await?;
    let demo = demo(&gate).await?;

    let port = args.port.unwrap_or(config.listen.port());
    let listener = server::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), "--port or PORT").await?;
    let address = listener.local_addr()?;
    let api = format!("http://{address}");
    let mut egress = config.egress.clone();
    egress.hosts.push(site::open().await?);
    egress.trusted_upstreams.push(site::upstream());
    let beside = if port == 0 { 0 } else { address.port().saturating_add(1) };
    let proxy_address = SocketAddr::from((Ipv4Addr::LOCALHOST, args.proxy_port.unwrap_or(beside)));
    let listeners = Listeners::bind(proxy_address, &egress).await?;
    let note = DevFile {
        url: api.clone(),
        key: owner.clone(),
        workspace_id: WORKSPACE.to_owned(),
        proxy: Some(listeners.url()),
        pid: std::process::id(),
    };
    let files = DevFiles::write(&places.dev_dirs(), &note, &demo)?;
    let started = DevStarted {
        api,
        proxy: Some(listeners.url()),
        console: None,
        key: owner,
        demo_headers: files.demo_headers(),
        demo_proxy_headers: files.demo_proxy_headers(),
        mode: Mode::Enforce,
    };
    if output.is_json() {
        output.json_line(&banner::to_json(&started))?;
    } else {
        output.line(&banner::to_text(&started))?;
    }
    drop(started);
    server::run(Server {
        listener,
        gate,
        metrics: Some(metrics),
        config: Config {
            exec: ExecConfig { work_dir: folder.path().join("work"), ..config.exec.clone() },
            ..config.clone()
        },
        worker: config.run_worker.embedded.then(|| config.run_worker.worker()),
        policies: config.policies.clone(),
        log_kept: config.decision_log,
        dialer: way_out::dialer(&egress)?,
        proxy: (listeners, proxy::settings(config)),
    })
    .await?;
    drop(files);
    Ok(Exit::Ok)
}

/// A private folder that is gone on exit: in memory where the system offers that.
pub(in crate::commands) fn folder() -> Result<tempfile::TempDir, Failure> {
    let memory = PathBuf::from("/dev/shm");
    let mut how = tempfile::Builder::new();
    how.prefix("exeat-dev-");
    how.tempdir_in(memory).or_else(|_| how.tempdir()).map_err(Failure::from)
}

pub(in crate::commands) async fn open(path: PathBuf) -> Result<Store, Failure> {
    let defaults = Defaults {
        mode: Mode::Enforce,
        kill_switch: false,
        egress_max_requests_per_hour: 0,
        trusted_upstreams: vec![site::upstream()],
    };
    let how = StoreConfig::new(Location::Sqlite { path, durability: Durability::Ephemeral }, defaults);
    Store::open(how).await.map_err(|error| store_access::open_failure(&error))
}

fn workspace() -> WorkspaceId {
    WorkspaceId::from_stored(WORKSPACE.to_owned())
}

pub(in crate::commands) async fn key(
    store: &Store,
    role: Role,
    principal_id: Option<model::PrincipalId>,
) -> Result<Key, Failure> {
    let workspace_id = (role != Role::Owner).then(workspace);
    let new = NewKey { workspace_id, role, principal_id, expires_at: None };
    let made = gate::create_key(store, new).await.map_err(|error| gate_failure(&error))?;
    Key::parse(made.key.expose_secret()).ok_or_else(|| Failure::new(Exit::Failure, "internal", "no key could be made"))
}

/// The agent `demo` and its key, for the printed examples: so that you approve what another asked.
pub(in crate::commands) async fn demo(gate: &Gate) -> Result<Key, Failure> {
    let inside = gate.inside(workspace(), model::PrincipalId::new(), "dev");
    let input = gate::agents::RegisterAgentInput { display_name: Some("demo".to_owned()), zone_max: None };
    let agent = gate.register_agent(&inside, input, None).await.map_err(|error| gate_failure(&error))?;
    key(gate.store(), Role::Agent, Some(agent.value.principal_id)).await
}
