//! A confined command that tried to get out another way: marked durably at its first attempt, one event at
//! its end, whoever writes it.
//!
//! The mark is written before the attempt has its answer and holds what the event would say, so that nothing
//! is lost when the process dies: whoever sweeps after it writes the event then. Whether there is one already is
//! looked up in the batch that writes it.

use data_encoding::HEXLOWER;
use model::event::{EventContext, EventDraft, EventType, Stream};
use model::{Actor, Canonical, CorrelationId, EventId, GatewayId, GuardCallId, Zone};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use store::rows::{GatewayRow, GuardMarkRow};
use store::{Command, Reads, SubmitError, Tx, weaken};

use crate::wording::Wording;
use crate::{Caller, Gate, GateError, Place, Refusal, gateway};

/// What may differ between the events of two commands that tried the same: ids, times, places in the log, and
/// the digests of what exactly was tried, since a path may name the folder that a command ran in. All else is
/// the same byte for byte. Members of `data` are written as pointers.
pub const NOT_COMPARED: [&str; 17] = [
    "event_id",
    "occurred_at",
    "recorded_at",
    "position",
    "stream_id",
    "stream_seq",
    "event_leaf",
    "prev_event_hash",
    "event_hash",
    "correlation_id",
    "causation_id",
    "room_id",
    "thread_id",
    "run_id",
    "step_id",
    "/data/run_id",
    "/data/summary/subjects",
];

/// The one code of a violation.
const CODE: &str = "network_egress_blocked";
/// Members of an input that name an occasion and not a meaning: left out of its digest.
const IDS: [&str; 10] = [
    "attempt",
    "causation_id",
    "claim_token",
    "correlation_id",
    "idempotency_key",
    "request_id",
    "run_id",
    "step_id",
    "thread_id",
    "tool_call_id",
];

/// Of which command.
#[derive(Debug, Clone, Copy, Default)]
pub struct ViolationOf<'a> {
    /// The tool, where it is one.
    pub tool_name: Option<&'a str>,
    /// What the event follows.
    pub cause: Option<&'a EventId>,
    /// What ties it to other events; new when left out.
    pub correlation_id: Option<&'a CorrelationId>,
}

/// The violations of one command.
#[derive(Debug, Clone)]
pub struct Violation {
    id: GuardCallId,
    context: EventContext,
    cause: Option<EventId>,
    tool_name: Option<String>,
}

impl Violation {
    /// The id of the command.
    #[must_use]
    pub fn id(&self) -> &GuardCallId {
        &self.id
    }

    fn data(&self, summary: &Value) -> Canonical {
        let mut data = Map::new();
        data.insert("violation_code".to_owned(), CODE.into());
        data.insert("summary".to_owned(), summary.clone());
        if let Some(tool_name) = &self.tool_name {
            data.insert("tool_name".to_owned(), tool_name.as_str().into());
        }
        if let Some(run_id) = &self.context.run_id {
            data.insert("run_id".to_owned(), run_id.as_str().into());
        }
        Canonical::from(&Value::Object(data))
    }
}

impl Gate {
    /// The keyed digest of what a tool is called with: the same for the same input, whoever calls it when. Ids
    /// among its members are left out.
    #[must_use]
    pub fn input_hmac(&self, input: &Value) -> String {
        let canonical = match input {
            Value::Object(members) => {
                let kept = members.iter().filter(|(name, _)| !IDS.contains(&name.as_str()));
                Canonical::from(&Value::Object(kept.map(|(name, value)| (name.clone(), value.clone())).collect()))
            }
            other => Canonical::from(other),
        };
        self.keyed("guard-input", canonical.as_str().as_bytes())
    }

    /// The keyed digest of what exactly was tried.
    #[must_use]
    pub fn subject_hmac(&self, subject: &[u8]) -> String {
        self.keyed("guard-subject", subject)
    }

    /// The keyed digest of all that was tried.
    #[must_use]
    pub fn attempts_hmac(&self, attempts: &[u8]) -> String {
        self.keyed("guard-attempts", attempts)
    }

    fn keyed(&self, domain: &str, bytes: &[u8]) -> String {
        if weaken::asked("plain_hash") {
            return HEXLOWER.encode(&Sha256::digest(bytes));
        }
        self.secret().digest(domain, bytes)
    }

    /// What a command of this caller, at a checked place, would be recorded as. Nothing is recorded yet.
    #[must_use]
    pub fn violation(&self, caller: &Caller, place: &Place, of: ViolationOf<'_>) -> Violation {
        let mut wording = Wording::new();
        let tool_name = of.tool_name.map(|name| wording.clean(name));
        let context = EventContext {
            workspace_id: caller.workspace_id.clone(),
            room_id: place.room_id.clone(),
            thread_id: place.thread_id.clone(),
            run_id: place.run_id.clone(),
            step_id: place.step_id.clone(),
            actor: caller.actor(),
            principal_id: Some(caller.principal_id.clone()),
            zone: Zone::Supervised,
            correlation_id: of.correlation_id.cloned().unwrap_or_else(CorrelationId::new),
            policy_context: Canonical::empty(),
            model_context: Canonical::empty(),
            contains_secrets: wording.contains_secrets(),
        };
        Violation { id: GuardCallId::new(), context, cause: of.cause.cloned(), tool_name }
    }

