//! What one durable commit costs on this machine, without any of the product: the yardstick for one connection.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rusqlite::Connection;
use testkit::postgres::Cluster;

const FOR: Duration = Duration::from_secs(2);
const ROW_BYTES: usize = 200;

/// Commits of one small row per second in SQLite, with the settings the store uses (WAL, `synchronous=FULL`).
pub(super) fn sqlite(dir: &Path) -> Result<f64> {
    let connection = Connection::open(dir.join("commits.db"))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.execute_batch("CREATE TABLE row (id INTEGER PRIMARY KEY, text TEXT NOT NULL)")?;
    let mut insert = connection.prepare("INSERT INTO row (text) VALUES (?1)")?;
    let text = "x".repeat(ROW_BYTES);
    let (started, mut count) = (Instant::now(), 0_u32);
    while started.elapsed() < FOR {
        insert.execute([&text])?;
        count += 1;
    }
    Ok(f64::from(count) / started.elapsed().as_secs_f64())
}

/// The same in PostgreSQL, by its own bench program with one client.
pub(super) fn postgres(cluster: &Cluster) -> Result<f64> {
    cluster.sql("postgres", "CREATE TABLE commits (id bigserial PRIMARY KEY, text text NOT NULL)")?;
    let script = tempfile::NamedTempFile::new()?;
    std::fs::write(&script, format!("INSERT INTO commits (text) VALUES ('{}');\n", "x".repeat(ROW_BYTES)))?;
    let output = Command::new(cluster.binaries().program("pgbench"))
        .args(["--no-vacuum", "--client=1", "--protocol=prepared", &format!("--time={}", FOR.as_secs()), "--file"])
        .arg(script.path())
        .arg(cluster.url("postgres"))
        .stdin(Stdio::null())
        .output()
        .context("running pgbench")?;
    let (said, talked) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "pgbench failed: {talked}");
    let rate = said.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
    rate.with_context(|| format!("pgbench printed no rate: {said}"))
}
