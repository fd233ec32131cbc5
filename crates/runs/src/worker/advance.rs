//! One step of a run as one command: whatever is decided and recorded between two steps becomes
//! durable together, and only while the run is still this worker's.
//!
//! A tool with an effect outside takes two: the first ends where the effect may begin, the second
//! ([`Call::Carried`]) records what came of it.

use std::sync::Arc;

use gate::change::Facts;
use gate::{EgressSettled, Fence, PreparedEgress, PreparedToolCall, Refusal};
use model::event::{EventContext, EventDraft, EventType, Stream};
use model::run::ReleaseReason;
use model::{ApprovalId, EventId, Outcome, RunAttemptId, RunId, StepId, ToolCallId};
use serde_json::{Value, json};
use store::rows::{AttemptRow, LeaseRow, RunRow, StepRow, ToolCallRow, WaitRow};
use store::{Command, Reads, Tx};

use super::ACTOR;
use crate::attempt;
use crate::machine::{self, Effect, Event, Failure, Phase, State};
use crate::plan::{Plan, Tool};
use crate::record::{Author, End};

/// What a tool needs that was looked up before.
pub(super) enum Ready {
    Noop,
    Egress(Arc<PreparedEgress>),
    /// The same, and it is sent once that is recorded.
    Http(Arc<PreparedEgress>),
    /// A command is run once the call is recorded; what it asks for is decided when it asks.
    Process,
    /// It cannot be run.
    Broken(Failure),
}

/// The tool call of a step.
pub(super) enum Call {
    /// Ready to be settled.
    Asked(Box<PreparedToolCall>),
    /// It cannot be asked for.
    Broken(Failure),
    /// It was made, and what it was made for was carried out.
    Carried { begun: Box<Begun>, event: Event },
}

/// A tool call that is recorded as running.
#[derive(Debug, Clone)]
pub(super) struct Begun {
    pub(super) call_id: ToolCallId,
    /// Where and for whom its events are recorded.
    pub(super) context: EventContext,
    /// The event that what comes next follows.
    pub(super) cause: Option<EventId>,
}

/// One step, ready to be settled.
pub(super) struct Advance {
    pub(super) run: Arc<RunRow>,
    pub(super) fence: Fence,
    pub(super) epoch: i64,
    pub(super) plan: Arc<Plan>,
    pub(super) state: State,
    pub(super) step_id: StepId,
    /// Whether the step is there already.
    pub(super) step_exists: bool,
    /// Whether somebody has worked on the run before: then it may have open steps of theirs.
    pub(super) begun: bool,
    pub(super) author: Author,
    pub(super) call: Call,
    pub(super) ready: Ready,
}

/// What one step came to.
#[derive(Debug, Clone)]
pub(super) struct Advanced {
    pub(super) state: State,
    /// Whether the run has succeeded; of a run that has ended.
    pub(super) succeeded: bool,
    /// What the tool gave, if it ended well.
    pub(super) output: Option<Value>,
    /// What is to be carried out now, while the run stays [`Phase::Running`]; with what was said of the request
    /// that is to be sent.
    pub(super) begun: Option<(Begun, Option<EgressSettled>)>,
}

impl Command for Advance {
    type Output = Advanced;
    type Refusal = Refusal;

    fn reads(&self, reads: &mut Reads) {
        let run = &self.run.run_id;
        self.fence.reads(reads);
        reads.stream(Stream::of(&self.run.workspace_id, self.run.room_id.as_ref()));
        reads.row::<RunRow>(&[run.as_str()]);
        reads.row::<AttemptRow>(&[RunAttemptId::of(run, self.epoch).as_str()]);
        if self.step_exists {
            reads.row::<StepRow>(&[self.step_id.as_str()]);
        }
        if self.begun {
            reads.open_parts(run);
        }
        if self.plan.waits {
            reads.row::<WaitRow>(&[run.as_str()]);
        }
        match &self.call {
            Call::Asked(call) => call.reads(reads),
            Call::Broken(_) => {}
            Call::Carried { begun, .. } => {
                reads.row::<ToolCallRow>(&[begun.call_id.as_str()]);
                reads.open_parts(run);
            }
        }
        if let Ready::Egress(egress) | Ready::Http(egress) = &self.ready {
            egress.reads(reads);
        }
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<Advanced, Refusal> {
        self.fence.check(tx)?;
        let run = tx.get::<RunRow>(&[self.run.run_id.as_str()]).ok_or_else(crate::error::no_run)?;
        let mut script = Script {
            cause: Some(run.last_event_id.clone()),
            call_id: None,
            advanced: Advanced { state: self.state, succeeded: false, output: None, begun: None },
        };
        let mut happened = Some(Event::Begin);
        if let Call::Carried { begun, event } = &self.call {
            script.cause = begun.cause.clone().or(script.cause);
            script.call_id = Some(begun.call_id.clone());
            happened = Some(event.clone());
        }
        while let Some(event) = happened.take() {
            let (state, effects) = machine::step(&self.plan, script.advanced.state, event, tx.now());
            script.advanced.state = state;
            for effect in effects {
                happened = self.perform(tx, &mut script, effect).or(happened);
            }
            // What comes next needs looking up first.
            if state.phase == Phase::Ready {
                break;
            }
        }
        Ok(script.advanced)
    }
}

/// What has been written so far.
struct Script {
    /// In the worker each event follows the one before it.
    cause: Option<EventId>,
    call_id: Option<ToolCallId>,
    advanced: Advanced,
}

impl Advance {
    fn run_id(&self) -> &RunId {
        &self.run.run_id
    }

