//! `cargo xtask bench replay`: `exeat policy replay` of millions of decisions in a store on disk.
//!
//! A server decides for some seconds, so that the log has real segments; these are then copied until there are as many
//! decisions as wanted. What is timed is the command as an operator runs it, with everything it waits for.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use testkit::TempStore;
use testkit::exeat::Setup;

use super::http::{machine, render};
use super::load::{Exchange, drive};
use crate::cargo::{For, build_binary};

const WORKSPACE: &str = "ws_bench";
const CONNECTIONS: usize = 64;
/// Hosts that are asked for; with the paths there are a thousand times as many different asks.
const HOSTS: usize = 40;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// How many decisions are replayed, in millions
    #[arg(long, default_value_t = 10)]
    millions: u64,
    /// How many rules are tried
    #[arg(long, default_value_t = 400)]
    rules: usize,
    /// Seconds of deciding that the copies are made from
    #[arg(long, default_value_t = 8.0)]
    seconds: f64,
    /// Measures this binary instead of building the release one
    #[arg(long)]
    bin: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let binary = match &arguments.bin {
        Some(binary) => binary.canonicalize().with_context(|| format!("finding {}", binary.display()))?,
        None => build_binary(For::Use)?,
    };
    let store = TempStore::create()?;
    let setup = Setup::with_binary(binary.clone(), &store.url())?.env("POLICY_ENFORCEMENT_MODE", "shadow");
    let setup = setup.env("EXEAT_LOG", "warn");
    let owner = setup.key("owner", Some(WORKSPACE))?;
    let server = setup.start()?;
    let requests = (0..CONNECTIONS * 16).map(|n| {
        let url = format!("https://api{}.example.com/v1/items/{n}", n % HOSTS);
        let body =
            json!({"target_url": url, "method": if n % 3 == 0 { "POST" } else { "GET" }, "action": "internal.read"});
        render(&server.address(), &owner, WORKSPACE, "/v1/egress/requests", &body.to_string())
    });
    let exchange =
        Exchange { requests: requests.collect(), status: 201, body_has: b"decision", tunnel: None, may_close: false };
    let measured = (Duration::from_millis(200), Duration::from_secs_f64(arguments.seconds));
    let outcome = drive(server.address(), &exchange, CONNECTIONS, measured, (&mut || Ok(()), &mut || Ok(())))?;
    ensure!(outcome.first_error.is_none(), "asking failed: {:?}", outcome.first_error);
    server.sigterm()?;

    let (rows, bytes) = copied(&store, arguments.millions * 1_000_000)?;
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("draft.toml"), rules(arguments.rules))?;
    let server = setup.start()?;
    println!("machine: {}", machine());
    println!("{rows} decisions in {:.0} MB of log (without their ids), {} rules", bytes as f64 / 1e6, arguments.rules);
    for round in 1..=3 {
        let start = Instant::now();
        let path = folder.path().to_str().context("the folder's name")?;
        let words = ["policy", "replay", path, "--since", "1d", "--json"];
        let mut command = Command::new(&binary);
        let ran = command.args(words).env("EXEAT_URL", server.url()).env("EXEAT_KEY", &owner).output()?;
        let took = start.elapsed();
        ensure!(ran.status.success(), "the replay failed: {}", String::from_utf8_lossy(&ran.stderr));
        let answer: Value = serde_json::from_slice(&ran.stdout)?;
        let read = answer.pointer("/report/rows").and_then(Value::as_u64).unwrap_or(0);
        ensure!(read == rows, "{read} of {rows} decisions were replayed");
        println!(
            "round {round}: {:.2} s, {:.2} million decisions/s",
            took.as_secs_f64(),
            rows as f64 / took.as_secs_f64() / 1e6
        );
    }
    server.sigterm()?;
    Ok(())
}

/// Copies the segments until there are `wanted` decisions; gives how many there are, and the bytes of their facts.
fn copied(store: &TempStore, wanted: u64) -> Result<(u64, u64)> {
    let connection = rusqlite::Connection::open(store.path())?;
    let count = |what: &str| -> Result<u64> {
        let number: i64 =
            connection.query_row(&format!("SELECT {what} FROM decision_segments"), [], |row| row.get(0))?;
        Ok(u64::try_from(number)?)
    };
    let begun = count("coalesce(sum(rows), 0)")?;
    ensure!(begun > 0, "the log is empty");
    let copies = wanted.div_ceil(begun);
    for copy in 1..copies {
        connection.execute(
            "INSERT INTO decision_segments SELECT workspace_id, segment_id || ?1, from_at, to_at, rows, dropped, sealed, \
             facts, ids FROM decision_segments WHERE instr(segment_id, '#') = 0",
            [format!("#{copy}")],
        )?;
    }
    Ok((count("sum(rows)")?, count("sum(length(facts))")?))
}

fn rules(number: usize) -> String {
    let mut text = String::new();
    for (n, effect) in (0..number).zip(["allow", "deny", "ask"].into_iter().cycle()) {
        let _ =
            writeln!(text, "[[{effect}]]\nid = \"r{n}\"\nhost = \"api{n}.example.com\"\npath = \"/v1/items/{n}\"\n");
    }
    text
}
