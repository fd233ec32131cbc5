//! The walk of `exeat exec`: decide what is given, find the gate, run, relay, tell.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use confine::{
    Ahead, Call, ConfineConfig, ConfineError, Confiner, Ended, Network, OnRefused, Proof, Rung, RungChoice, Running,
    Stdio,
};
use egress::proxy::{Approvers, Proxy, ProxyConfig};
use gate::Place;
use tokio_util::sync::CancellationToken;

use super::Args;
use super::local::{LocalGate, Scope};
use super::place::Machine;
use super::plan::{Ground, Wanted};
use super::remote::Remote;
use super::report::Report;
use super::signals::Listening;
use super::stdio::{self, Relays};
use super::summary::Summary;
use super::terminal::{Raw, Relay};
use super::which::{Which, which};
use crate::commands::{App, gate_failure};
use crate::config::{ClientConfig, Config, Environment, Layers};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::{proxy, way_out};

/// What the command is run with besides its arguments.
pub struct Around<'a> {
    /// The streams.
    pub output: Output,
    /// The configuration. A file of the working directory is no part of it: what runs inside could have written it.
    pub layers: &'a Layers,
    /// The variables.
    pub environment: &'a Environment,
    /// The configuration file that was named.
    pub named: Option<&'a Path>,
}

/// Runs it.
///
/// # Errors
/// The command could not be isolated, found, or recorded; or it was asked for wrongly.
pub async fn run(args: Args, around: Around<'_>) -> Result<Exit, Failure> {
    let mut report = args.report.as_ref().map(Report::open).transpose()?;
    let output = around.output;
    match Box::pin(ran(args, around)).await {
        Ok((summary, strict)) => {
            tell(&summary, report.as_mut(), output)?;
            let violated = strict && summary.is_violated();
            Ok(if violated { Exit::Denied } else { Exit::Command(summary.exit.code()) })
        }
        Err(failure) => {
            if let Some(report) = &mut report {
                report.write(&failure.to_json())?;
            }
            Err(failure)
        }
    }
}

fn tell(summary: &Summary, report: Option<&mut Report>, output: Output) -> Result<(), Failure> {
    let told = report.is_some();
    if let Some(report) = report {
        report.write(&summary.to_json())?;
    }
    if output.is_json() {
        if !told {
            output.tell(&summary.to_json().to_string());
        }
    } else if let Some(text) = summary.to_text(output.is_quiet() || told) {
        output.tell(&text);
    }
    Ok(())
}

async fn ran(args: Args, around: Around<'_>) -> Result<(Summary, bool), Failure> {
    let Around { output, layers, environment, named } = around;
    let wanted = args.wanted()?;
    let machine = Machine::of_process(environment, layers, named)?;
    let ground = Ground::of(&wanted, &machine)?;
    let (first, least) = rungs(&args);
    // On its way up while the gate opens.
    let ahead = Ahead::begin(ground.plan(first, &wanted), first, None)?;
    let trying = Trying { args: &args, wanted: &wanted, ground: &ground, environment, output, first, least };
    let config = Config::from_layers(layers)?;
    let client = ClientConfig::from_layers(layers)?;
    match which(args.local, &client, environment) {
        Which::Alone => {
            refuse_without_server(&args)?;
            let local =
                LocalGate::open(Scope::Only(&args.allow), args.agent.as_deref(), args.zone.as_deref(), &config).await?;
            let dialer = way_out::dialer(&config.egress)?;
            let how = ProxyConfig {
                drain: Duration::ZERO,
                hold: args.wait.unwrap_or_default(),
                approvers: Approvers::Nobody,
                ..proxy::settings(&config)
            };
            let proxy = Proxy::new(local.gate.clone(), dialer, how);
            let ended = Box::pin(confined(&trying, ahead, &local, proxy)).await;
            local.close().await;
            Ok((Summary::of(ended?), args.strict))
        }
        Which::Server(because) => {
            output.detail(&format!("a server decides: {because}"));
            let app = App::new(output, client, environment.clone());
            let remote = Remote::find(&args, &app, wanted.timeout).await?;
            let scope = if args.allow.is_empty() { Scope::Anything } else { Scope::Only(&args.allow) };
            let local = LocalGate::open(scope, None, None, &config).await?;
            let how = ProxyConfig { drain: Duration::ZERO, hold: Duration::ZERO, ..proxy::settings(&config) };
            let proxy = Proxy::new(local.gate.clone(), remote.dialer.clone(), how);
            let ended = Box::pin(confined(&trying, ahead, &local, proxy)).await;
            local.close().await;
            Ok((remote.settle(ended?).await?, args.strict))
        }
    }
}

