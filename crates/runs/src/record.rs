//! What every command about a run records in the same way: on whose behalf, after which event, and
//! how a run ends.

use gate::change::{By, Facts};
use model::event::{EventContext, EventType};
use model::run::{ReleaseReason, RunStatus};
use model::{Actor, Canonical, EventId, PrincipalId, RunId, StepId, Zone};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::Tx;
use store::rows::{LeaseRow, QueueRow, RunRow, ToolCallRow, WaitRow};

use crate::attempt;
use crate::error::cut_off;

/// A run as it is answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunOutput {
    /// The run.
    pub run: Value,
}

impl RunOutput {
    /// The run as it stands in this batch.
    pub(crate) fn of(tx: &Tx<'_>, run: &RunId) -> Self {
        let row = tx.get::<RunRow>(&[run.as_str()]);
        Self { run: row.and_then(|row| serde_json::to_value(row).ok()).unwrap_or(Value::Null) }
    }
}

/// Who writes into a run.
#[derive(Clone)]
pub(crate) struct Author {
    pub(crate) actor: Actor,
    /// Without one, the actor's, made when there is none.
    pub(crate) principal_id: Option<PrincipalId>,
    pub(crate) zone: Zone,
}

impl Author {
    pub(crate) fn of(by: &By) -> Self {
        Self { actor: by.actor.clone(), principal_id: Some(by.principal_id.clone()), zone: Zone::Supervised }
    }

    /// The context of an event of the run.
    pub(crate) fn context(&self, run: &RunRow, step: Option<&StepId>, contains_secrets: bool) -> EventContext {
        EventContext {
            workspace_id: run.workspace_id.clone(),
            room_id: run.room_id.clone(),
            thread_id: run.thread_id.clone(),
            run_id: Some(run.run_id.clone()),
            step_id: step.cloned(),
            actor: self.actor.clone(),
            principal_id: self.principal_id.clone(),
            zone: self.zone,
            correlation_id: run.correlation_id.clone(),
            policy_context: Canonical::empty(),
            model_context: Canonical::empty(),
            contains_secrets,
        }
    }

    /// Appends an event of the run, after the run's last event.
    pub(crate) fn append(
        &self,
        tx: &mut Tx<'_>,
        run: &RunId,
        event_type: EventType,
        facts: Facts,
        contains_secrets: bool,
    ) -> Option<EventId> {
        let row = tx.get::<RunRow>(&[run.as_str()])?.clone();
        let context = self.context(&row, None, contains_secrets);
        Some(tx.append(&context, facts.draft(event_type).caused_by(Some(row.last_event_id))))
    }

    /// Fails every tool call of the run that still runs.
    pub(crate) fn cut_off(&self, tx: &mut Tx<'_>, run: &RunId, code: &'static str) {
        for call in tx.open_parts(run).tool_calls {
            let Some(call) = tx.get::<ToolCallRow>(&[call.as_str()]).cloned() else { continue };
            let Some(row) = tx.get::<RunRow>(&[run.as_str()]).cloned() else { continue };
            let draft = Facts::new()
                .with("tool_call_id", &call.tool_call_id)
                .with("error", cut_off(code))
                .draft(EventType::ToolFailed)
                .caused_by(Some(call.last_event_id));
            tx.append(&self.context(&row, Some(&call.step_id), false), draft);
        }
    }

    /// Ends a run: its last event, and nobody has it or waits with it any more.
    pub(crate) fn end(&self, tx: &mut Tx<'_>, run: &RunId, end: End) {
        self.cut_off(tx, run, end.code);
        let event_type = match end.status {
            RunStatus::Succeeded => EventType::RunCompleted,
            RunStatus::Cancelled => EventType::RunCancelled,
            RunStatus::Failed | RunStatus::Queued | RunStatus::Running | RunStatus::WaitingApproval => {
                EventType::RunFailed
            }
        };
        self.append(tx, run, event_type, end.facts.with("run_id", run), end.contains_secrets);
        if let Some(lease) = tx.get::<LeaseRow>(&[run.as_str()]).cloned() {
            attempt::close(tx, &lease, end.release);
        }
        tx.remove::<LeaseRow>(&[run.as_str()]);
        tx.remove::<QueueRow>(&[run.as_str()]);
        tx.remove::<WaitRow>(&[run.as_str()]);
    }
}

/// How a run ends.
pub(crate) struct End {
    status: RunStatus,
    /// What tool calls that still run are failed with.
    code: &'static str,
    release: ReleaseReason,
    facts: Facts,
    contains_secrets: bool,
}

impl End {
    pub(crate) fn succeeded(facts: Facts, contains_secrets: bool) -> Self {
        let (status, release) = (RunStatus::Succeeded, ReleaseReason::Completed);
        Self { status, code: "run_ended", release, facts, contains_secrets }
    }

    pub(crate) fn failed(facts: Facts, contains_secrets: bool) -> Self {
        let (status, release) = (RunStatus::Failed, ReleaseReason::Failed);
        Self { status, code: "run_ended", release, facts, contains_secrets }
    }

    pub(crate) fn cancelled(facts: Facts, contains_secrets: bool) -> Self {
        let (status, release) = (RunStatus::Cancelled, ReleaseReason::Cancelled);
        Self { status, code: "run_cancelled", release, facts, contains_secrets }
    }

    pub(crate) fn timed_out() -> Self {
        let error = cut_off("run_timed_out");
        let facts = Facts::new().with("message", "The run's time is over").with("error", error);
        Self {
            status: RunStatus::Failed,
            code: "run_timed_out",
            release: ReleaseReason::TimedOut,
            facts,
            contains_secrets: false,
        }
    }

    pub(crate) fn exhausted(release: ReleaseReason, attempts: i64) -> Self {
        let error = json!({"source": crate::error::RUNS, "code": "attempts_exhausted", "attempts": attempts});
        let facts = Facts::new().with("message", "No attempt at the run came to an end").with("error", error);
        Self { status: RunStatus::Failed, code: "run_ended", release, facts, contains_secrets: false }
    }
}
