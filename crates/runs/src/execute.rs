//! Carrying out a tool call that was allowed and runs: what `POST /v1/toolcalls/{id}/execute` does for a
//! worker that starts no processes of its own.
//!
//! Before anything is started it is recorded that the call is being carried out, so that of two who try one
//! does, and a call that was cut off is not carried out again blindly. What the command did is recorded by
//! whoever guards it, and then with the call, also when whoever asked for it has gone away.

use std::time::Duration;

use confine::ConfineError;
use gate::change::{By, Facts};
use gate::{Caller, Fence, GateError, Place, Refusal};
use model::event::{EventType, Stream};
use model::run::{RunStatus, ToolCallStatus};
use model::{EventId, ToolCallId, Zone};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::rows::{RunRow, StepRow, ToolCallRow, ToolExecutionRow};
use store::{Command, Reads, Tx};
use tokio_util::sync::CancellationToken;

use crate::Runs;
use crate::error::{no_run, no_tool_call, not_running};
use crate::machine::{Event, Failure};
use crate::plan::Tool;
use crate::process::{self, LaunchError, Processes, Wanted};
use crate::record::Author;
use crate::tool_calls::{Said, ToolCallRowOutput, ended};

/// How much longer than its time a command may take until it is taken for cut off.
const SLACK: Duration = Duration::from_secs(60);
/// How often it is looked up whether the call still runs.
const LOOK: Duration = Duration::from_secs(2);
/// How long and how often recording the end is tried.
const TRIES: u32 = 20;
const REST: Duration = Duration::from_millis(250);

/// A tool call to be carried out.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExecuteToolCallInput {
    /// While a worker has the run: what its claim gave it.
    pub claim_token: Option<String>,
}

/// Why a tool call was not carried out, or not to a good end.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    /// The gate or the store refuses; nothing was started.
    #[error(transparent)]
    Gate(#[from] GateError),
    /// It tried to leave around the gate: the call has failed.
    #[error("the command tried to leave around the gate")]
    Blocked {
        /// The call.
        tool_call_id: ToolCallId,
        /// The event of what it tried, and the requests and approvals it was refused.
        ids: serde_json::Map<String, Value>,
    },
    /// No layer of it was started: the call still runs, and can be carried out elsewhere.
    #[error("isolation is not available: {layer}: {reason}")]
    IsolationUnavailable {
        /// What does not hold.
        layer: &'static str,
        /// Why.
        reason: String,
        /// What to do about it.
        fix: Option<String>,
    },
    /// What it did could not be recorded: all of it was killed.
    #[error("what the command did could not be recorded")]
    EventLog,
}

impl From<Refusal> for ExecuteError {
    fn from(refusal: Refusal) -> Self {
        Self::Gate(refusal.into())
    }
}

/// What is carried out, and for whom.
struct Work {
    run: RunRow,
    call: ToolCallRow,
    tool: Tool,
    wanted: Wanted,
    fence: Fence,
    /// The event that says so.
    began: EventId,
    /// Whose name it is asked in.
    errand: Caller,
    zone: Zone,
}

