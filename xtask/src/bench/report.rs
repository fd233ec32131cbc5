//! Printing what was measured, for people and for programs.

use std::time::Duration;

use serde_json::{Value, json};

/// All measurements on one store.
#[derive(Debug)]
pub(super) struct StoreReport {
    pub(super) store: &'static str,
    /// One durable commit after the other, without any of the product.
    pub(super) raw_commits_per_second: f64,
    pub(super) start: Duration,
    pub(super) idle_rss_mib: f64,
    pub(super) rows: Vec<Row>,
}

/// One scenario with one number of connections.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) scenario: &'static str,
    /// Over how many rooms, each a stream of events; `None` when nothing is written.
    pub(super) streams: Option<usize>,
    pub(super) connections: usize,
    pub(super) per_second: f64,
    pub(super) p50: Duration,
    pub(super) p99: Duration,
    pub(super) server_cpu_per_request: Duration,
    /// Of the database's processes; `None` when the store is in the server's own.
    pub(super) store_cpu_per_request: Option<Duration>,
    pub(super) rss_mib: f64,
    pub(super) errors: usize,
    pub(super) first_error: Option<String>,
}

const TITLES: [(&str, usize); 11] = [
    ("store", 9),
    ("scenario", 9),
    ("streams", 8),
    ("conns", 6),
    ("req/s", 9),
    ("p50 ms", 8),
    ("p99 ms", 8),
    ("cpu µs", 8),
    ("db µs", 7),
    ("RSS MiB", 8),
    ("errors", 7),
];

pub(super) fn table_head() -> String {
    TITLES.iter().map(|(title, width)| format!("{title:>width$}")).collect()
}

pub(super) fn table_row(store: &str, row: &Row) -> String {
    let dash = || "-".to_owned();
    let cells = [
        store.to_owned(),
        row.scenario.to_owned(),
        row.streams.map_or_else(dash, |streams| streams.to_string()),
        row.connections.to_string(),
        format!("{:.0}", row.per_second),
        format!("{:.2}", milliseconds(row.p50)),
        format!("{:.2}", milliseconds(row.p99)),
        format!("{:.1}", microseconds(row.server_cpu_per_request)),
        row.store_cpu_per_request.map_or_else(dash, |cpu| format!("{:.1}", microseconds(cpu))),
        format!("{:.1}", row.rss_mib),
        row.errors.to_string(),
    ];
    let line: String = cells.iter().zip(TITLES).map(|(cell, (_, width))| format!("{cell:>width$}")).collect();
    match &row.first_error {
        Some(error) => format!("{line}\n    first error: {error}"),
        None => line,
    }
}

/// What is the same for all rows of a store.
pub(super) fn store_line(report: &StoreReport) -> String {
    let alone = report.rows.iter().find(|row| row.scenario == "allow" && row.connections == 1);
    let share = alone.map(|row| {
        let share = 100.0 * row.per_second / report.raw_commits_per_second.max(f64::EPSILON);
        format!("; one connection reaches {share:.0} % of that")
    });
    format!(
        "{}: ready after {:.0} ms, {:.1} MiB idle, {:.0} bare commits/s{}",
        report.store,
        milliseconds(report.start),
        report.idle_rss_mib,
        report.raw_commits_per_second,
        share.unwrap_or_default()
    )
}

pub(super) fn json(machine: &Value, seconds: f64, reports: &[StoreReport]) -> Value {
    let stores = reports.iter().map(|report| {
        let rows = report.rows.iter().map(|row| {
            json!({
                "scenario": row.scenario,
                "streams": row.streams,
                "connections": row.connections,
                "requests_per_second": row.per_second,
                "p50_ms": milliseconds(row.p50),
                "p99_ms": milliseconds(row.p99),
                "server_cpu_us_per_request": microseconds(row.server_cpu_per_request),
                "store_cpu_us_per_request": row.store_cpu_per_request.map(microseconds),
                "rss_mib": row.rss_mib,
                "errors": row.errors,
                "first_error": row.first_error,
            })
        });
        json!({
            "store": report.store,
            "raw_commits_per_second": report.raw_commits_per_second,
            "start_ms": milliseconds(report.start),
            "idle_rss_mib": report.idle_rss_mib,
            "rows": rows.collect::<Vec<_>>(),
        })
    });
    json!({ "machine": machine, "seconds": seconds, "stores": stores.collect::<Vec<_>>() })
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn microseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}
