//! `exeat egress stats`: who went where, how much, and what was refused, counted from the event log.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::filter::Filter;
use super::said::{End, Memory, Request, Said};
use crate::commands::App;
use crate::commands::page;
use crate::commands::wire::list;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{BOLD, DIM, Output, Table, clean, opt, size};

/// LIMIT: pages of events that are read; beyond it the answer says that it is not complete.
const PAGES_MAX: usize = 400;
/// How many rows of each table people are shown.
const ROWS: usize = 15;
const TYPES: &str = "egress.allowed,egress.blocked,egress.completed";
/// Where a request was asked for before the time that is looked at.
const EARLIER: &str = "(asked earlier)";

/// Of which requests.
#[derive(Debug, clap::Args)]
#[command(
    before_help = "Examples:\n  exeat egress stats\n  exeat egress stats --since 24h agent:coder\n  exeat egress stats --json"
)]
pub struct Args {
    /// Only those: decision:, host:, agent:, user:, service:, method:, outcome:, reason:, run:, room:
    #[arg(value_name = "FILTER")]
    filters: Vec<String>,
    /// Since then: `1h` (ago) or a time
    #[arg(long, value_name = "WHEN", default_value = "1h", value_parser = crate::commands::moment::past)]
    since: String,
}

/// What is counted of some requests.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
struct Tally {
    requests: u64,
    allowed: u64,
    denied: u64,
    asked: u64,
    blocked: u64,
    completed: u64,
    failed: u64,
    cut: u64,
    unknown: u64,
    bytes_up: u64,
    bytes_down: u64,
}

impl Tally {
    fn decide(&mut self, request: &Request) {
        self.requests += 1;
        self.blocked += u64::from(request.blocked);
        match request.decision.as_str() {
            "allow" => self.allowed += 1,
            "require_approval" => self.asked += 1,
            _ => self.denied += 1,
        }
    }

    fn end(&mut self, end: &End) {
        self.bytes_up = self.bytes_up.saturating_add(end.bytes_up);
        self.bytes_down = self.bytes_down.saturating_add(end.bytes_down);
        match end.outcome.as_str() {
            "completed" => self.completed += 1,
            "failed" => self.failed += 1,
            "cut" => self.cut += 1,
            _ => self.unknown += 1,
        }
    }
}

#[derive(Debug, Default)]
struct Stats {
    total: Tally,
    hosts: BTreeMap<String, Tally>,
    askers: BTreeMap<String, Tally>,
    refused: BTreeMap<String, u64>,
}

impl Stats {
    fn add(&mut self, said: &Said) {
        let (host, asker) = match said {
            Said::Decided(request) | Said::Ended(request, _) if !request.decision.is_empty() => {
                (request.host.clone(), request.asker().to_owned())
            }
            _ => (EARLIER.to_owned(), EARLIER.to_owned()),
        };
        let tallies = [&mut self.total, self.hosts.entry(host).or_default(), self.askers.entry(asker).or_default()];
        for tally in tallies {
            match said {
                Said::Decided(request) => tally.decide(request),
                Said::Ended(_, end) => tally.end(end),
            }
        }
        if let Said::Decided(request) = said
            && request.decision != "allow"
        {
            *self.refused.entry(request.reason.clone()).or_default() += 1;
        }
    }

    fn to_json(&self, since: &str, complete: bool) -> Value {
        let rows = |name: &str, map: &BTreeMap<String, Tally>| -> Vec<Value> {
            most(map)
                .into_iter()
                .map(|(key, tally)| {
                    let mut row = json!(tally);
                    crate::commands::wire::set(&mut row, name, key.clone());
                    row
                })
                .collect()
        };
        let mut refused: Vec<_> = self.refused.iter().collect();
        refused.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
        let refused: Vec<Value> =
            refused.into_iter().map(|(code, count)| json!({ "reason_code": code, "count": count })).collect();
        json!({
            "since": since,
            "complete": complete,
            "total": self.total,
            "hosts": rows("host", &self.hosts),
            "agents": rows("who", &self.askers),
            "refused": refused,
        })
    }
}

/// Those with the most requests first, then those with the most bytes.
fn most(map: &BTreeMap<String, Tally>) -> Vec<(&String, &Tally)> {
    let mut rows: Vec<_> = map.iter().collect();
    let weight = |tally: &Tally| (tally.requests, tally.bytes_up.saturating_add(tally.bytes_down));
    rows.sort_by(|a, b| weight(b.1).cmp(&weight(a.1)).then(a.0.cmp(b.0)));
    rows
}