impl Runs {
    /// Carries out a tool call that was allowed and runs, and gives it as it then is: succeeded, or failed by
    /// the command's own end.
    ///
    /// # Errors
    /// 404 `tool_call_not_found`; 409 `tool_call_not_running`, `run_not_running`, `tool_not_executable`,
    /// `tool_call_executing`, `effect_uncertain`, `lease_token_mismatch`, `lease_expired`; 400 for an input that
    /// the tool does not take; and [`ExecuteError`].
    ///
    /// # Cancel safety
    /// What has begun goes on to its end and is recorded, whether or not anybody waits for it.
    pub async fn execute_tool_call(
        &self,
        caller: &Caller,
        processes: Option<&Processes>,
        id: &str,
        input: ExecuteToolCallInput,
    ) -> Result<ToolCallRowOutput, ExecuteError> {
        let gate = self.gate();
        let call = match ToolCallId::parse(id) {
            Ok(id) => gate.store().tool_call(&caller.workspace_id, &id).await.map_err(GateError::from)?,
            Err(_) => None,
        };
        let call = gate.told(caller, call.ok_or_else(no_tool_call)).await?;
        let running = if call.status == ToolCallStatus::Running { Ok(()) } else { Err(ended()) };
        gate.told(caller, running).await?;
        let run = self.stored(caller, call.run_id.as_str()).await?;
        let tool = named(processes, &call.tool_name);
        let tool = gate.told(caller, tool.ok_or_else(not_executable)).await?;
        let Some(processes) = processes else { return Err(nothing_here()) };
        let value = call.input.as_ref().map_or(Value::Null, model::Canonical::to_value);
        let wanted = processes.wanted(&tool, &value).map_err(|failure| misread(&failure));
        let wanted = gate.told(caller, wanted).await?;
        let state = processes.tested().await;
        if !state.is_ready() {
            return Err(state.failing().map_or_else(nothing_here, |finding| ExecuteError::IsolationUnavailable {
                layer: finding.layer.as_str(),
                reason: finding.reason.clone().unwrap_or_default(),
                fix: finding.fix.clone(),
            }));
        }
        let fence = Fence::shown(run.run_id.clone(), input.claim_token.as_deref());
        let lasts = wanted.timeout() + SLACK;
        let began = gate
            .submit(caller, None, |caller| {
                let (by, run, call, fence) = (By::of(caller), run.clone(), call.clone(), fence.clone());
                Ok(BeginExecution { by, run, call, fence, lasts, idempotent: wanted.idempotent })
            })
            .await?
            .value;
        let Some(May { capability_token_id, began }) = began.may else {
            return Err(Refusal::conflict("effect_uncertain", "an earlier attempt was cut off while it ran").into());
        };
        let (errand, zone) = self.in_the_name_of(caller, &run, &call, capability_token_id, &wanted).await?;
        let work = Work { run, call, tool, wanted, fence, began, errand, zone };
        let (runs, caller, processes) = (self.clone(), caller.clone(), processes.clone());
        let carried = tokio::spawn(async move { runs.carry_out(&caller, &processes, work).await });
        carried.await.unwrap_or(Err(ExecuteError::EventLog))
    }

    /// Who asks for what leaves: whose call it was, with the token it was allowed with.
    async fn in_the_name_of(
        &self,
        caller: &Caller,
        run: &RunRow,
        call: &ToolCallRow,
        capability_token_id: Option<String>,
        wanted: &Wanted,
    ) -> Result<(Caller, Zone), GateError> {
        let store = self.gate().store();
        let invoked = store.event(&caller.workspace_id, &call.last_event_id).await?;
        let zone = invoked.as_ref().map_or(Zone::Sandbox, |event| event.zone);
        let principal = invoked.and_then(|event| event.actor_principal_id);
        let tied = gate::Errand {
            capability_token_id,
            zone: Some(zone),
            correlation_id: Some(run.correlation_id.clone()),
            run_id: Some(run.run_id.clone()),
            hosts: wanted.hosts(),
        };
        let principal = principal.unwrap_or_else(|| caller.principal_id.clone());
        let workspace = caller.workspace_id.clone();
        Ok((self.gate().errand(workspace, principal, &caller.request_id, tied), zone))
    }