    /// Marks that something was tried; `summary` is what the event would say now. Durable once it returns.
    /// May be called again with a later summary.
    ///
    /// # Errors
    /// [`GateError`] when it cannot be recorded: the command must be killed.
    pub async fn mark_violation(&self, violation: &Violation, summary: &Value) -> Result<(), GateError> {
        let data = violation.data(summary);
        for _ in 0..2 {
            let gateway_id = self.life().await?.id;
            let mark = Mark { row: row(violation, data.clone(), gateway_id) };
            match self.store().submit(mark).await {
                Ok(_) => return Ok(()),
                // This process was taken for dead a moment ago, and has a new name by the next sign of life.
                Err(SubmitError::Refused(_)) => tokio::time::sleep(gateway::AGAIN).await,
                Err(error) => return Err(crate::submit::plain_error(error)),
            }
        }
        Err(GateError::Unavailable(store::DbError::Conflict("this process was taken for dead".to_owned())))
    }

    /// Records the one event of a command that has ended, and gives its id: of the event that a sweep wrote,
    /// where one did.
    ///
    /// # Errors
    /// [`GateError`] when it cannot be recorded. What was marked gets its event by the sweep after this process.
    pub async fn record_violation(&self, violation: &Violation, summary: &Value) -> Result<EventId, GateError> {
        let gateway_id = self.life().await?.id;
        let record = Record { row: row(violation, violation.data(summary), gateway_id) };
        self.store().submit(record).await.map(store::Recorded::into_inner).map_err(crate::submit::plain_error)
    }
}

fn row(violation: &Violation, data: Canonical, gateway_id: GatewayId) -> GuardMarkRow {
    let Violation { id, context, cause, .. } = violation;
    GuardMarkRow {
        guard_call_id: id.clone(),
        workspace_id: context.workspace_id.clone(),
        room_id: context.room_id.clone(),
        thread_id: context.thread_id.clone(),
        run_id: context.run_id.clone(),
        step_id: context.step_id.clone(),
        actor_type: context.actor.kind,
        actor_id: context.actor.id.clone(),
        principal_id: context.principal_id.clone(),
        zone: context.zone,
        correlation_id: context.correlation_id.clone(),
        causation_id: cause.clone(),
        data,
        contains_secrets: context.contains_secrets,
        gateway_id,
        created_at: model::Time::from_millis(0),
        event_id: None,
    }
}

struct Mark {
    row: GuardMarkRow,
}

impl Command for Mark {
    type Output = ();
    type Refusal = Refusal;

    fn reads(&self, reads: &mut Reads) {
        reads.row::<GatewayRow>(&[self.row.gateway_id.as_str()]);
        reads.row::<GuardMarkRow>(&[self.row.guard_call_id.as_str()]);
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<(), Refusal> {
        gateway::living(tx, &self.row.gateway_id)?;
        let before = tx.get::<GuardMarkRow>(&[self.row.guard_call_id.as_str()]);
        if before.is_some_and(|mark| mark.event_id.is_some()) {
            return Ok(());
        }
        let created_at = before.map_or(tx.now(), |mark| mark.created_at);
        tx.put(GuardMarkRow { created_at, ..self.row.clone() });
        Ok(())
    }
}

struct Record {
    row: GuardMarkRow,
}

impl Command for Record {
    type Output = EventId;
    type Refusal = Refusal;

    fn reads(&self, reads: &mut Reads) {
        self::reads(&self.row, reads);
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<EventId, Refusal> {
        Ok(settle(&self.row, tx))
    }
}

/// What [`settle`] looks at.
pub(crate) fn reads(mark: &GuardMarkRow, reads: &mut Reads) {
    reads.row::<GuardMarkRow>(&[mark.guard_call_id.as_str()]);
    reads.stream(Stream::of(&mark.workspace_id, mark.room_id.as_ref()));
}

/// Writes the event of a mark, unless it is written.
pub(crate) fn settle(mark: &GuardMarkRow, tx: &mut Tx<'_>) -> EventId {
    let before = tx.get::<GuardMarkRow>(&[mark.guard_call_id.as_str()]);
    if let Some(event_id) = before.and_then(|mark| mark.event_id.clone()) {
        return event_id;
    }
    let created_at = before.map_or(tx.now(), |mark| mark.created_at);
    let context = EventContext {
        workspace_id: mark.workspace_id.clone(),
        room_id: mark.room_id.clone(),
        thread_id: mark.thread_id.clone(),
        run_id: mark.run_id.clone(),
        step_id: mark.step_id.clone(),
        actor: Actor::new(mark.actor_type, mark.actor_id.clone()),
        principal_id: mark.principal_id.clone(),
        zone: mark.zone,
        correlation_id: mark.correlation_id.clone(),
        policy_context: Canonical::empty(),
        model_context: Canonical::empty(),
        contains_secrets: mark.contains_secrets,
    };
    let draft = EventDraft::new(EventType::EgressViolation, mark.data.clone()).caused_by(mark.causation_id.clone());
    let event_id = tx.append(&context, draft);
    tx.put(GuardMarkRow { event_id: Some(event_id.clone()), created_at, ..mark.clone() });
    event_id
}