    fn append(&self, tx: &mut Tx<'_>, script: &mut Script, context: &EventContext, draft: EventDraft) {
        script.cause = Some(tx.append(context, draft.caused_by(script.cause.take())));
    }

    /// The context of the step's own event.
    fn step_context(&self) -> EventContext {
        self.author.context(&self.run, Some(&self.step_id), false)
    }

    /// The context of the tool call's events.
    fn call_context(&self) -> EventContext {
        match &self.call {
            Call::Asked(call) => call.event_context().clone(),
            Call::Broken(_) => self.step_context(),
            Call::Carried { begun, .. } => begun.context.clone(),
        }
    }

    fn perform(&self, tx: &mut Tx<'_>, script: &mut Script, effect: Effect) -> Option<Event> {
        match effect {
            Effect::EnsureStep => self.ensure_step(tx, script),
            Effect::AskTool => {
                return match &self.call {
                    Call::Asked(call) => Some(Event::Ruled(call.settle(tx, &mut script.cause))),
                    Call::Broken(failure) => Some(Event::Broken(failure.clone())),
                    // The machine never asks for a tool that runs.
                    Call::Carried { .. } => None,
                };
            }
            Effect::Invoke => self.invoke(tx, script),
            Effect::Execute => return self.execute(tx, script),
            Effect::Succeed(output) => self.succeed(tx, script, output),
            Effect::Fail { failure, parks } => self.fail(tx, script, failure, parks),
            Effect::Park(approval) => self.park(tx, script, approval),
            Effect::Complete => self.complete(tx, script),
            Effect::FailRun(failure) => {
                let facts = Facts::new().with("message", &failure.message).with("error", &failure.error);
                self.author.end(tx, self.run_id(), End::failed(facts, false));
            }
            Effect::TimeOut => self.author.end(tx, self.run_id(), End::timed_out()),
        }
        None
    }

    fn ensure_step(&self, tx: &mut Tx<'_>, script: &mut Script) {
        if self.step_exists {
            return;
        }
        let at = self.state.at;
        let title = self.plan.step(at).and_then(|step| step.title.as_deref()).unwrap_or("Runtime worker step");
        let draft = Facts::new()
            .with("step_id", &self.step_id)
            .with("kind", "runtime")
            .with("title", title)
            .maybe("input", self.plan.listed.then(|| json!({"ordinal": at})))
            .draft(EventType::StepCreated);
        self.append(tx, script, &self.step_context(), draft);
    }

    fn invoke(&self, tx: &mut Tx<'_>, script: &mut Script) {
        let id = match &self.call {
            Call::Asked(call) => call.tool_call_id().clone(),
            Call::Broken(_) => ToolCallId::new(),
            Call::Carried { begun, .. } => begun.call_id.clone(),
        };
        let tool = self.plan.step(self.state.at).map_or("", |step| step.tool_name());
        let draft = Facts::new().with("tool_call_id", &id).with("tool_name", tool).draft(EventType::ToolInvoked);
        self.append(tx, script, &self.call_context(), draft);
        script.call_id = Some(id);
    }

    fn execute(&self, tx: &mut Tx<'_>, script: &mut Script) -> Option<Event> {
        let settle = |tx: &mut Tx<'_>, script: &mut Script, egress: &PreparedEgress| {
            let settled = egress.settle(tx, script.cause.take());
            script.cause = Some(settled.last_event_id.clone());
            settled
        };
        Some(match &self.ready {
            Ready::Noop => Event::Finished(json!({"ok": true, "source": ACTOR})),
            Ready::Egress(egress) => {
                let settled = settle(tx, script, egress);
                match blocked(&settled, &Tool::EgressRequest) {
                    Some(failure) => Event::Blocked(failure),
                    None => self.left(&settled),
                }
            }
            Ready::Http(egress) => {
                let settled = settle(tx, script, egress);
                if let Some(failure) = blocked(&settled, &Tool::HttpRequest) {
                    return Some(Event::Blocked(failure));
                }
                script.advanced.begun = Some((self.begins(script)?, Some(settled)));
                return None;
            }
            Ready::Process => {
                script.advanced.begun = Some((self.begins(script)?, None));
                return None;
            }
            Ready::Broken(failure) => Event::Broken(failure.clone()),
        })
    }

    /// The tool call that is now recorded as running.
    fn begins(&self, script: &Script) -> Option<Begun> {
        let call_id = script.call_id.clone()?;
        Some(Begun { call_id, context: self.call_context(), cause: script.cause.clone() })
    }

