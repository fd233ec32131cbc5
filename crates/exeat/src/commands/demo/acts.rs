//! The chapters of the tour. Each does what it tells, and fails when it does not end as it has to.

use std::time::Duration;

use model::Time;
use serde::Serialize;
use serde_json::{Value, json};

use super::narrator::Narrator;
use super::stage::Stage;
use crate::commands::events_verify::VerifyReport;
use crate::commands::runs::timeline::Timeline;
use crate::commands::runs::{Explained, RunEvents};
use crate::commands::wire::{list, object};
use crate::commands::{store_failure, why};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{field, opt};

/// How long anything may take that the tour waits for.
const PATIENCE: Duration = Duration::from_secs(30);
/// Where the runs ask to go. Nothing is sent there: the tool asks and records.
const TARGET: &str = "https://example.com/";

const ENDS: [&str; 3] = ["run.completed", "run.failed", "run.cancelled"];

/// How a run of the tour went.
#[derive(Debug, Serialize)]
pub(super) struct Act {
    name: &'static str,
    run_id: String,
    status: String,
    reason_code: Option<String>,
    events: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    approval_id: Option<String>,
    /// Milliseconds from the decision to the run going on.
    #[serde(skip_serializing_if = "Option::is_none")]
    resumed_after_ms: Option<i64>,
}

/// What an act has to end as.
struct Expected {
    status: &'static str,
    reason_code: &'static str,
    /// From `run.created` and `run.started` on, which every run begins with.
    events: &'static [&'static str],
}

/// The tour.
pub(super) struct Tour<'a> {
    stage: &'a Stage,
    narrator: Narrator,
}

/// A run being followed.
struct Followed {
    run_id: String,
    events: RunEvents,
    timeline: Timeline,
    seen: Vec<Value>,
}

impl<'a> Tour<'a> {
    pub(super) fn new(stage: &'a Stage, narrator: Narrator) -> Self {
        Self { stage, narrator }
    }

    pub(super) async fn opening(&self) -> Result<(), Failure> {
        self.narrator
            .say(&[
                "exeat decides what agents may do, writes the decision down, and only then",
                "lets it happen. This is a server, a worker and a store in one process; all",
                "of it is gone at the end.",
            ])
            .await
    }

    /// A run that asks to leave, and may.
    pub(super) async fn allowed(&self) -> Result<Act, Failure> {
        let told = format!("The agent `demo` queues a run that asks for {TARGET}. The worker");
        self.narrator
            .chapter("1  Allowed", &[&told, "asks the gate and records the answer; it sends nothing."])
            .await?;
        let mut run = self.queue("fetch the news", json!({ "egress": { "target_url": TARGET } })).await?;
        self.follow(&mut run, &ENDS).await?;
        let expected = Expected {
            status: "succeeded",
            reason_code: "default_allow",
            events: &[
                "step.created",
                "tool.invoked",
                "egress.requested",
                "egress.allowed",
                "tool.succeeded",
                "run.completed",
            ],
        };
        let (act, _) = self.ended("allowed", run, &expected).await?;
        self.narrator.say(&["Nothing speaks against it. Each line is an event in the log."]).await?;
        Ok(act)
    }

    /// The same run under a token that covers another tool.
    pub(super) async fn blocked(&self) -> Result<Act, Failure> {
        self.narrator
            .chapter(
                "2  Blocked by a capability token",
                &["The same run, but it shows a token that covers one tool only, `runtime.noop`."],
            )
            .await?;
        let stage = self.stage;
        let owner = stage.owner.get(&["v1", "whoami"], &[]).await?;
        let grant = json!({
            "issued_to_principal_id": stage.agent_principal,
            "granted_by_principal_id": field(&owner, "principal_id"),
            "scopes": { "tools": ["runtime.noop"] },
        });
        let token = field(&stage.owner.create(&["v1", "capabilities", "grant"], &grant).await?, "token_id");
        let policy = json!({ "principal_id": stage.agent_principal, "capability_token_id": token });
        let runtime = json!({ "egress": { "target_url": TARGET }, "policy": policy });
        let mut run = self.queue("fetch the news, narrowed", runtime).await?;
        self.follow(&mut run, &ENDS).await?;
        let expected = Expected {
            status: "failed",
            reason_code: "capability_scope_tool_not_allowed",
            events: &["step.created", "policy.denied", "tool.invoked", "tool.failed", "run.failed"],
        };
        let (act, ended) = self.ended("blocked", run, &expected).await?;
        self.tell_why(&ended).await?;
        Ok(act)
    }

