//! Runs without HTTP and processes: how fast one worker drives a backlog, and what a claim costs as
//! the backlog grows.
//!
//! `cargo bench -p runs --bench runs [-- drive|claim] [--json]`. Every figure on SQLite (durable, in
//! the temporary directory) and on PostgreSQL.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    missing_docs,
    unreachable_pub,
    reason = "a bench stops at the first surprise and prints figures"
)]

use std::time::{Duration, Instant};

use gate::{Caller, Gate, InstallSecret, NewKey};
use model::{Mode, Role, WorkspaceId};
use policy::Defaults;
use runs::{ClaimRunsInput, CreateRunInput, Runs, Worker, WorkerConfig};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use store::{Location, Store, StoreConfig};
use tokio_util::sync::CancellationToken;

/// As in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const WORKSPACE: &str = "ws_bench";
const DRIVEN: usize = 20_000;
const BACKLOGS: [u64; 4] = [1_000, 10_000, 100_000, 1_000_000];
const CLAIMS: usize = 50;
const CLAIM: u64 = 16;

/// A database, and how to run SQL in it.
enum Place {
    Sqlite(testkit::TempStore),
    Postgres(testkit::postgres::Database),
}

impl Place {
    fn url(&self) -> String {
        match self {
            Self::Sqlite(place) => place.url(),
            Self::Postgres(database) => database.url(),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "sqlite",
            Self::Postgres(_) => "postgres",
        }
    }

    /// Queues `count` runs numbered from `from`, without events: a claim does not look at them.
    fn seed(&self, from: u64, count: u64) {
        let to = from + count;
        let run = "'run_' || {id}";
        let columns =
            "run_id, workspace_id, status, tags, correlation_id, attempt_no, created_at, updated_at, last_event_id";
        let values = format!("{run}, '{WORKSPACE}', 'queued', '[]', 'c', 0, {{now}}, {{now}}, 'e'");
        let queue = format!("INSERT INTO run_queue (run_id, workspace_id) SELECT {run}, '{WORKSPACE}' FROM {{n}};");
        let rows = format!("INSERT INTO proj_runs ({columns}) SELECT {values} FROM {{n}};");
        match self {
            Self::Sqlite(place) => {
                let now = "strftime('%Y-%m-%dT%H:%M:%fZ','now')";
                let numbers = format!(
                    "(WITH RECURSIVE c(n) AS (SELECT {from} UNION ALL SELECT n + 1 FROM c WHERE n + 1 < {to}) SELECT n FROM c)"
                );
                let text = [queue, rows].concat();
                let text = text.replace("{n}", &numbers).replace("{now}", now).replace("{id}", "printf('%012d', n)");
                sqlite(place, &text);
            }
            Self::Postgres(database) => {
                let numbers = format!("generate_series({from}, {}) n", to - 1);
                let text = [queue, rows].concat();
                let text =
                    text.replace("{n}", &numbers).replace("{now}", "now()").replace("{id}", "lpad(n::text, 12, '0')");
                database.sql(&text).unwrap();
                database.sql("VACUUM ANALYZE run_queue").unwrap();
                database.sql("VACUUM ANALYZE proj_runs").unwrap();
            }
        }
    }
}

/// Runs SQL in a file from outside: only `store` speaks SQL in Rust.
fn sqlite(place: &testkit::TempStore, text: &str) {
    let script =
        "import sqlite3,sys; c=sqlite3.connect(sys.argv[1],timeout=60); c.executescript(sys.argv[2]); c.commit()";
    let path = place.path();
    let status = std::process::Command::new("python3").args(["-c", script, path.to_str().unwrap(), text]).status();
    assert!(status.expect("python3 is needed to fill a SQLite store").success());
}

async fn open(place: &Place) -> (Runs, Caller) {
    let defaults = Defaults {
        mode: Mode::Enforce,
        kill_switch: false,
        egress_max_requests_per_hour: 0,
        trusted_upstreams: vec![],
    };
    let store = Store::open(StoreConfig::new(Location::parse(&place.url()).unwrap(), defaults)).await.unwrap();
    let gate = Gate::new(store, InstallSecret::ephemeral().unwrap());
    let workspace_id = Some(WorkspaceId::parse(WORKSPACE).unwrap());
    let new = NewKey { workspace_id, role: Role::Worker, principal_id: None, expires_at: None };
    let key = gate::create_key(gate.store(), new).await.unwrap();
    let caller = gate.authenticate(key.key.expose_secret(), None, "req_1").await.unwrap();
    (Runs::new(gate), caller)
}