    async fn carry_out(
        &self,
        caller: &Caller,
        processes: &Processes,
        work: Work,
    ) -> Result<ToolCallRowOutput, ExecuteError> {
        let Work { run, call, tool, wanted, fence, began, errand, zone } = &work;
        let value = call.input.as_ref().map_or(Value::Null, model::Canonical::to_value);
        let launched = process::Errand {
            caller: errand.clone(),
            run_id: &run.run_id,
            place: Place {
                room_id: run.room_id.clone(),
                thread_id: run.thread_id.clone(),
                run_id: Some(run.run_id.clone()),
                step_id: Some(call.step_id.clone()),
            },
            tool_name: tool.name(),
            cause: Some(began.clone()),
            correlation_id: run.correlation_id.clone(),
            time_left: None,
            input_hmac: process::input_hmac(self.gate(), &value),
        };
        tracing::debug!(tool_call_id = %call.tool_call_id, tool = tool.name(), zone = zone.as_str(), "a tool call is carried out");
        let stop = CancellationToken::new();
        let watch = stop.clone().drop_guard();
        let watching = tokio::spawn(watched(self.clone(), call.clone(), stop.clone()));
        let ran = processes.launch(wanted, launched, stop).await;
        watching.abort();
        drop(watch);
        let outcome = match ran {
            Ok(ran) => process::event(ran, tool.name(), false),
            Err(LaunchError::Confine(ConfineError::IsolationUnavailable { layer, reason, fix })) => {
                self.nothing_was_done(caller, &work).await;
                return Err(ExecuteError::IsolationUnavailable { layer: layer.as_str(), reason, fix });
            }
            Err(error) => {
                tracing::warn!(tool_call_id = %call.tool_call_id, %error, "a command was not run to its end");
                process::Outcome::failed(process::failed(&error, tool.name()))
            }
        };
        let evidence = outcome.evidence.map(|evidence| evidence.event_id);
        let (ok, message, value) = match outcome.event {
            Event::Finished(output) => (true, None, output),
            Event::Broken(failure) | Event::Blocked(failure) => (false, Some(failure.message), failure.error),
            Event::Begin | Event::Ruled(_) => return Err(ExecuteError::EventLog),
        };
        let code = value.get("code").and_then(Value::as_str).map(str::to_owned);
        let blocked = evidence.is_some().then(|| ids_of(&value));
        let cause = evidence.unwrap_or_else(|| began.clone());
        let said = Said { ok, message, value: Some(value), contains_secrets: outcome.redacted };
        let row = self.said_at_last(caller, &work, &said, &cause, fence).await;
        match (row, blocked) {
            (_, Some(ids)) => Err(ExecuteError::Blocked { tool_call_id: call.tool_call_id.clone(), ids }),
            (Ok(_), None) if code.as_deref() == Some("event_log_failure") => Err(ExecuteError::EventLog),
            (Ok(row), None) => Ok(row),
            (Err(GateError::Refused(refusal)), None) => Err(refusal.into()),
            (Err(error), None) => {
                tracing::error!(%error, tool_call_id = %call.tool_call_id, "what came of a tool call cannot be recorded");
                Err(ExecuteError::EventLog)
            }
        }
    }

    /// Records the end, over a short absence of the store.
    async fn said_at_last(
        &self,
        caller: &Caller,
        work: &Work,
        said: &Said,
        cause: &EventId,
        fence: &Fence,
    ) -> Result<ToolCallRowOutput, GateError> {
        let mut tries = 0;
        loop {
            let ended = self.record_end(caller, &work.run, &work.call, fence, said, Some(cause)).await;
            match ended {
                Err(GateError::Unavailable(_)) if tries < TRIES => {
                    tries += 1;
                    tokio::time::sleep(REST).await;
                }
                outcome => return outcome,
            }
        }
    }

    /// Forgets that the call was about to be carried out, so that it can be, elsewhere.
    async fn nothing_was_done(&self, caller: &Caller, work: &Work) {
        let undone = self
            .gate()
            .submit(caller, None, |caller| Ok(Undo { by: By::of(caller), call: work.call.tool_call_id.clone() }));
        if let Err(error) = undone.await {
            tracing::debug!(%error, "a tool call that was not carried out stays marked for a while");
        }
    }
}

/// Ends once the call no longer runs: somebody ended it, or its run.
async fn watched(runs: Runs, call: ToolCallRow, stop: CancellationToken) {
    loop {
        tokio::time::sleep(LOOK).await;
        let now = runs.gate().store().tool_call(&call.workspace_id, &call.tool_call_id).await;
        if now.is_ok_and(|now| now.is_none_or(|now| now.status != ToolCallStatus::Running)) {
            stop.cancel();
            return;
        }
    }
}

fn named(processes: Option<&Processes>, name: &str) -> Option<Tool> {
    if name == Tool::ProcessExec.name() {
        return Some(Tool::ProcessExec);
    }
    processes?.config().tools.tool(name)
}

fn not_executable() -> Refusal {
    Refusal::conflict("tool_not_executable", "the tool is none that is carried out here")
}

fn nothing_here() -> ExecuteError {
    let reason = "this server starts no processes".to_owned();
    ExecuteError::IsolationUnavailable { layer: "spawner", reason, fix: None }
}

/// A tool's own word on its input. The codes are those of the tool.
fn misread(failure: &Failure) -> Refusal {
    let code = match failure.error.get("code").and_then(Value::as_str) {
        Some("input_redacted") => "input_redacted",
        _ => "invalid_process",
    };
    Refusal::invalid(code, failure.message.clone())
}