/// What only a server can mean.
fn refuse_without_server(args: &Args) -> Result<(), Failure> {
    let named = [("--run", args.run.is_some()), ("--proxy", args.proxy.is_some())];
    match named.into_iter().find(|(_, given)| *given) {
        Some((flag, _)) => Err(Failure::usage(format!("{flag} is about a server, and this command decides alone"))
            .next("name the server with --server or EXEAT_URL")),
        None => Ok(()),
    }
}

/// What is the same for every try.
struct Trying<'a> {
    args: &'a Args,
    wanted: &'a Wanted,
    ground: &'a Ground,
    environment: &'a Environment,
    output: Output,
    /// The rung to begin with, and the weakest that will do.
    first: Rung,
    least: Rung,
}

fn rungs(args: &Args) -> (Rung, Rung) {
    match (args.rung, args.min_rung) {
        (Some(rung), _) => (rung, rung),
        (None, least) => (Rung::A, least.unwrap_or(Rung::B)),
    }
}

/// Runs the command with `proxy` as its only way out.
///
/// The launch proves the rung: a layer that cannot be put in place is an error, and then the other rung is tried
/// unless it was excluded.
async fn confined(trying: &Trying<'_>, ahead: Ahead, local: &LocalGate, proxy: Proxy) -> Result<Ended, Failure> {
    let (first, least) = (trying.first, trying.least);
    let config = ConfineConfig { ahead: Some(ahead), proof: Proof::Launch, ..ConfineConfig::default() };
    let confiner = Confiner::new(local.gate.clone(), proxy, config);
    match tried(trying, &confiner, local, first).await {
        Err(error @ ConfineError::IsolationUnavailable { .. }) if least < first => {
            trying.output.detail(&format!("rung {first} is not to be had: {error}"));
            tried(trying, &confiner, local, least).await.map_err(|second| match second {
                // What keeps the stronger one away is what is worth mending.
                ConfineError::IsolationUnavailable { .. } => refused(&error),
                other => refused(&other),
            })
        }
        tried => tried.map_err(|error| refused(&error)),
    }
}

async fn tried(trying: &Trying<'_>, confiner: &Confiner, local: &LocalGate, rung: Rung) -> Result<Ended, ConfineError> {
    let Trying { args, wanted, ground, environment, output, .. } = trying;
    let (stdio, relays) = match wanted.terminal {
        Some(_) => (Stdio::Terminal, Relays::default()),
        None => stdio::files().map_err(|failure| ConfineError::Plan(failure.what))?,
    };
    let call = Call {
        caller: local.caller.clone(),
        place: Place::default(),
        tool_name: None,
        cause: None,
        correlation_id: None,
        plan: ground.plan(rung, wanted),
        command: ground.command(wanted, environment),
        rung: RungChoice::Exactly(rung),
        network: Network::Declared { on_refused: OnRefused::Continue },
        input_hmac: None,
        stdio,
        publish: args.publish.clone(),
    };
    let listening =
        Listening::begin().map_err(|error| ConfineError::Plan(format!("signals cannot be listened to: {error}")))?;
    let running = Box::pin(confiner.start(call, CancellationToken::new())).await?;
    for (port, at) in running.published() {
        if at.port() != *port {
            output.say(&format!("exeat: its port {port} is at {at}, because {port} is taken"));
        }
    }
    let ended = Box::pin(attended(running, listening)).await?;
    relays.finish();
    Ok(ended)
}

/// Passes keys, signals and sizes on until the command has ended.
async fn attended(mut running: Running, listening: Listening) -> Result<Ended, ConfineError> {
    let cannot = |error: std::io::Error| ConfineError::Plan(format!("the terminal cannot be passed on: {error}"));
    let terminal = running.terminal();
    let raw = terminal.is_some().then(Raw::enter).transpose().map_err(cannot)?.map(Arc::new);
    let relay = terminal.map(Relay::begin).transpose().map_err(cannot)?;
    let signals = listening.pass_to(&running.controls(), raw.clone());
    let ended = running.ended().await;
    if let Some(relay) = relay {
        relay.finish();
    }
    drop((signals, raw));
    ended
}

/// Why the command was not run, as the caller is told.
fn refused(error: &ConfineError) -> Failure {
    let exit = match error.exit_code() {
        125 => Exit::Isolation,
        code => Exit::Command(code),
    };
    let failure = Failure::new(exit, error.code(), error.to_string());
    match error {
        ConfineError::IsolationUnavailable { fix, .. } => {
            failure.next(fix.clone().unwrap_or_else(|| "exeat doctor".to_owned()))
        }
        ConfineError::Plan(_) => Failure { exit: Exit::Isolation, ..failure },
        ConfineError::Command { .. } => {
            failure.next("it is looked for in the folders of PATH that are seen inside; see exeat exec --help")
        }
        ConfineError::EventLog => {
            failure.next("nothing that cannot be recorded is run; look at the disk and the store")
        }
        ConfineError::Gate(error) => Failure { exit: Exit::Isolation, ..gate_failure(error) },
    }
}
