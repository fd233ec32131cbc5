//! `cargo xtask bench runs`: workers of the release binary on a backlog, and how soon a run begins.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use serde_json::{Value, json};
use testkit::TempStore;
use testkit::exeat::Setup;
use testkit::postgres::{Cluster, Database};

use super::http::{POSTGRES_SETTINGS, StoreKind, machine, render};
use super::load::{Exchange, drive};
use super::meter;
use crate::cargo::{For, build_binary, cargo, output};

const WORKSPACE: &str = "ws_bench";
const WARM_UP: Duration = Duration::from_millis(200);
const CREATORS: usize = 64;
/// Between two runs that are created to see how soon they begin.
const BREATH: Duration = Duration::from_millis(15);
const DRAINED_WITHIN: Duration = Duration::from_secs(300);

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The stores to measure
    #[arg(long = "store", value_enum, value_delimiter = ',', default_value = "sqlite,postgres")]
    stores: Vec<StoreKind>,
    /// What the runs do
    #[arg(long = "scenario", value_enum, value_delimiter = ',', default_value = "noop,egress")]
    scenarios: Vec<Scenario>,
    /// Numbers of worker processes, each measured by itself
    #[arg(long, value_delimiter = ',', default_value = "1,2")]
    processes: Vec<usize>,
    /// Over how many rooms the runs go; each room is one stream of events
    #[arg(long, value_delimiter = ',', default_value = "1,64")]
    streams: Vec<usize>,
    /// Seconds of creating runs that the workers then find
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// How many runs are created one by one to see how soon they begin
    #[arg(long, default_value_t = 300)]
    samples: usize,
    /// Measures this binary instead of building the release one
    #[arg(long)]
    bin: Option<PathBuf>,
    /// Leaves out what a claim costs as the backlog grows, which takes minutes
    #[arg(long)]
    without_claims: bool,
    /// Prints one JSON object on stdout; the table goes to stderr
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Scenario {
    Noop,
    Egress,
}

impl Scenario {
    fn name(self) -> &'static str {
        match self {
            Self::Noop => "noop",
            Self::Egress => "egress",
        }
    }

    fn runtime(self) -> Value {
        match self {
            Self::Noop => json!({}),
            Self::Egress => json!({"egress": {"target_url": "https://api.example.com/v1/items?id=1"}}),
        }
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    ensure!(arguments.seconds > 0.0 && arguments.samples > 0, "--seconds and --samples must be more than 0");
    ensure!(arguments.processes.iter().chain(&arguments.streams).all(|number| *number > 0), "numbers start at 1");
    let binary = match &arguments.bin {
        Some(binary) => binary.canonicalize().with_context(|| format!("finding {}", binary.display()))?,
        None => build_binary(For::Use)?,
    };
    if meter::is_in_memory(&std::env::temp_dir()) {
        bail!("the temporary directory is kept in memory, where nothing is durable: set TMPDIR to a disk");
    }
    let say = |line: String| if arguments.json { eprintln!("{line}") } else { println!("{line}") };
    let machine = machine();
    say(format!("machine: {machine}"));
    let mut figures = Vec::new();
    for store in &arguments.stores {
        for scenario in &arguments.scenarios {
            for streams in &arguments.streams {
                for processes in &arguments.processes {
                    let place = Place::create(*store)?;
                    let (runs, rate) = drained(&place, &binary, *scenario, *streams, *processes, arguments.seconds)?;
                    say(format!(
                        "{:>9} {:>7} {streams:>3} streams {processes} process(es): {rate:>7.0} runs/s ({runs} runs)",
                        place.name(),
                        scenario.name()
                    ));
                    figures.push(json!({
                        "store": place.name(), "scenario": scenario.name(), "streams": streams,
                        "processes": processes, "runs": runs, "runs_per_second": rate,
                    }));
                }
            }
        }
        let place = Place::create(*store)?;
        let begun = first_event(&place, &binary, arguments.samples)?;
        let at = |share: f64| begun.get(((begun.len() - 1) as f64 * share).round() as usize).copied().unwrap_or(0);
        let (p50, p99) = (at(0.5), at(0.99));
        say(format!("{:>9} from run.created to run.started, idle: p50 {p50} ms, p99 {p99} ms", place.name()));
        figures.push(json!({"store": place.name(), "first_event_ms_p50": p50, "first_event_ms_p99": p99}));
    }
    if !arguments.without_claims {
        let mut bench = cargo(["bench", "--package", "runs", "--bench", "runs", "--", "claim", "--json"]);
        let claims: Value = serde_json::from_str(output(&mut bench)?.lines().last().unwrap_or_default())?;
        for claim in claims.as_array().into_iter().flatten() {
            say(format!("{claim}"));
        }
        figures.extend(claims.as_array().cloned().unwrap_or_default());
    }
    if arguments.json {
        println!("{}", json!({"machine": machine, "figures": figures}));
    }
    Ok(())
}

/// A store, and how to look into it.
enum Place {
    Sqlite(TempStore),
    // The database goes before its cluster.
    Postgres(Database, #[expect(dead_code, reason = "holds the server")] Box<Cluster>),
}

impl Place {
    fn create(store: StoreKind) -> Result<Self> {
        Ok(match store {
            StoreKind::Sqlite => Self::Sqlite(TempStore::create()?),
            StoreKind::Postgres => {
                let cluster = Cluster::create(&POSTGRES_SETTINGS)?;
                Self::Postgres(Database::create_on(&cluster)?, Box::new(cluster))
            }
        })
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "sqlite",
            Self::Postgres(..) => "postgres",
        }
    }

