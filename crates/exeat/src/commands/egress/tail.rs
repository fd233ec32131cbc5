//! `exeat egress tail`: requests to leave as they are decided, and how they end.

use std::io::IsTerminal as _;

use serde_json::Value;

use super::filter::Filter;
use super::said::{End, Memory, Request, Said};
use crate::client::Client;
use crate::commands::App;
use crate::commands::moment;
use crate::commands::page;
use crate::commands::tail::Follow;
use crate::commands::wire::{object, set};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{BAD, DIM, GOOD, WAIT, clean, field, size};

/// What is followed.
const TYPES: &str = "egress.allowed,egress.blocked,egress.completed";

/// Which of them.
#[derive(Debug, clap::Args)]
#[command(
    before_help = "Examples:\n  exeat egress tail\n  exeat egress tail decision:deny host:*.github.com agent:coder since:1h\n  exeat egress tail outcome:cut,failed --json"
)]
pub struct Args {
    /// Only those: decision:, host:, agent:, user:, service:, method:, outcome:, reason:, run:, room:, since:
    #[arg(value_name = "FILTER")]
    filters: Vec<String>,
    /// Begin there: `10m` (ago) or a time; without it, now
    #[arg(long, value_name = "WHEN", value_parser = moment::past)]
    since: Option<String>,
    /// End after this many
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
}

pub(super) async fn run(args: Args, app: &App) -> Result<Exit, Failure> {
    let filter = Filter::parse(args.filters.iter().map(String::as_str)).map_err(Failure::usage)?;
    let since = args.since.or_else(|| filter.since.clone()).unwrap_or_else(|| crate::output::now().to_string());
    let client = app.client()?;
    let mut names = Names { client: app.client()?, memory: Memory::default(), may_ask: true };
    let query = vec![("after", Some(since)), ("event_type", Some(TYPES.to_owned()))];
    let mut follow = Follow::open(client, query, None).await?;
    let mut left = args.limit.unwrap_or(u64::MAX);
    while left > 0 {
        let event = follow.next(app.output).await?;
        let Some(said) = names.read(&event).await else { continue };
        if !filter.takes(&said) {
            continue;
        }
        show(app, event, &said)?;
        left -= 1;
    }
    Ok(Exit::Ok)
}

/// Reads events, and asks the server for what they leave out.
struct Names {
    client: Client,
    memory: Memory,
    /// Whether the server tells the names of agents to this key.
    may_ask: bool,
}

impl Names {
    async fn read(&mut self, event: &Value) -> Option<Said> {
        let mut said = self.memory.read(event)?;
        if let Said::Ended(request, _) = &mut said
            && request.decision.is_empty()
            && let Ok(answer) = self.client.get(&["v1", "egress", "requests", &request.id], &[]).await
        {
            *request = self.memory.learn(object(&answer, "request"));
        }
        if self.may_ask && self.memory.wonders(&said) {
            match page::all(&self.client, &["v1", "agents"], None, "agents").await {
                Ok(agents) => self.memory.learn_agents(&agents),
                Err(_) => self.may_ask = false,
            }
            let (Said::Decided(request) | Said::Ended(request, _)) = &mut said;
            self.memory.name(request);
            // An agent that the list does not have is not asked for again and again.
            self.may_ask &= !self.memory.wonders(&said);
        }
        Some(said)
    }
}

fn show(app: &App, mut event: Value, said: &Said) -> Result<(), Failure> {
    let (Said::Decided(request) | Said::Ended(request, _)) = said;
    if app.output.is_json() {
        set(&mut event, "request", request.to_json());
        return app.output.json_line(&event);
    }
    let at = field(&event, "occurred_at");
    // On a terminal the day goes without saying.
    let at = if std::io::stdout().is_terminal() { at.get(11..19).unwrap_or(&at).to_owned() } else { at };
    let line = match said {
        Said::Decided(request) => decided(request),
        Said::Ended(request, end) => ended(request, end),
    };
    app.output.line(&format!("{DIM}{at}{DIM:#}  {line}"))
}

fn decided(request: &Request) -> String {
    let (style, word) = match (request.decision.as_str(), request.blocked) {
        ("allow", _) => (GOOD, "allow".to_owned()),
        ("require_approval", true) => (WAIT, "ask".to_owned()),
        ("require_approval", false) => (WAIT, "ask (shadow)".to_owned()),
        (other, true) => (BAD, other.to_owned()),
        (other, false) => (BAD, format!("{other} (shadow)")),
    };
    format!(
        "{style}{word:<13}{style:#} {:<8} {:<32} {:<14} {}  {DIM}{}{DIM:#}",
        request.method,
        request.place(),
        request.asker(),
        request.reason,
        request.id
    )
}

fn ended(request: &Request, end: &End) -> String {
    let style = if end.outcome == "completed" { DIM } else { BAD };
    let mut said = format!("{} up, {} down, {}", size(end.bytes_up), size(end.bytes_down), span(end.duration_ms));
    for more in [&end.status, &end.error].into_iter().flatten() {
        said.push_str(&format!(", {}", clean(more)));
    }
    format!(
        "{style}{:<13}{style:#} {:<8} {:<32} {:<14} {said}  {DIM}{}{DIM:#}",
        end.outcome,
        request.method,
        request.place(),
        request.asker(),
        request.id
    )
}

/// A span of time as people say it.
fn span(milliseconds: u64) -> String {
    match milliseconds {
        0..1_000 => format!("{milliseconds} ms"),
        1_000..120_000 => format!("{}.{} s", milliseconds / 1_000, milliseconds % 1_000 / 100),
        _ => format!("{} min", milliseconds / 60_000),
    }
}

#[cfg(test)]
mod tests {
    use super::super::said::tests::{decided as asked, ended as finished};
    use super::*;

    fn lines() -> String {
        let mut memory = Memory::default();
        memory.learn_agents(&[serde_json::json!({ "agent_id": "a_1", "display_name": "coder" })]);
        let events = [
            asked("egr_1", "api.github.com", "allow", "a_1"),
            asked("egr_2", "example.org", "deny", "a_2"),
            finished("egr_1", "cut", 12_345, 4_500_000),
            finished("egr_7", "completed", 0, 0),
        ];
        let told = events.iter().filter_map(|event| memory.read(event)).map(|said| match said {
            Said::Decided(request) => decided(&request),
            Said::Ended(request, end) => ended(&request, &end),
        });
        anstream::adapter::strip_str(&told.collect::<Vec<_>>().join("\n")).to_string()
    }

    #[test]
    fn a_line_says_what_was_decided_and_how_it_ended() {
        insta::assert_snapshot!(lines(), @"
        allow         CONNECT  api.github.com:443               coder          policy_allows  egr_1
        deny          CONNECT  example.org:443                  a_2            policy_denies  egr_2
        cut           CONNECT  api.github.com:443               coder          12.3 kB up, 4.5 MB down, 1.2 s, policy_changed  egr_1
        completed              -                                -              0 B up, 0 B down, 1.2 s  egr_7
        ");
    }

    #[test]
    fn spans_are_short() {
        for (ms, want) in [(7, "7 ms"), (1_250, "1.2 s"), (119_999, "119.9 s"), (600_000, "10 min")] {
            assert_eq!(span(ms), want);
        }
    }
}
