//! Tool calls of a run that an external worker drives: each asked for before it is made.

use std::borrow::Cow;

use gate::change::{By, Facts};
use gate::wording::{REASON_CHARS_MAX, TITLE_CHARS_MAX, Wording};
use gate::{Answered, Caller, Fence, GateError, Patience, Place, PreparedToolCall, Refusal, ToolCallAsk};
use model::event::{EventType, Stream};
use model::run::{RunStatus, ToolCallStatus};
use model::{ApprovalId, DecisionId, EventId, Mode, Outcome, ReasonCode, StepId, ToolCallId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::rows::{RunRow, StepRow, ToolCallRow, ToolExecutionRow};
use store::{Command, IdempotencyKey, Reads, Tx};

use crate::Runs;
use crate::error::{no_run, no_step, no_tool_call, not_running};
use crate::record::Author;

/// A tool that is to be called.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ToolCallInput {
    /// The tool's name.
    pub tool_name: Option<String>,
    /// What people see, at most 300 characters.
    pub title: Option<String>,
    /// What it is called with.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Value>))]
    pub input: Option<Value>,
    /// `service`, `user` or `agent`.
    pub actor_type: Option<String>,
    /// The actor's name.
    pub actor_id: Option<String>,
    /// The accountable principal.
    pub principal_id: Option<String>,
    /// The capability token shown.
    pub capability_token_id: Option<String>,
    /// `sandbox`, `supervised` or `high_stakes`.
    pub zone: Option<String>,
    /// While a worker has the run: what its claim gave it.
    pub claim_token: Option<String>,
}

/// What the gate said of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ToolCallOutput {
    /// The call that may be made now; none when it is blocked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub tool_call_id: Option<ToolCallId>,
    /// Allow, deny or require_approval.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub decision: Outcome,
    /// Why.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub reason_code: ReasonCode,
    /// The same in a sentence, unless it is an allow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub reason: Option<Cow<'static, str>>,
    /// The approval it rests on, or the one that is now asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub approval_id: Option<ApprovalId>,
    /// The mode it was decided in.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub enforcement_mode: Mode,
    /// Whether it must not be called.
    pub blocked: bool,
    /// The kept decision's id, for `why`.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub decision_id: DecisionId,
}

/// How a tool call succeeded.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SucceedToolCallInput {
    /// What it gave.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Value>))]
    pub output: Option<Value>,
    /// While a worker has the run: what its claim gave it.
    pub claim_token: Option<String>,
}

/// How a tool call failed.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FailToolCallInput {
    /// Why, at most 4,000 characters.
    pub message: Option<String>,
    /// The same for programs.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Value>))]
    pub error: Option<Value>,
    /// While a worker has the run: what its claim gave it.
    pub claim_token: Option<String>,
}

/// A tool call as it is answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolCallRowOutput {
    /// The tool call.
    pub tool_call: Value,
}

impl Runs {
    /// Asks for a tool call of a step and, unless it is blocked, records that it is made.
    ///
    /// # Errors
    /// 404 `step_not_found`; 400 `missing_tool_name`, `invalid_request`; 403
    /// `identity_not_permitted`; 409 `run_not_running`, `lease_token_mismatch`, `lease_expired`; see
    /// [`GateError`].
    pub async fn call_tool(
        &self,
        caller: &Caller,
        step_id: &str,
        input: ToolCallInput,
        once: Option<IdempotencyKey>,
    ) -> Result<Answered<ToolCallOutput>, GateError> {
        let step = match StepId::parse(step_id) {
            Ok(id) => self.gate.store().step(&caller.workspace_id, &id).await?,
            Err(_) => None,
        };
        let step = self.gate.told(caller, step.ok_or_else(no_step)).await?;
        let run = self.stored(caller, step.run_id.as_str()).await?;
        let read = || {
            let mut wording = Wording::new();
            let title = wording.optional(input.title.as_deref(), "/title", TITLE_CHARS_MAX)?;
            let tool_name = wording.clean(input.tool_name.as_deref().unwrap_or_default().trim());
            let token = input.capability_token_id.as_deref();
            let input = input.input.clone().filter(|v| !v.is_null()).map(|v| wording.clean_value(v));
            let capability_token_id = token.map(|id| wording.clean(id));
            Ok(Words { capability_token_id, tool_name, title, input, contains_secrets: wording.contains_secrets() })
        };
        let words = self.gate.told(caller, read()).await?;
        let place = Place {
            room_id: run.room_id.clone(),
            thread_id: run.thread_id.clone(),
            run_id: Some(run.run_id.clone()),
            step_id: Some(step.step_id.clone()),
        };
        let fence = Fence::shown(run.run_id.clone(), input.claim_token.as_deref());
        let ask = ToolCallAsk {
            tool_name: input.tool_name.as_deref().unwrap_or_default(),
            input: input.input.as_ref(),
            actor_type: input.actor_type.as_deref(),
            actor_id: input.actor_id.as_deref(),
            principal_id: input.principal_id.as_deref(),
            capability_token_id: input.capability_token_id.as_deref(),
            zone: input.zone.as_deref(),
        };
        let patience = Patience::new();
        let mut again = Cow::Borrowed(caller);
        loop {
            let prepared = self.gate.prepare_tool_call(&again, &ask, &place, &run.correlation_id).await?;
            let used = prepared.once().to_vec();
            let (run, step, fence, words) = (run.clone(), step.clone(), fence.clone(), words.clone());
            let command = CallTool { run, step, fence, words, prepared };
            match self.gate.store().submit_once(command, once.clone()).await {
                Ok(recorded) => {
                    self.gate.forget_used(&used).await;
                    let answer = recorded.into_inner();
                    return Ok(Answered { value: answer.value, replayed: answer.replayed });
                }
                Err(error) => again = Cow::Owned(self.gate.try_again(caller, error, &patience).await?),
            }
        }
    }

