//! `cargo xtask bench http`: the release binary under load, on both stores.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use serde_json::{Value, json};
use testkit::TempStore;
use testkit::exeat::{Process, Setup};
use testkit::http::Client;
use testkit::postgres::{Cluster, Database};

use super::load::{Exchange, drive};
use super::report::{self, Row, StoreReport};
use super::{commits, meter};
use crate::cargo::{For, build_binary};

const WORKSPACE: &str = "ws_bench";
const WARM_UP: Duration = Duration::from_secs(1);
/// What a database of this size is usually given: the server is measured, not a starved database.
pub(super) const POSTGRES_SETTINGS: [(&str, &str); 3] =
    [("shared_buffers", "256MB"), ("max_wal_size", "4GB"), ("checkpoint_timeout", "15min")];

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The stores to measure
    #[arg(long = "store", value_enum, value_delimiter = ',', default_value = "sqlite,postgres")]
    stores: Vec<StoreKind>,
    /// What to ask: an egress request that is allowed, one that needs an approval, an evaluation
    #[arg(long = "scenario", value_enum, value_delimiter = ',', default_value = "allow,ask,evaluate")]
    scenarios: Vec<Scenario>,
    /// Numbers of keep-alive connections, each measured by itself
    #[arg(long, value_delimiter = ',', default_value = "1,16,64,256")]
    connections: Vec<usize>,
    /// Over how many rooms the egress requests go; each room is one stream of events
    #[arg(long, value_delimiter = ',', default_value = "1")]
    streams: Vec<usize>,
    /// Seconds of each measurement, after one second of warming up
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Measures this binary instead of building the release one
    #[arg(long)]
    bin: Option<PathBuf>,
    /// Prints one JSON object on stdout; the table goes to stderr
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum StoreKind {
    Sqlite,
    Postgres,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Scenario {
    Allow,
    Ask,
    Evaluate,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    ensure!(arguments.seconds > 0.0, "--seconds must be more than 0");
    ensure!(arguments.connections.iter().chain(&arguments.streams).all(|number| *number > 0), "numbers start at 1");
    let binary = match &arguments.bin {
        Some(binary) => binary.canonicalize().with_context(|| format!("finding {}", binary.display()))?,
        None => build_binary(For::Use)?,
    };
    let say = |line: String| if arguments.json { eprintln!("{line}") } else { println!("{line}") };
    let machine = machine();
    say(format!("machine: {machine}"));
    if meter::is_in_memory(&std::env::temp_dir()) {
        bail!("the temporary directory is kept in memory, where nothing is durable: set TMPDIR to a disk");
    }
    say(report::table_head());
    let mut reports = Vec::new();
    for store in &arguments.stores {
        let report = measure_store(*store, &binary, arguments, &say)?;
        say(report::store_line(&report));
        reports.push(report);
    }
    if arguments.json {
        println!("{}", report::json(&machine, arguments.seconds, &reports));
    }
    let errors: usize = reports.iter().flat_map(|report| &report.rows).map(|row| row.errors).sum();
    ensure!(errors == 0, "{errors} requests failed");
    Ok(())
}

fn measure_store(store: StoreKind, binary: &Path, arguments: &Arguments, say: &dyn Fn(String)) -> Result<StoreReport> {
    match store {
        StoreKind::Sqlite => {
            let place = TempStore::create()?;
            let raw = commits::sqlite(place.dir())?;
            let bench = Bench::start("sqlite", binary, &place.url(), None)?;
            bench.measure(raw, arguments, say)
        }
        StoreKind::Postgres => {
            let cluster = Cluster::create(&POSTGRES_SETTINGS)?;
            let raw = commits::postgres(&cluster)?;
            let database = Database::create_on(&cluster)?;
            let bench = Bench::start("postgres", binary, &database.url(), cluster.pid())?;
            bench.measure(raw, arguments, say)
        }
    }
}

/// A running server with what is needed to ask it.
struct Bench {
    store: &'static str,
    server: Process,
    /// The postmaster, when there is one.
    database_pid: Option<u32>,
    owner: String,
    gateway: String,
    start: Duration,
    // Holds the home directory of the server.
    _setup: Setup,
}

impl Bench {
    fn start(store: &'static str, binary: &Path, url: &str, database_pid: Option<u32>) -> Result<Self> {
        let setup = Setup::with_binary(binary.to_owned(), url)?
            .env("POLICY_ENFORCEMENT_MODE", "enforce")
            .env("RUN_WORKER_EMBEDDED", "false")
            .env("EXEAT_LOG", "warn");
        let owner = setup.key("owner", Some(WORKSPACE))?;
        let gateway = setup.key("gateway", Some(WORKSPACE))?;
        let started = Instant::now();
        let server = setup.start()?;
        Ok(Self { store, server, database_pid, owner, gateway, start: started.elapsed(), _setup: setup })
    }

    fn measure(&self, raw: f64, arguments: &Arguments, say: &dyn Fn(String)) -> Result<StoreReport> {
        let idle_rss_mib = meter::rss_mib(self.server.pid())?;
        let mut rows = Vec::new();
        for scenario in &arguments.scenarios {
            // An evaluation writes nothing, so there is no stream to spread over.
            let streams: Vec<Option<usize>> = match scenario {
                Scenario::Evaluate => vec![None],
                Scenario::Allow | Scenario::Ask => arguments.streams.iter().copied().map(Some).collect(),
            };
            for streams in streams {
                let exchange = self.exchange(*scenario, streams)?;
                for connections in &arguments.connections {
                    let row = self.row(*scenario, streams, &exchange, *connections, arguments.seconds)?;
                    say(report::table_row(self.store, &row));
                    rows.push(row);
                }
            }
        }
        Ok(StoreReport { store: self.store, raw_commits_per_second: raw, start: self.start, idle_rss_mib, rows })
    }

    fn row(
        &self,
        scenario: Scenario,
        streams: Option<usize>,
        exchange: &Exchange,
        connections: usize,
        seconds: f64,
    ) -> Result<Row> {
        let usage = || -> Result<(Duration, Option<Duration>)> {
            Ok((meter::cpu(self.server.pid())?, self.database_pid.map(meter::cpu_with_children).transpose()?))
        };
        let (mut before, mut after) = (None, None);
        let outcome = drive(
            self.server.address(),
            exchange,
            connections,
            (WARM_UP, Duration::from_secs_f64(seconds)),
            (
                &mut || {
                    before = Some(usage()?);
                    Ok(())
                },
                &mut || {
                    after = Some(usage()?);
                    Ok(())
                },
            ),
        )?;
        let answers = f64::from(u32::try_from(outcome.latencies.len()).unwrap_or(u32::MAX)).max(1.0);
        let per_request = |before: Duration, after: Duration| after.saturating_sub(before).div_f64(answers);
        // Both are there unless every connection failed before the measurement was over.
        let (before, after) = (before.unwrap_or_default(), after.or(before).unwrap_or_default());
        Ok(Row {
            scenario: scenario.name(),
            streams,
            connections,
            per_second: outcome.per_second(),
            p50: outcome.quantile(0.5),
            p99: outcome.quantile(0.99),
            server_cpu_per_request: per_request(before.0, after.0),
            store_cpu_per_request: before.1.zip(after.1).map(|(before, after)| per_request(before, after)),
            rss_mib: meter::rss_mib(self.server.pid())?,
            errors: outcome.errors,
            first_error: outcome.first_error,
        })
    }

    /// Renders the requests of a scenario, one per stream, and proves with one request each that they are answered
    /// as expected.
    fn exchange(&self, scenario: Scenario, streams: Option<usize>) -> Result<Exchange> {
        let rooms = (0..streams.unwrap_or(0)).map(|number| self.room(number)).collect::<Result<Vec<_>>>()?;
        let bodies: Vec<Value> = match scenario {
            Scenario::Evaluate => {
                vec![json!({"action": "internal.read", "actor_type": "user", "actor_id": "bench"})]
            }
            Scenario::Allow => rooms.iter().map(|room| egress("internal.read", "GET", room)).collect(),
            Scenario::Ask => rooms.iter().map(|room| egress("external.write", "POST", room)).collect(),
        };
        let (path, status) = scenario.route();
        let body_has = scenario.body_has();
        let mut client = self.client(&self.gateway);
        for body in bodies.iter().take(1) {
            let answer = client.post(path, body)?;
            let said = answer.text();
            let expected = answer.status == status && said.contains(&String::from_utf8_lossy(body_has).into_owned());
            ensure!(expected, "POST {path} {body} is answered by {} {said}", answer.status);
        }
        let requests = bodies.iter().map(|body| self.rendered(path, body)).collect();
        Ok(Exchange { requests, status, body_has, tunnel: None, may_close: false })
    }

    fn rendered(&self, path: &str, body: &Value) -> Vec<u8> {
        render(&self.server.address(), &self.gateway, WORKSPACE, path, &body.to_string())
    }

    fn room(&self, number: usize) -> Result<String> {
        let made = self.client(&self.owner).post("/v1/rooms", &json!({"title": format!("bench {number}")}))?;
        let made = made.expect(201).context("creating a room")?;
        let id = made.get("room_id").and_then(Value::as_str);
        Ok(id.with_context(|| format!("no room_id in {made}"))?.to_owned())
    }

    fn client(&self, key: &str) -> Client {
        self.server.client().bearer(key).header("x-workspace-id", WORKSPACE)
    }
}

/// The bytes of a `POST` by a key in a workspace.
pub(super) fn render(address: &SocketAddr, key: &str, workspace: &str, path: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {key}\r\n\
         x-workspace-id: {workspace}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

impl Scenario {
    fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Ask => "ask",
            Self::Evaluate => "evaluate",
        }
    }

    fn route(self) -> (&'static str, u16) {
        match self {
            Self::Allow | Self::Ask => ("/v1/egress/requests", 201),
            Self::Evaluate => ("/v1/policy/evaluate", 200),
        }
    }

    fn body_has(self) -> &'static [u8] {
        match self {
            Self::Allow | Self::Evaluate => br#""decision":"allow""#,
            Self::Ask => br#""decision":"require_approval""#,
        }
    }
}

fn egress(action: &str, method: &str, room: &str) -> Value {
    json!({
        "target_url": "https://api.example.com/v1/items?id=1",
        "action": action,
        "method": method,
        "room_id": room,
        "actor_type": "user",
        "actor_id": "bench",
    })
}

/// What the figures depend on.
pub(super) fn machine() -> Value {
    let system = rustix::system::uname();
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ").map(|(_, name)| name));
    json!({
        "cpus": std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
        "model": model.unwrap_or("unknown"),
        "kernel": system.release().to_string_lossy(),
    })
}