pub(super) async fn run(args: Args, app: &App) -> Result<Exit, Failure> {
    let filter = Filter::parse(args.filters.iter().map(String::as_str)).map_err(Failure::usage)?;
    let since = filter.since.clone().unwrap_or(args.since);
    let client = app.client()?;
    let mut memory = Memory::default();
    // Who may not see agents sees their ids.
    if let Ok(agents) = page::all(&client, &["v1", "agents"], None, "agents").await {
        memory.learn_agents(&agents);
    }
    let (mut stats, mut cursor, mut complete) = (Stats::default(), None, false);
    for _ in 0..PAGES_MAX {
        let query = [
            ("event_type", Some(TYPES.to_owned())),
            ("after", Some(since.clone())),
            ("limit", Some("500".to_owned())),
            ("cursor", cursor.take()),
        ];
        let answer = client.get(&["v1", "events"], &query).await?;
        let said = list(&answer, "events").iter().filter_map(|event| memory.read(event)).collect::<Vec<_>>();
        said.iter().filter(|said| filter.takes(said)).for_each(|said| stats.add(said));
        cursor = opt(&answer, "next_cursor");
        if cursor.is_none() {
            complete = true;
            break;
        }
    }
    app.output.answer(&stats.to_json(&since, complete), |output, _| show(output, &stats, &since))?;
    if !complete {
        app.output.warn("there are more events than are read at once: these are the first; ask for a shorter time");
    }
    Ok(Exit::Ok)
}

fn show(output: &Output, stats: &Stats, since: &str) -> Result<(), Failure> {
    let total = &stats.total;
    output.line(&format!(
        "{BOLD}{} requests{BOLD:#} since {since}: {} allowed, {} denied, {} asked for, {} blocked · {} up, {} down",
        total.requests,
        total.allowed,
        total.denied,
        total.asked,
        total.blocked,
        size(total.bytes_up),
        size(total.bytes_down)
    ))?;
    for (head, map) in [("host", &stats.hosts), ("who", &stats.askers)] {
        let rows = most(map);
        if rows.is_empty() {
            continue;
        }
        let mut table = Table::new(&[head, "allow", "deny", "ask", "blocked", "failed", "cut", "up", "down"]);
        for (key, tally) in rows.iter().take(ROWS) {
            table.row([
                clean(key),
                tally.allowed.to_string(),
                tally.denied.to_string(),
                tally.asked.to_string(),
                tally.blocked.to_string(),
                tally.failed.to_string(),
                tally.cut.to_string(),
                size(tally.bytes_up),
                size(tally.bytes_down),
            ]);
        }
        output.line("")?;
        output.table(table, "")?;
        if rows.len() > ROWS {
            output.line(&format!("{DIM}and {} more (--json has all){DIM:#}", rows.len() - ROWS))?;
        }
    }
    if !stats.refused.is_empty() {
        let mut refused: Vec<_> = stats.refused.iter().collect();
        refused.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
        let mut table = Table::new(&["refused because", "times"]);
        refused.iter().take(ROWS).for_each(|(code, count)| table.row([clean(code), count.to_string()]));
        output.line("")?;
        output.table(table, "")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::said::tests::{decided, ended};
    use super::*;

    #[test]
    fn everything_is_counted_once_in_each_table() {
        let mut memory = Memory::default();
        let mut stats = Stats::default();
        for event in [
            decided("egr_1", "a.example", "allow", "a_1"),
            decided("egr_2", "a.example", "deny", "a_1"),
            decided("egr_3", "b.example", "require_approval", "a_2"),
            ended("egr_1", "completed", 10, 20),
            ended("egr_0", "cut", 1, 2),
        ] {
            stats.add(&memory.read(&event).unwrap());
        }
        let told = stats.to_json("then", true);
        assert_eq!((&told["total"]["requests"], &told["total"]["bytes_down"]), (&json!(3), &json!(22)));
        let first = &told["hosts"][0];
        assert_eq!((&first["host"], &first["allowed"], &first["denied"]), (&json!("a.example"), &json!(1), &json!(1)));
        assert_eq!((&first["completed"], &first["bytes_up"]), (&json!(1), &json!(10)));
        assert_eq!(told["hosts"].as_array().unwrap().len(), 3);
        assert_eq!(told["hosts"][2]["host"], EARLIER);
        assert_eq!(told["refused"], json!([{ "reason_code": "policy_denies", "count": 2 }]));
        for name in ["hosts", "agents"] {
            let sum: u64 = told[name].as_array().unwrap().iter().map(|row| row["requests"].as_u64().unwrap()).sum();
            assert_eq!(sum, 3, "{name}");
        }
    }
}