    /// Ends a tool call well.
    ///
    /// # Errors
    /// 404 `tool_call_not_found`; 409 `tool_call_not_running`, `lease_token_mismatch`,
    /// `lease_expired`; see [`GateError`].
    pub async fn succeed_tool_call(
        &self,
        caller: &Caller,
        id: &str,
        input: SucceedToolCallInput,
    ) -> Result<ToolCallRowOutput, GateError> {
        let mut wording = Wording::new();
        let output = input.output.filter(|v| !v.is_null()).map(|v| wording.clean_value(v));
        let said = Said { ok: true, message: None, value: output, contains_secrets: wording.contains_secrets() };
        self.end_tool_call(caller, id, said, input.claim_token.as_deref()).await
    }

    /// Ends a tool call badly.
    ///
    /// # Errors
    /// As [`Runs::succeed_tool_call`]; and 400 `invalid_request`.
    pub async fn fail_tool_call(
        &self,
        caller: &Caller,
        id: &str,
        input: FailToolCallInput,
    ) -> Result<ToolCallRowOutput, GateError> {
        let mut wording = Wording::new();
        let message = wording.optional(input.message.as_deref(), "/message", REASON_CHARS_MAX);
        let message = self.gate.told(caller, message).await?;
        let error = input.error.filter(|v| !v.is_null()).map(|v| wording.clean_value(v));
        let said = Said { ok: false, message, value: error, contains_secrets: wording.contains_secrets() };
        self.end_tool_call(caller, id, said, input.claim_token.as_deref()).await
    }

    async fn end_tool_call(
        &self,
        caller: &Caller,
        id: &str,
        said: Said,
        token: Option<&str>,
    ) -> Result<ToolCallRowOutput, GateError> {
        let call = match ToolCallId::parse(id) {
            Ok(id) => self.gate.store().tool_call(&caller.workspace_id, &id).await?,
            Err(_) => None,
        };
        let call = self.gate.told(caller, call.ok_or_else(no_tool_call)).await?;
        let run = self.stored(caller, call.run_id.as_str()).await?;
        let fence = Fence::shown(run.run_id.clone(), token);
        self.record_end(caller, &run, &call, &fence, &said, None).await
    }

    /// Records how a tool call ended, after `cause`, else after its last event.
    pub(crate) async fn record_end(
        &self,
        caller: &Caller,
        run: &RunRow,
        call: &ToolCallRow,
        fence: &Fence,
        said: &Said,
        cause: Option<&EventId>,
    ) -> Result<ToolCallRowOutput, GateError> {
        let ended = self
            .gate
            .submit(caller, None, |caller| {
                Ok(EndToolCall {
                    by: By::of(caller),
                    run: run.clone(),
                    call: call.clone(),
                    fence: fence.clone(),
                    said: said.clone(),
                    cause: cause.cloned(),
                })
            })
            .await?;
        Ok(ended.value)
    }
}

#[derive(Clone)]
struct Words {
    /// The token it is asked for with, for who carries it out.
    capability_token_id: Option<String>,
    tool_name: String,
    title: Option<String>,
    input: Option<Value>,
    contains_secrets: bool,
}

struct CallTool {
    /// Run and step as they were when the command was made; only what never changes is used of them.
    run: RunRow,
    step: StepRow,
    fence: Fence,
    words: Words,
    prepared: PreparedToolCall,
}

impl Command for CallTool {
    type Output = ToolCallOutput;
    type Refusal = Refusal;

