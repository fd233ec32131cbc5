//! `exeat proxy env`: the variables that lead a program's requests through the proxy, with a credential
//! that is good for nothing else and not for long.
//!
//! Both cases of each name: programs read one or the other, and some (curl) only the small letters of
//! `http_proxy`. `ALL_PROXY` names the proxy by HTTP as well, unless `--socks` is given: a program that
//! cannot speak SOCKS refuses to start when it finds it there.

use std::io::IsTerminal as _;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::commands::App;
use crate::commands::ask;
use crate::commands::wire::{body, text};
use crate::duration;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{field, opt};

/// What is reached without the proxy: this machine.
const NO_PROXY: &str = "localhost,127.0.0.1,::1";
/// What stands in an address as it is; everything else is escaped.
const KEPT: &percent_encoding::AsciiSet =
    &percent_encoding::NON_ALPHANUMERIC.remove(b'_').remove(b'-').remove(b'.').remove(b'~');
/// The name that stands before the credential.
const USER: &str = "exeat";

/// For whom, and how it is written.
#[derive(Debug, clap::Args)]
#[command(
    before_help = "Examples:\n  eval \"$(exeat proxy env --agent coder --for 8h)\"\n  exeat proxy env --run RUN_ID --shell fish | source\n  exeat proxy env --json"
)]
pub struct Args {
    /// For this agent: its id, or its name
    #[arg(long, value_name = "AGENT", conflicts_with = "principal")]
    agent: Option<String>,
    /// For this principal
    #[arg(long, value_name = "PRINCIPAL_ID")]
    principal: Option<String>,
    /// For what happens in this run
    #[arg(long, value_name = "RUN_ID")]
    run: Option<String>,
    /// How long the credential is good, for example 8h
    #[arg(long = "for", value_name = "SPAN", value_parser = duration::parse)]
    lasts: Option<Duration>,
    /// The shell that reads the lines
    #[arg(long, value_parser = ["sh", "fish"], default_value = "sh")]
    shell: String,
    /// Where the proxy is, when it cannot be found: http://HOST:PORT
    #[arg(long, value_name = "URL")]
    proxy: Option<String>,
    /// What is reached without the proxy
    #[arg(long, value_name = "LIST", default_value = NO_PROXY)]
    no_proxy: String,
    /// Name the proxy by SOCKS in ALL_PROXY
    #[arg(long)]
    socks: bool,
}

pub(super) async fn run(args: Args, app: &App) -> Result<Exit, Failure> {
    let client = app.client()?;
    let principal = match (&args.agent, &args.principal) {
        (Some(agent), _) => opt(&ask::found(&client, agent).await?, "principal_id"),
        (None, principal) => principal.clone(),
    };
    let wanted = body([
        ("principal_id", text(principal)),
        ("run_id", text(args.run.clone())),
        ("expires_in_s", args.lasts.map(|lasts| json!(lasts.as_secs().max(1)))),
    ]);
    let answer = client.post(&["v1", "proxy", "credentials"], &wanted).await?;
    let credential = opt(&answer, "credential")
        .ok_or_else(|| Failure::new(Exit::Failure, "unexpected_answer", "the server answered without a credential"))?;
    let proxy = match args.proxy.clone().or_else(|| opt(&answer, "proxy_url")).or_else(|| app.dev_proxy()) {
        Some(named) => proxy(&named)?,
        None => {
            let assumed = beside(client.base())?;
            app.output.say(&format!("note: the proxy is taken to be at {assumed}; name another with --proxy"));
            assumed
        }
    };
    let variables = variables(&proxy, &credential, &args)?;
    if app.output.is_json() {
        let env: Map<String, Value> =
            variables.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
        let expires_at = answer.get("expires_at").cloned().unwrap_or_default();
        app.output
            .object(&json!({ "env": env, "proxy": proxy.as_str().trim_end_matches('/'), "expires_at": expires_at }))?;
        return Ok(Exit::Ok);
    }
    for (name, value) in &variables {
        app.output.raw(&line(&args.shell, name, value))?;
    }
    if std::io::stdout().is_terminal() {
        app.output.say("these lines are for a shell: eval \"$(exeat proxy env …)\"");
    }
    if let Some(end) = opt(&answer, "expires_at") {
        app.output.say(&format!("good until {end}, for the proxy only ({})", field(&answer, "principal_id")));
    }
    Ok(Exit::Ok)
}