    /// The stored decision in words: what `exeat why` prints.
    async fn tell_why(&self, run: &Value) -> Result<(), Failure> {
        let id = field(run, "run_id");
        let query = [("run_id", Some(id))];
        let calls = self.stage.owner.get(&["v1", "toolcalls"], &query).await?;
        let calls = list(&calls, "tool_calls");
        let call = calls.first().map(|call| field(call, "tool_call_id")).unwrap_or_default();
        let decision = self.stage.owner.get(&["v1", "decisions", &call], &[]).await?;
        let explained = Explained::of(run, calls).map(|explained| explained.why).unwrap_or_default();
        let lines = why::lines(object(&decision, "decision"), false);
        if explained.is_empty() || lines.is_empty() {
            return Err(unexpected("blocked", "the decision has no explanation".to_owned()));
        }
        self.narrator.say(&[&format!("The tool was not called. `exeat why {call}` says:")]).await?;
        self.narrator.gap().await?;
        // The step that decided, and what would change it.
        for line in lines.iter().filter(|line| line.contains("← decided") || line.starts_with("what would")) {
            self.narrator.draw(&format!("  {}", line.trim_start())).await?;
        }
        Ok(())
    }

    /// A run that waits for a person.
    pub(super) async fn waits(&self) -> Result<Act, Failure> {
        self.narrator
            .chapter("3  Waits for a person", &["A write to the outside needs an approval. This run waits for one."])
            .await?;
        let egress = json!({ "target_url": TARGET, "action": "external.write", "method": "POST" });
        let mut run = self.queue("post the summary", json!({ "egress": egress, "on_approval": "wait" })).await?;
        self.follow(&mut run, &["run.waiting", "run.completed", "run.failed", "run.cancelled"]).await?;
        let waiting = run.seen.last().filter(|event| field(event, "event_type") == "run.waiting");
        let approval = waiting
            .and_then(|event| opt(event.get("data")?, "approval_id"))
            .ok_or_else(|| unexpected("waits", "it ended without waiting for an approval".to_owned()))?;
        let path = ["v1", "approvals", &approval, "decide"];
        let yes = json!({ "decision": "approve", "reason": "read it" });
        match self.stage.agent.post(&path, &yes).await {
            Err(refused) if refused.exit == Exit::NotAuthorised => {}
            Err(other) => return Err(other),
            Ok(_) => return Err(unexpected("waits", "the agent could approve its own request".to_owned())),
        }
        self.narrator.say(&["The agent may not approve what it asked for. Anna may, with a key of her own:"]).await?;
        self.narrator.gap().await?;
        self.stage.approver.post(&path, &yes).await?;
        self.follow(&mut run, &ENDS).await?;
        let resumed = resumed_after_ms(&run.seen);
        let expected = Expected {
            status: "succeeded",
            reason_code: "approval_allows_action",
            events: &[
                "step.created",
                "tool.invoked",
                "egress.requested",
                "policy.requires_approval",
                "approval.requested",
                "egress.blocked",
                "tool.failed",
                "run.waiting",
                "approval.decided",
                "run.resumed",
                "tool.invoked",
                "egress.requested",
                "egress.allowed",
                "tool.succeeded",
                "run.completed",
            ],
        };
        let (mut act, _) = self.ended("waits", run, &expected).await?;
        act.approval_id = Some(approval);
        act.resumed_after_ms = resumed;
        if let Some(millis) = resumed {
            self.narrator.say(&[&format!("It went on {millis} ms after the decision.")]).await?;
        }
        Ok(act)
    }

    /// Checks every chain of the event log.
    pub(super) async fn record(&self) -> Result<VerifyReport, Failure> {
        self.narrator.chapter("4  The record", &[]).await?;
        let report = self.stage.store.verify_all(&[]).await.map_err(|error| store_failure(&error))?;
        let report = VerifyReport::from(report);
        if !report.valid {
            return Err(Failure::new(Exit::Integrity, "demo_failed", "the event log of the tour does not verify")
                .why(json!(report).to_string()));
        }
        let found = format!("{} events in {} streams, and every hash chain verifies.", report.checked, report.streams);
        let tampering =
            ("Change, remove or reorder one with the database's own tools, and", "`exeat events verify` names it.");
        self.narrator.say(&[&found, tampering.0, tampering.1]).await?;
        Ok(report)
    }

    pub(super) async fn ending(&self) -> Result<(), Failure> {
        let me = std::env::args().next().unwrap_or_else(|| "exeat".to_owned());
        self.narrator.chapter("Try next", &[]).await?;
        let commands = [
            (format!("{me} dev"), "the same, running, for you"),
            (format!("{me} runs create --egress {TARGET} --watch"), "in a second terminal"),
            ("docs/guide/runs.md".to_owned(), "what runs can do"),
        ];
        self.narrator.commands(&commands).await
    }