/// What of an error names something.
fn ids_of(error: &Value) -> serde_json::Map<String, Value> {
    let names = ["event_id", "egress_request_ids", "approval_ids"];
    let members = error.as_object().into_iter().flatten();
    members.filter(|(name, _)| names.contains(&name.as_str())).map(|(n, v)| (n.clone(), v.clone())).collect()
}

/// Whether a call may be carried out.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Began {
    /// None when an attempt before was cut off: then the call has failed.
    may: Option<May>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct May {
    capability_token_id: Option<String>,
    /// The event that says so.
    began: EventId,
}

struct BeginExecution {
    by: By,
    /// Run and call as they were when the command was made; only what never changes is used of them.
    run: RunRow,
    call: ToolCallRow,
    fence: Fence,
    lasts: Duration,
    idempotent: bool,
}

impl Command for BeginExecution {
    type Output = Began;
    type Refusal = Refusal;

    fn reads(&self, reads: &mut Reads) {
        self.by.expects(reads);
        reads.stream(Stream::of(&self.run.workspace_id, self.run.room_id.as_ref()));
        reads.row::<RunRow>(&[self.run.run_id.as_str()]);
        reads.row::<StepRow>(&[self.call.step_id.as_str()]);
        reads.row::<ToolCallRow>(&[self.call.tool_call_id.as_str()]);
        reads.row::<ToolExecutionRow>(&[self.call.tool_call_id.as_str()]);
        reads.open_parts(&self.run.run_id);
        self.fence.reads(reads);
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<Began, Refusal> {
        let id = &self.call.tool_call_id;
        let run = tx.get::<RunRow>(&[self.run.run_id.as_str()]).ok_or_else(no_run)?;
        if run.status != RunStatus::Running {
            return Err(not_running());
        }
        let call = tx.get::<ToolCallRow>(&[id.as_str()]).cloned().ok_or_else(no_tool_call)?;
        if call.status != ToolCallStatus::Running {
            return Err(ended());
        }
        self.fence.check(tx)?;
        let now = tx.now();
        let before = tx.get::<ToolExecutionRow>(&[id.as_str()]).cloned();
        let under_way = before.as_ref().and_then(|row| row.ends_by);
        match under_way {
            Some(ends_by) if ends_by > now => {
                return Err(Refusal::conflict("tool_call_executing", "the tool call is being carried out"));
            }
            Some(_) if !self.idempotent => {
                let failure = process::uncertain(&call.tool_name);
                let draft = Facts::new()
                    .with("tool_call_id", id)
                    .with("message", failure.message)
                    .with("error", failure.error)
                    .draft(EventType::ToolFailed)
                    .caused_by(Some(call.last_event_id));
                let context = Author::of(&self.by).context(&self.run, Some(&call.step_id), false);
                tx.append(&context, draft);
                tx.remove::<ToolExecutionRow>(&[id.as_str()]);
                return Ok(Began { may: None });
            }
            Some(_) | None => {}
        }
        let capability_token_id = before.as_ref().and_then(|row| row.capability_token_id.clone());
        tx.put(ToolExecutionRow {
            tool_call_id: id.clone(),
            workspace_id: self.run.workspace_id.clone(),
            capability_token_id: capability_token_id.clone(),
            ends_by: Some(now.plus(self.lasts)),
            created_at: before.map_or(now, |row| row.created_at),
        });
        // Where no event can be written, nothing is started.
        let draft =
            Facts::new().with("tool_call_id", id).draft(EventType::ToolExecuting).caused_by(Some(call.last_event_id));
        let context = Author::of(&self.by).context(&self.run, Some(&call.step_id), false);
        let began = tx.append(&context, draft);
        Ok(Began { may: Some(May { capability_token_id, began }) })
    }
}

struct Undo {
    by: By,
    call: ToolCallId,
}

impl Command for Undo {
    type Output = Value;
    type Refusal = Refusal;

    fn reads(&self, reads: &mut Reads) {
        self.by.expects(reads);
        reads.row::<ToolExecutionRow>(&[self.call.as_str()]);
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<Value, Refusal> {
        if let Some(row) = tx.get::<ToolExecutionRow>(&[self.call.as_str()]).cloned() {
            tx.put(ToolExecutionRow { ends_by: None, ..row });
        }
        Ok(json!({}))
    }
}