/// Every variable, in the order of printing.
fn variables(proxy: &url::Url, credential: &str, args: &Args) -> Result<Vec<(&'static str, String)>, Failure> {
    let with = |scheme: &str| -> Result<String, Failure> {
        let host = proxy.host_str().unwrap_or_default();
        let port = proxy.port_or_known_default().unwrap_or(7071);
        let escaped = percent_encoding::utf8_percent_encode(credential, KEPT);
        Ok(format!("{scheme}://{USER}:{escaped}@{host}:{port}"))
    };
    let http = with(proxy.scheme())?;
    let all = if args.socks { with("socks5h")? } else { http.clone() };
    let pairs = [
        ("HTTP_PROXY", "http_proxy", &http),
        ("HTTPS_PROXY", "https_proxy", &http),
        ("ALL_PROXY", "all_proxy", &all),
        ("NO_PROXY", "no_proxy", &args.no_proxy),
    ];
    let mut all: Vec<(&'static str, String)> =
        pairs.into_iter().flat_map(|(upper, lower, value)| [(upper, value.clone()), (lower, value.clone())]).collect();
    // Without it Node looks at none of them.
    all.push(("NODE_USE_ENV_PROXY", "1".to_owned()));
    Ok(all)
}

/// One line that sets a variable, whatever its value holds.
fn line(shell: &str, name: &str, value: &str) -> String {
    match shell {
        "fish" => format!("set -gx {name} '{}'", value.replace('\\', r"\\").replace('\'', r"\'")),
        _ => format!("export {name}='{}'", value.replace('\'', r"'\''")),
    }
}

/// An address of a proxy: `http` or `https`, a host, nothing after it.
pub(in crate::commands) fn proxy(text: &str) -> Result<url::Url, Failure> {
    let url = url::Url::parse(text).ok().filter(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.host().is_some()
            && url.path() == "/"
            && url.username().is_empty()
    });
    url.ok_or_else(|| Failure::usage(format!("`{text}` is not the address of a proxy")).next("write http://HOST:PORT"))
}

/// Where the proxy is unless somebody says otherwise: the server's host, the usual port.
pub(in crate::commands) fn beside(server: &str) -> Result<url::Url, Failure> {
    let mut url = url::Url::parse(server)
        .map_err(|error| Failure::usage(format!("`{server}` is not the address of a server")).why(error.to_string()))?;
    url.set_path("/");
    // The proxy of a server behind TLS is not; neither can fail for a scheme with a host.
    let _ = url.set_scheme("http");
    let _ = url.set_port(Some(7071));
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(socks: bool) -> Args {
        Args {
            agent: None,
            principal: None,
            run: None,
            lasts: None,
            shell: "sh".to_owned(),
            proxy: None,
            no_proxy: NO_PROXY.to_owned(),
            socks,
        }
    }

    #[test]
    fn every_program_finds_its_variable() {
        let proxy = proxy("http://127.0.0.1:7071").unwrap();
        let found = variables(&proxy, "exp_1_a/b", &args(false)).unwrap();
        let value = |name: &str| found.iter().find(|(each, _)| *each == name).unwrap().1.as_str();
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"] {
            assert_eq!(value(name), "http://exeat:exp_1_a%2Fb@127.0.0.1:7071", "{name}");
        }
        assert_eq!((value("NO_PROXY"), value("no_proxy"), value("NODE_USE_ENV_PROXY")), (NO_PROXY, NO_PROXY, "1"));
        let found = variables(&proxy, "x", &args(true)).unwrap();
        assert!(found.contains(&("ALL_PROXY", "socks5h://exeat:x@127.0.0.1:7071".to_owned())), "{found:?}");
    }

    #[test]
    fn a_value_stays_one_word_in_any_shell() {
        assert_eq!(line("sh", "A", "it's $HOME"), r"export A='it'\''s $HOME'");
        assert_eq!(line("fish", "A", r"it's \n"), r"set -gx A 'it\'s \\n'");
    }

    #[test]
    fn the_proxy_is_beside_the_server_unless_named() {
        assert_eq!(beside("https://gate.example/base").unwrap().as_str(), "http://gate.example:7071/");
        assert_eq!(beside("http://[::1]:7070").unwrap().as_str(), "http://[::1]:7071/");
        for bad in ["proxy:7071", "socks5://p", "http://p/x", "http://u:p@p"] {
            assert!(proxy(bad).is_err(), "{bad}");
        }
    }
}