async fn drive(place: &Place, input: &Value) -> f64 {
    let (runs, caller) = open(place).await;
    let creators = (0..64).map(|_| {
        let (runs, caller, input) = (runs.clone(), caller.clone(), input.clone());
        tokio::spawn(async move {
            for _ in 0..DRIVEN / 64 {
                let input = CreateRunInput { input: Some(input.clone()), ..CreateRunInput::default() };
                runs.create(&caller, input, None).await.unwrap();
            }
        })
    });
    for creator in creators.collect::<Vec<_>>() {
        creator.await.unwrap();
    }
    let (stop, begun) = (CancellationToken::new(), Instant::now());
    let worker = tokio::spawn(Worker::new(runs.clone(), WorkerConfig::default()).run(stop.clone()));
    loop {
        let backlog = runs.gate().store().run_backlog(1).await.unwrap();
        if backlog.queued == 0 && backlog.leased == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let took = begun.elapsed();
    stop.cancel();
    let cycle = worker.await.unwrap();
    assert_eq!(cycle.completed, u64::try_from(DRIVEN / 64 * 64).unwrap(), "{cycle:?}");
    f64::from(u32::try_from(cycle.completed).unwrap()) / took.as_secs_f64()
}

async fn claim(place: &Place) -> Vec<(u64, Duration)> {
    let (runs, caller) = open(place).await;
    let (mut seeded, mut queued, mut out) = (0, 0, Vec::new());
    for backlog in BACKLOGS {
        place.seed(seeded, backlog - queued);
        seeded += backlog - queued;
        let input = || ClaimRunsInput { room_id: None, limit: Some(CLAIM), lease_seconds: Some(3_600) };
        // What the seeding left in caches and in the log is not the claim's.
        for _ in 0..5 {
            assert_eq!(runs.claim(&caller, input()).await.unwrap().runs.len(), 16);
        }
        let mut times = Vec::new();
        for _ in 0..CLAIMS {
            let begun = Instant::now();
            assert_eq!(runs.claim(&caller, input()).await.unwrap().runs.len(), 16);
            times.push(begun.elapsed());
        }
        times.sort();
        out.push((backlog, times[times.len() / 2]));
        queued = backlog - CLAIM * u64::try_from(CLAIMS + 5).unwrap();
    }
    out
}

fn places() -> Vec<Place> {
    vec![
        Place::Sqlite(testkit::TempStore::create().unwrap()),
        Place::Postgres(testkit::postgres::Database::create().unwrap()),
    ]
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let json = words.iter().any(|word| word == "--json");
    let wanted = |name: &str| words.iter().all(|word| word.starts_with("--")) || words.iter().any(|word| word == name);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let mut figures = Vec::new();
    if wanted("drive") {
        let inputs = [
            ("noop", json!({})),
            ("egress", json!({"runtime": {"egress": {"target_url": "https://api.example.com/v1/items?id=1"}}})),
        ];
        for (name, input) in inputs {
            for place in places() {
                let rate = runtime.block_on(drive(&place, &input));
                if !json {
                    println!("{:>9} {name:>7} {rate:>9.0} runs/s", place.name());
                }
                figures.push(json!({"store": place.name(), "runs": name, "runs_per_second": rate}));
            }
        }
    }
    if wanted("claim") {
        for place in places() {
            for (backlog, median) in runtime.block_on(claim(&place)) {
                let micros = median.as_secs_f64() * 1e6;
                if !json {
                    println!("{:>9} {backlog:>9} queued: {micros:>8.0} µs for {CLAIM} runs", place.name());
                }
                figures.push(json!({"store": place.name(), "queued": backlog, "claim_us": micros}));
            }
        }
    }
    if json {
        println!("{}", json!(figures));
    }
}