    fn reads(&self, reads: &mut Reads) {
        self.prepared.reads(reads);
        reads.stream(Stream::of(&self.run.workspace_id, self.run.room_id.as_ref()));
        reads.row::<RunRow>(&[self.run.run_id.as_str()]);
        reads.row::<StepRow>(&[self.step.step_id.as_str()]);
        reads.row::<ToolCallRow>(&[self.prepared.tool_call_id().as_str()]);
        if self.words.capability_token_id.is_some() {
            reads.row::<ToolExecutionRow>(&[self.prepared.tool_call_id().as_str()]);
        }
        self.fence.reads(reads);
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<ToolCallOutput, Refusal> {
        let run = tx.get::<RunRow>(&[self.run.run_id.as_str()]).ok_or_else(no_run)?;
        if run.status != RunStatus::Running {
            return Err(not_running());
        }
        self.fence.check(tx)?;
        let step = tx.get::<StepRow>(&[self.step.step_id.as_str()]).cloned().ok_or_else(no_step)?;
        let mut cause = None;
        let verdict = self.prepared.settle(tx, &mut cause);
        let id = self.prepared.tool_call_id().clone();
        if !verdict.blocked {
            let mut context = self.prepared.event_context().clone();
            context.contains_secrets |= self.words.contains_secrets;
            let draft = Facts::new()
                .with("tool_call_id", &id)
                .with("tool_name", &self.words.tool_name)
                .maybe("title", self.words.title.as_ref())
                .maybe("input", self.words.input.as_ref())
                .draft(EventType::ToolInvoked)
                .caused_by(Some(step.last_event_id));
            tx.append(&context, draft);
            if let Some(token) = &self.words.capability_token_id {
                tx.put(ToolExecutionRow {
                    tool_call_id: id.clone(),
                    workspace_id: self.run.workspace_id.clone(),
                    capability_token_id: Some(token.clone()),
                    ends_by: None,
                    created_at: tx.now(),
                });
            }
        }
        Ok(ToolCallOutput {
            tool_call_id: (!verdict.blocked).then(|| id.clone()),
            decision: verdict.decision,
            reason_code: verdict.reason_code,
            reason: verdict.reason,
            approval_id: verdict.approval_id,
            enforcement_mode: verdict.enforcement_mode,
            blocked: verdict.blocked,
            decision_id: id.into(),
        })
    }
}

#[derive(Clone)]
pub(crate) struct Said {
    pub(crate) ok: bool,
    pub(crate) message: Option<String>,
    pub(crate) value: Option<Value>,
    pub(crate) contains_secrets: bool,
}

/// The refusal of a call that no longer runs.
pub(crate) fn ended() -> Refusal {
    Refusal::conflict("tool_call_not_running", "the tool call has ended")
}

struct EndToolCall {
    by: By,
    /// Run and call as they were when the command was made; only what never changes is used of them.
    run: RunRow,
    call: ToolCallRow,
    fence: Fence,
    said: Said,
    cause: Option<EventId>,
}

impl Command for EndToolCall {
    type Output = ToolCallRowOutput;
    type Refusal = Refusal;

    fn reads(&self, reads: &mut Reads) {
        self.by.expects(reads);
        reads.stream(Stream::of(&self.run.workspace_id, self.run.room_id.as_ref()));
        reads.row::<RunRow>(&[self.run.run_id.as_str()]);
        reads.row::<StepRow>(&[self.call.step_id.as_str()]);
        reads.row::<ToolCallRow>(&[self.call.tool_call_id.as_str()]);
        reads.row::<ToolExecutionRow>(&[self.call.tool_call_id.as_str()]);
        // Whether the step runs on rests on its other calls.
        reads.open_parts(&self.run.run_id);
        self.fence.reads(reads);
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<ToolCallRowOutput, Refusal> {
        let id = &self.call.tool_call_id;
        let call = tx.get::<ToolCallRow>(&[id.as_str()]).cloned().ok_or_else(no_tool_call)?;
        if call.status != ToolCallStatus::Running {
            return Err(ended());
        }
        self.fence.check(tx)?;
        let said = &self.said;
        let facts = Facts::new().with("tool_call_id", id);
        let draft = if said.ok {
            facts.maybe("output", said.value.as_ref()).draft(EventType::ToolSucceeded)
        } else {
            facts
                .maybe("message", said.message.as_ref())
                .maybe("error", said.value.as_ref())
                .draft(EventType::ToolFailed)
        };
        let context = Author::of(&self.by).context(&self.run, Some(&call.step_id), said.contains_secrets);
        tx.append(&context, draft.caused_by(Some(self.cause.clone().unwrap_or(call.last_event_id))));
        tx.remove::<ToolExecutionRow>(&[id.as_str()]);
        let row = tx.get::<ToolCallRow>(&[id.as_str()]);
        let tool_call = row.and_then(|row| serde_json::to_value(row).ok()).unwrap_or(Value::Null);
        Ok(ToolCallRowOutput { tool_call })
    }
}