    fn setup(&self, binary: &Path, embedded: bool) -> Result<Setup> {
        let url = match self {
            Self::Sqlite(place) => place.url(),
            Self::Postgres(database, _) => database.url(),
        };
        Ok(Setup::with_binary(binary.to_owned(), &url)?
            .env("POLICY_ENFORCEMENT_MODE", "enforce")
            .env("RUN_WORKER_EMBEDDED", if embedded { "true" } else { "false" })
            .env("EXEAT_LOG", "warn"))
    }

    /// The whole numbers that a query gives, one per row.
    fn numbers(&self, sqlite: &str, postgres: &str) -> Result<Vec<i64>> {
        match self {
            Self::Sqlite(place) => {
                let connection = rusqlite::Connection::open(place.path())?;
                let mut statement = connection.prepare(sqlite)?;
                let rows = statement.query_map([], |row| row.get::<_, i64>(0))?;
                Ok(rows.collect::<Result<_, _>>()?)
            }
            Self::Postgres(database, _) => {
                let text = database.sql(postgres)?;
                text.split_whitespace().map(|n| n.parse().with_context(|| format!("`{n}` is no number"))).collect()
            }
        }
    }

    fn number(&self, sqlite: &str, postgres: &str) -> Result<i64> {
        self.numbers(sqlite, postgres)?.first().copied().context("a query gave no row")
    }

    fn same(&self, text: &str) -> Result<i64> {
        self.number(text, text)
    }
}

/// Creates a backlog, lets workers at it, and gives how many runs there were and how many ended per second.
fn drained(
    place: &Place,
    binary: &Path,
    scenario: Scenario,
    streams: usize,
    processes: usize,
    seconds: f64,
) -> Result<(i64, f64)> {
    let setup = place.setup(binary, false)?;
    let owner = setup.key("owner", Some(WORKSPACE))?;
    let server = setup.start()?;
    let mut client = server.client().bearer(&owner);
    let mut requests = Vec::new();
    for number in 0..streams {
        let room = client.post("/v1/rooms", &json!({"title": format!("bench {number}")}))?.expect(201)?;
        let body = json!({"room_id": room.get("room_id"), "input": {"runtime": scenario.runtime()}});
        requests.push(render(&server.address(), &owner, WORKSPACE, "/v1/runs", &body.to_string()));
    }
    let exchange =
        Exchange { requests, status: 201, body_has: br#""status":"queued""#, tunnel: None, may_close: false };
    let measured = (WARM_UP, Duration::from_secs_f64(seconds));
    let outcome = drive(server.address(), &exchange, CREATORS, measured, (&mut || Ok(()), &mut || Ok(())))?;
    if let Some(error) = outcome.first_error {
        bail!("creating runs failed: {error}");
    }
    drop(client);
    server.sigterm()?;
    let workers = (0..processes).map(|_| setup.spawn(&["worker"])).collect::<Result<Vec<_>>>()?;
    let left = "SELECT (SELECT count(*) FROM (SELECT 1 FROM run_queue LIMIT 1) q) \
                + (SELECT count(*) FROM (SELECT 1 FROM run_leases LIMIT 1) l)";
    let deadline = Instant::now() + DRAINED_WITHIN;
    while place.same(left)? > 0 {
        ensure!(Instant::now() < deadline, "the backlog is not driven after {DRAINED_WITHIN:?}");
        // Seldom: to look costs the database something, too.
        std::thread::sleep(Duration::from_millis(500));
    }
    for worker in workers {
        worker.sigterm()?;
    }
    let runs = place.same("SELECT count(*) FROM proj_runs WHERE status = 'succeeded'")?;
    ensure!(runs == place.same("SELECT count(*) FROM proj_runs")?, "some runs did not succeed");
    let millis = place.number(
        "SELECT CAST(round((julianday(max(ended_at)) - julianday(min(started_at))) * 86400000) AS INTEGER) FROM proj_runs",
        "SELECT (extract(epoch FROM max(ended_at) - min(started_at)) * 1000)::bigint FROM proj_runs",
    )?;
    Ok((runs, runs as f64 * 1_000.0 / millis.max(1) as f64))
}

/// How many milliseconds lie between the making of a run and its start, smallest first.
fn first_event(place: &Place, binary: &Path, samples: usize) -> Result<Vec<i64>> {
    let setup = place.setup(binary, true)?;
    let owner = setup.key("owner", Some(WORKSPACE))?;
    let server = setup.start()?;
    let mut client = server.client().bearer(&owner);
    for _ in 0..samples {
        client.post("/v1/runs", &json!({}))?.expect(201)?;
        std::thread::sleep(BREATH);
    }
    std::thread::sleep(Duration::from_millis(500));
    let mut waited = place.numbers(
        "SELECT CAST(round((julianday(started_at) - julianday(created_at)) * 86400000) AS INTEGER) FROM proj_runs",
        "SELECT (extract(epoch FROM started_at - created_at) * 1000)::bigint FROM proj_runs",
    )?;
    ensure!(waited.len() == samples, "{} of {samples} runs began", waited.len());
    waited.sort_unstable();
    server.sigterm()?;
    Ok(waited)
}
