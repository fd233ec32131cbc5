//! `exeat runs watch`: a run's timeline, drawn as it happens.
//!
//! What is there is listed first, then the stream goes on after the last event listed, so nothing is
//! shown twice or left out.

use std::collections::VecDeque;
use std::time::Duration;

use clap::Args;
use serde_json::Value;

use super::super::App;
use super::super::page;
use super::super::tail::Follow;
use super::super::wire::object;
use super::failed::Explained;
use super::timeline::Timeline;
use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{BAD, GOOD, Output, WAIT, field, opt};

/// How long a queued run may stay silent before it is said that no worker has taken it.
const PATIENCE: Duration = Duration::from_secs(3);

/// Which run, and how.
#[derive(Debug, Args)]
#[command(
    before_help = "Examples:\n  exeat runs watch ID\n  exeat runs watch ID --no-wait\n  exeat runs watch ID --json"
)]
pub struct WatchArgs {
    /// Its id
    id: String,
    /// End with exit code 4 when the run waits for an approval, instead of waiting with it
    #[arg(long)]
    no_wait: bool,
}

/// A run's events, from the first to the last.
pub(in crate::commands) struct RunEvents {
    client: Client,
    run_id: String,
    listed: VecDeque<Value>,
    /// The position of the last event listed.
    last: Option<String>,
    /// Opened once the list is through: a run that has ended needs none.
    follow: Option<Follow<'static>>,
}

impl RunEvents {
    /// Lists what is there, to be followed from then on.
    pub(in crate::commands) async fn open(client: &Client, run_id: &str) -> Result<Self, Failure> {
        let listed = page::all(client, &["v1", "events"], Some(run_id), "events").await?;
        let last = listed.last().and_then(|event| opt(event, "position"));
        Ok(Self { client: client.clone(), run_id: run_id.to_owned(), listed: listed.into(), last, follow: None })
    }

    /// The next event. A dropped call loses none.
    pub(in crate::commands) async fn next(&mut self, output: Output) -> Result<Value, Failure> {
        if let Some(event) = self.listed.pop_front() {
            return Ok(event);
        }
        let follow = match &mut self.follow {
            Some(follow) => follow,
            none => {
                let query = vec![("run_id", Some(self.run_id.clone()))];
                none.insert(Follow::open(self.client.clone(), query, self.last.clone()).await?)
            }
        };
        follow.next(output).await
    }

    /// Whether everything that was there at the beginning has been given.
    fn is_live(&self) -> bool {
        self.listed.is_empty()
    }
}

/// Follows a run to its end.
///
/// # Errors
/// Whatever the server refuses with.
pub(super) async fn run(args: &WatchArgs, app: &App) -> Result<Exit, Failure> {
    let client = app.client()?;
    // Says that there is no such run; the list of its events would merely be empty.
    client.get(&["v1", "runs", &args.id], &[]).await?;
    to_its_end(&client, &args.id, args.no_wait, app.output).await
}

/// How a run stands, as its events say.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Standing {
    Queued,
    Running,
    Waiting(String),
    Ended(Exit),
}

impl Standing {
    fn after(self, event: &Value) -> Self {
        match event.get("event_type").and_then(Value::as_str).unwrap_or_default() {
            "run.started" | "run.resumed" => Self::Running,
            "run.waiting" => Self::Waiting(field(event.get("data").unwrap_or(&Value::Null), "approval_id")),
            "run.lease_expired" => Self::Queued,
            "run.completed" => Self::Ended(Exit::Ok),
            "run.failed" | "run.cancelled" => Self::Ended(Exit::Failure),
            _ => self,
        }
    }
}

/// Draws a run until it has ended, or with `no_wait` until it waits for an approval.
pub(super) async fn to_its_end(client: &Client, id: &str, no_wait: bool, output: Output) -> Result<Exit, Failure> {
    let mut events = RunEvents::open(client, id).await?;
    let mut timeline = Timeline::default();
    // What the events say so far, and what was said and done about it.
    let (mut standing, mut acted_on) = (Standing::Queued, Standing::Queued);
    let mut told = false;
    loop {
        let event = match standing {
            Standing::Queued if !told && events.is_live() => {
                match tokio::time::timeout(PATIENCE, events.next(output)).await {
                    Ok(event) => event?,
                    Err(_) => {
                        told = true;
                        say(output, "it is still queued: no worker has taken it; `exeat worker` drives queued runs");
                        continue;
                    }
                }
            }
            _ => events.next(output).await?,
        };
        if output.is_json() {
            output.json_line(&event)?;
        } else {
            output.line(&timeline.line(&event))?;
        }
        standing = standing.after(&event);
        if !events.is_live() || standing == acted_on {
            continue;
        }
        acted_on = standing.clone();
        match &standing {
            Standing::Ended(exit) => {
                summary(client, id, output).await?;
                return Ok(*exit);
            }
            Standing::Waiting(approval) => {
                let waits = format!("{WAIT}waiting{WAIT:#}  somebody else decides: exeat approvals approve {approval}");
                say(output, &waits);
                if no_wait {
                    return Ok(Exit::ApprovalPending);
                }
            }
            Standing::Queued | Standing::Running => {}
        }
    }
}

fn say(output: Output, text: &str) {
    if !output.is_json() {
        output.say(text);
    }
}

/// How it ended, and why, for people.
async fn summary(client: &Client, id: &str, output: Output) -> Result<(), Failure> {
    if output.is_json() {
        return Ok(());
    }
    let answer = client.get(&["v1", "runs", id], &[]).await?;
    let run = object(&answer, "run");
    let status = field(run, "status");
    let style = if status == "succeeded" { GOOD } else { BAD };
    output.say(&format!("{style}{status}{style:#}  {id}"));
    let calls = match status.as_str() {
        "failed" => page::all(client, &["v1", "toolcalls"], Some(id), "tool_calls").await?,
        _ => Vec::new(),
    };
    for line in Explained::of(run, &calls).iter().flat_map(Explained::lines) {
        output.say(&line);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn where_a_run_stands_follows_from_its_events() {
        let waiting = Standing::Waiting("appr_1".to_owned());
        let cases = [
            ("run.created", Standing::Queued),
            ("run.started", Standing::Running),
            ("egress.blocked", Standing::Running),
            ("run.waiting", waiting.clone()),
            ("approval.decided", waiting),
            ("run.resumed", Standing::Running),
            ("run.lease_expired", Standing::Queued),
            ("run.started", Standing::Running),
            ("run.completed", Standing::Ended(Exit::Ok)),
        ];
        let mut standing = Standing::Queued;
        for (name, expected) in cases {
            standing = standing.after(&json!({ "event_type": name, "data": { "approval_id": "appr_1" } }));
            assert_eq!(standing, expected, "{name}");
        }
        for name in ["run.failed", "run.cancelled"] {
            assert_eq!(Standing::Running.after(&json!({ "event_type": name })), Standing::Ended(Exit::Failure));
        }
    }
}