    /// Queues a run as the agent.
    async fn queue(&self, title: &str, runtime: Value) -> Result<Followed, Failure> {
        let body = json!({ "title": title, "input": { "runtime": runtime } });
        let answer = self.stage.agent.create(&["v1", "runs"], &body).await?;
        let run_id = field(&answer, "run_id");
        let events = RunEvents::open(&self.stage.owner, &run_id).await?;
        self.narrator.gap().await?;
        Ok(Followed { run_id, events, timeline: Timeline::default(), seen: Vec::new() })
    }

    /// Draws a run's events up to the first of these types.
    async fn follow(&self, run: &mut Followed, until: &[&str]) -> Result<(), Failure> {
        loop {
            let next = tokio::time::timeout(PATIENCE, run.events.next(self.narrator.output())).await;
            let event = next
                .map_err(|_| unexpected(&run.run_id, format!("nothing more happened in {} s", PATIENCE.as_secs())))??;
            self.narrator.draw(&run.timeline.line(&event)).await?;
            let done = until.contains(&field(&event, "event_type").as_str());
            run.seen.push(event);
            if done {
                return self.narrator.gap().await;
            }
        }
    }

    /// The run as it ended, when it ended as it had to.
    async fn ended(&self, name: &'static str, run: Followed, expected: &Expected) -> Result<(Act, Value), Failure> {
        let answer = self.stage.owner.get(&["v1", "runs", &run.run_id], &[]).await?;
        let ended = object(&answer, "run").clone();
        let act = Act {
            name,
            run_id: run.run_id,
            status: field(&ended, "status"),
            reason_code: reason_code(&ended, &run.seen),
            events: run.seen.iter().map(|event| field(event, "event_type")).collect(),
            approval_id: None,
            resumed_after_ms: None,
        };
        match expected.missed_by(&act) {
            None => Ok((act, ended)),
            Some(why) => Err(unexpected(name, why)),
        }
    }
}

impl Expected {
    /// How an act differs from this, if it does.
    fn missed_by(&self, act: &Act) -> Option<String> {
        let events = ["run.created", "run.started"].iter().chain(self.events).map(|name| (*name).to_owned());
        let wanted = (self.status, Some(self.reason_code), events.collect::<Vec<_>>().join(" "));
        let got = (act.status.as_str(), act.reason_code.as_deref(), act.events.join(" "));
        (wanted != got).then(|| format!("expected {wanted:?}, got {got:?}"))
    }
}

fn unexpected(which: &str, why: String) -> Failure {
    Failure::new(Exit::Failure, "demo_failed", format!("the run `{which}` did not go as it has to")).why(why)
}

/// What decided the run: what it failed with, else the last answer to its requests.
fn reason_code(run: &Value, events: &[Value]) -> Option<String> {
    let of_error = run.get("error").and_then(|error| opt(error, "reason_code"));
    let answered = events.iter().rev().find(|event| field(event, "event_type") == "egress.allowed");
    of_error.or_else(|| opt(answered?.get("data")?, "reason_code"))
}

fn resumed_after_ms(events: &[Value]) -> Option<i64> {
    let at = |name: &str| {
        let event = events.iter().find(|event| field(event, "event_type") == name)?;
        Time::parse(event.get("occurred_at")?.as_str()?).ok()
    };
    Some(at("run.resumed")?.as_millis().saturating_sub(at("approval.decided")?.as_millis()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn act(status: &str, reason_code: Option<&str>, events: &[&str]) -> Act {
        let events = events.iter().map(|name| (*name).to_owned()).collect();
        let (status, reason_code) = (status.to_owned(), reason_code.map(str::to_owned));
        Act {
            name: "x",
            run_id: "run_1".into(),
            status,
            reason_code,
            events,
            approval_id: None,
            resumed_after_ms: None,
        }
    }

    #[test]
    fn an_act_passes_only_as_it_has_to_be() {
        let expected = Expected { status: "failed", reason_code: "r", events: &["run.failed"] };
        let events = ["run.created", "run.started", "run.failed"];
        assert_eq!(expected.missed_by(&act("failed", Some("r"), &events)), None);
        for wrong in [
            act("succeeded", Some("r"), &events),
            act("failed", Some("s"), &events),
            act("failed", None, &events),
            act("failed", Some("r"), &events[1..]),
            act("failed", Some("r"), &["run.created", "run.started", "tool.invoked", "run.failed"]),
        ] {
            assert!(expected.missed_by(&wrong).is_some(), "{wrong:?}");
        }
    }

    #[test]
    fn what_decided_it_is_found() {
        let allowed = |code: &str| json!({ "event_type": "egress.allowed", "data": { "reason_code": code } });
        let events = [allowed("first"), json!({ "event_type": "run.completed" }), allowed("last")];
        assert_eq!(reason_code(&json!({}), &events).as_deref(), Some("last"));
        assert_eq!(reason_code(&json!({ "error": { "reason_code": "no" } }), &events).as_deref(), Some("no"));
        assert_eq!(reason_code(&json!({}), &[]), None);
    }
}
