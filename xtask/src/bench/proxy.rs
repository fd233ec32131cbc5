//! `cargo xtask bench proxy`: the forward proxy beside Squid and tinyproxy, same origin, same load, same run.

mod bulk;
mod figures;
mod hello;
mod idle;
mod origin;
mod packages;
mod peer;
mod rates;
mod relay;
mod tunnel;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use serde_json::json;

use super::http::machine;
use super::{commits, meter};
use crate::cargo::{For, build_binary};
use figures::Figure;
use origin::Origin;
use packages::Packages;
use peer::{Peer, Records, Way};
use rates::Load;

/// Descriptors of this process: two for each tunnel (the client's end and the origin's), and some.
const DESCRIPTORS: u64 = 20_000;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// What to measure
    #[arg(
        long = "only",
        value_enum,
        value_delimiter = ',',
        default_value = "latency,plain,tunnel,tls,inside,bulk,idle"
    )]
    scenarios: Vec<Scenario>,
    /// Whom to measure
    #[arg(long = "peer", value_enum, value_delimiter = ',', default_value = "squid,tinyproxy,exeat,exeat-memory")]
    peers: Vec<Who>,
    /// Numbers of connections of plain keep-alive requests, each measured by itself
    #[arg(long, value_delimiter = ',', default_value = "1,64,256")]
    connections: Vec<usize>,
    /// Seconds of each round, after a short warm-up
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Rounds of each scenario; the peers take turns in each
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How many idle tunnels
    #[arg(long, default_value_t = 5_000)]
    tunnels: usize,
    /// Measures this binary instead of building the release one
    #[arg(long)]
    bin: Option<PathBuf>,
    /// Prints one JSON object on stdout; the tables go to stderr
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Scenario {
    /// One connection: what a proxy adds to a request
    Latency,
    /// Keep-alive requests in absolute form
    Plain,
    /// A tunnel for each request, 64 at once, which may carry anything
    Tunnel,
    /// The same with the first flight of a TLS client, where only TLS may pass
    Tls,
    /// Requests inside 64 established tunnels
    Inside,
    /// An endless download through one tunnel
    Bulk,
    /// Memory of tunnels that nobody uses
    Idle,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Who {
    Squid,
    Tinyproxy,
    /// With every decision durable before anything leaves
    Exeat,
    /// With its store in memory, for comparison
    ExeatMemory,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    ensure!(arguments.seconds > 0.0 && arguments.rounds > 0, "--seconds and --rounds must be more than 0");
    ensure!(arguments.connections.iter().all(|number| *number > 0), "numbers start at 1");
    if meter::is_in_memory(&std::env::temp_dir()) {
        bail!("the temporary directory is kept in memory, where nothing is durable: set TMPDIR to a disk");
    }
    let say = |line: String| if arguments.json { eprintln!("{line}") } else { println!("{line}") };
    let descriptors = allow_descriptors()?;
    ensure!(
        descriptors > 2 * arguments.tunnels as u64 + 1_000 || !arguments.scenarios.contains(&Scenario::Idle),
        "{descriptors} open files are allowed, too few for {} tunnels: see `ulimit -n`",
        arguments.tunnels
    );
    let packages = Packages::get()?;
    let (machine, versions) = (machine(), packages.versions()?);
    say(format!("machine: {machine}"));
    say(format!("peers: {}", versions.join("; ")));
    let place = tempfile::tempdir()?;
    let commit = Duration::from_secs(1).div_f64(commits::sqlite(place.path())?);
    say(format!("one durable commit of the store by itself: {:.0} µs", commit.as_secs_f64() * 1e6));
    let binary = match &arguments.bin {
        _ if !arguments.peers.iter().any(|who| matches!(who, Who::Exeat | Who::ExeatMemory)) => PathBuf::new(),
        Some(binary) => binary.canonicalize().with_context(|| format!("finding {}", binary.display()))?,
        None => build_binary(For::Use)?,
    };
    let field = Field::start(&arguments.peers, &packages, &binary)?;
    let mut measured = Vec::new();
    for scenario in &arguments.scenarios {
        let figures = match scenario {
            // Memory that earlier load made a process take would hide what the tunnels take.
            Scenario::Idle => Field::start(&arguments.peers, &packages, &binary)?.measure(*scenario, arguments)?,
            _ => field.measure(*scenario, arguments)?,
        };
        for figures in figures {
            figures::table(&figures).into_iter().for_each(say);
            measured.extend(figures);
        }
    }
    if arguments.json {
        let commit = commit.as_secs_f64() * 1e6;
        let figures = figures::json(&measured);
        println!(
            "{}",
            json!({"machine": machine, "peers": versions, "commit_us": commit, "seconds": arguments.seconds,
                "figures": figures})
        );
    }
    let errors: usize = measured.iter().map(|figure| figure.errors).sum();
    ensure!(errors == 0, "{errors} requests failed");
    Ok(())
}

/// Everything that runs while it is measured. Dropped from top to bottom: the origin last.
struct Field {
    direct: Peer,
    relay: Peer,
    proxies: Vec<Peer>,
    _origin: Origin,
}

impl Field {
    fn start(peers: &[Who], packages: &Packages, exeat: &Path) -> Result<Self> {
        // Ports of its own for each, so that none uses up the connections of another.
        let origin = Origin::start(2 * peers.len() + 1)?;
        let first = origin.address(0)?;
        let start = |(index, who): (usize, &Who)| {
            let targets = [origin.address(2 * index + 1)?, origin.address(2 * index + 2)?];
            match who {
                Who::Squid => peer::squid(packages, targets),
                Who::Tinyproxy => peer::tinyproxy(packages, targets),
                Who::Exeat => peer::exeat(exeat, targets, Records::Durable),
                Who::ExeatMemory => peer::exeat(exeat, targets, Records::Memory),
            }
        };
        let proxies = peers.iter().enumerate().map(start).collect::<Result<_>>()?;
        let relay = Peer::direct("plain relay", relay::start(first)?, first);
        Ok(Self { direct: Peer::direct("no proxy", first, first), relay, proxies, _origin: origin })
    }

    fn measure(&self, scenario: Scenario, arguments: &Arguments) -> Result<Vec<Vec<Figure>>> {
        let proxies: Vec<&Peer> = self.proxies.iter().collect();
        let with = |other| std::iter::once(other).chain(self.proxies.iter()).collect::<Vec<&Peer>>();
        let time = Duration::from_secs_f64(arguments.seconds);
        let load = |way, connections| Load { way, connections, rounds: arguments.rounds, time };
        Ok(match scenario {
            Scenario::Latency => vec![
                rates::measure("plain, 1 connection", &with(&self.direct), load(Way::Plain, 1))?,
                rates::measure("one-request tunnels, 1", &proxies, load(Way::OneRequestTunnel, 1))?,
            ],
            Scenario::Plain => arguments
                .connections
                .iter()
                .map(|number| rates::measure(&format!("plain, {number}"), &proxies, load(Way::Plain, *number)))
                .collect::<Result<_>>()?,
            Scenario::Tunnel => {
                vec![rates::measure("one-request tunnels, 64", &proxies, load(Way::OneRequestTunnel, 64))?]
            }
            Scenario::Tls => {
                vec![rates::measure("one-flight TLS tunnels, 64", &proxies, load(Way::OneFlightTunnel, 64))?]
            }
            Scenario::Inside => {
                vec![rates::measure("inside tunnels, 64", &proxies, load(Way::InsideTunnel, 64))?]
            }
            Scenario::Bulk => vec![bulk::measure(&with(&self.relay), arguments.rounds, time)?],
            Scenario::Idle => vec![idle::measure(&proxies, arguments.tunnels)?],
        })
    }
}

/// Raises the limit of open files, which the proxies started from here inherit.
fn allow_descriptors() -> Result<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(DESCRIPTORS * 3, |most| most.min(DESCRIPTORS * 3));
    if limit.current.is_some_and(|current| current < wanted) {
        let raised = Rlimit { current: Some(wanted), maximum: limit.maximum };
        setrlimit(Resource::Nofile, raised).context("raising the limit of open files")?;
    }
    Ok(wanted)
}