    /// What the egress service said, as what the tool gave.
    fn left(&self, settled: &EgressSettled) -> Event {
        let mut facts = said(settled);
        if let Some(members) = facts.as_object_mut() {
            members.insert("ok".to_owned(), json!(true));
            members.insert("policy".to_owned(), self.policy());
        }
        Event::Finished(facts)
    }

    /// The policy context as it was used.
    fn policy(&self) -> Value {
        let policy = &self.plan.policy;
        let mut used = json!({"zone": policy.zone.unwrap_or(model::Zone::Sandbox)});
        if let Some(members) = used.as_object_mut() {
            let optional =
                [("principal_id", &policy.principal_id), ("capability_token_id", &policy.capability_token_id)];
            members.extend(optional.into_iter().filter_map(|(n, v)| Some((n.to_owned(), json!(v.as_ref()?)))));
        }
        used
    }

    fn succeed(&self, tx: &mut Tx<'_>, script: &mut Script, output: Value) {
        let draft = Facts::new()
            .maybe("tool_call_id", script.call_id.as_ref())
            .with("output", &output)
            .draft(EventType::ToolSucceeded);
        self.append(tx, script, &self.call_context(), draft);
        script.advanced.output = Some(output);
    }

    fn fail(&self, tx: &mut Tx<'_>, script: &mut Script, failure: Failure, parks: bool) {
        let mut error = failure.error;
        if let (true, Some(members)) = (parks, error.as_object_mut()) {
            members.insert("code".to_owned(), json!("waiting_approval"));
        }
        let draft = Facts::new()
            .maybe("tool_call_id", script.call_id.as_ref())
            .with("message", failure.message)
            .with("error", error)
            .draft(EventType::ToolFailed);
        self.append(tx, script, &self.call_context(), draft);
    }

    fn park(&self, tx: &mut Tx<'_>, script: &mut Script, approval_id: ApprovalId) {
        let run = self.run_id();
        let facts = Facts::new().with("run_id", run).with("approval_id", &approval_id);
        let context = self.author.context(&self.run, None, false);
        self.append(tx, script, &context, facts.draft(EventType::RunWaiting));
        let Some(lease) = tx.get::<LeaseRow>(&[run.as_str()]).cloned() else { return };
        attempt::close(tx, &lease, ReleaseReason::Waiting);
        tx.remove::<LeaseRow>(&[run.as_str()]);
        let now = tx.now();
        tx.put(WaitRow {
            run_id: run.clone(),
            workspace_id: lease.workspace_id.clone(),
            room_id: lease.room_id.clone(),
            approval_id,
            epoch: lease.epoch,
            ready_at: None,
            expiries: lease.expiries,
            failures: lease.failures,
            remaining_ms: attempt::remaining(&lease, now),
            created_at: now,
        });
    }

    fn complete(&self, tx: &mut Tx<'_>, script: &mut Script) {
        script.advanced.succeeded = true;
        let mut output = json!({"source": ACTOR, "automated": true, "step_id": self.step_id});
        if let Some(members) = output.as_object_mut() {
            if let Some(call) = &script.call_id {
                members.insert("tool_call_id".to_owned(), json!(call));
            }
            if self.plan.listed {
                members.insert("steps".to_owned(), json!(self.plan.steps.len()));
                members.insert("failed_steps".to_owned(), json!(script.advanced.state.passed_over));
            }
        }
        let facts = Facts::new().with("summary", "Completed by local runtime worker").with("output", output);
        self.author.end(tx, self.run_id(), End::succeeded(facts, false));
    }
}

fn said(settled: &EgressSettled) -> Value {
    let answer = &settled.answer;
    let mut facts = json!({
        "source": ACTOR,
        "egress_request_id": answer.egress_request_id,
        "decision": answer.decision,
        "reason_code": answer.reason_code,
        "blocked": answer.blocked,
        "enforcement_mode": answer.enforcement_mode,
    });
    if let (Some(members), Some(approval)) = (facts.as_object_mut(), &answer.approval_id) {
        members.insert("approval_id".to_owned(), json!(approval));
    }
    facts
}

/// Why a request of a tool must not leave, when it is blocked.
pub(super) fn blocked(settled: &EgressSettled, tool: &Tool) -> Option<Failure> {
    let answer = &settled.answer;
    if !answer.blocked {
        return None;
    }
    let mut facts = said(settled);
    if let Some(members) = facts.as_object_mut() {
        if let Some(reason) = &answer.reason {
            members.insert("reason".to_owned(), json!(reason));
        }
        members.insert("stage".to_owned(), json!("egress"));
        members.insert("tool_name".to_owned(), json!(tool.name()));
    }
    let approval_id = answer.approval_id.clone().filter(|_| answer.decision == Outcome::RequireApproval);
    let message = format!("Policy blocked the request: {}", answer.reason_code);
    Some(Failure { message, error: facts, approval_id })
}
