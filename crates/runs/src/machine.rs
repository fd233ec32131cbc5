//! A run as a state machine: `step(plan, state, event, now)` gives the next state and the effects to
//! carry out, in order. Pure and total; whoever carries out the effects decides nothing.
//!
//! One attempt begins at the first step that has not ended, and each step goes
//! `Ready ─▶ Asking ─▶ Running ─▶ Ready` of the next. Everything between two `Ready` is recorded in
//! one transaction when the tool has no effect outside the store; else there are two, before the
//! effect and after it.

#[cfg(test)]
mod tests;

use gate::ToolVerdict;
use model::{ApprovalId, Outcome, Time};
use serde_json::Value;

use crate::plan::Plan;

/// Where a run is within an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// The step it is at.
    pub at: usize,
    /// Where in the step.
    pub phase: Phase,
    /// How many steps have failed and were passed over.
    pub passed_over: usize,
    /// When its time is over.
    pub times_out_at: Option<Time>,
}

/// Where in a step a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// The step is to begin.
    Ready,
    /// The gate is asked for the tool.
    Asking,
    /// The tool runs.
    Running,
    /// The run waits for a human.
    Waiting,
    /// The run has ended.
    Ended,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The step may begin.
    Begin,
    /// The gate said this of the tool call.
    Ruled(ToolVerdict),
    /// The tool ended well.
    Finished(Value),
    /// The tool asked the gate, and was blocked.
    Blocked(Failure),
    /// The tool, or what leads to it, ended badly.
    Broken(Failure),
}

/// Why a tool call failed.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// What people read; never a secret.
    pub message: String,
    /// What programs read.
    pub error: Value,
    /// What a human could approve to let it pass.
    pub approval_id: Option<ApprovalId>,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// The step is there, made now when it was not.
    EnsureStep,
    /// Ask the gate for the tool; gives [`Event::Ruled`] or [`Event::Broken`].
    AskTool,
    /// Record that the tool is called.
    Invoke,
    /// Run the tool; gives [`Event::Finished`], [`Event::Blocked`] or [`Event::Broken`]. A tool with an
    /// effect outside gives it later: the run stays [`Phase::Running`] until it is carried out.
    Execute,
    /// Record that the tool call ended well.
    Succeed(Value),
    /// Record that it failed. `parks`: because the run now waits.
    Fail {
        /// Why.
        failure: Failure,
        /// Whether it is tried again once a human has decided.
        parks: bool,
    },
    /// Record that the run waits for this approval.
    Park(ApprovalId),
    /// Record that the run succeeded.
    Complete,
    /// Record that the run failed.
    FailRun(Failure),
    /// Record that the run failed because its time is over.
    TimeOut,
}

/// Effects in order.
pub type Effects = Vec<Effect>;

/// What happens next. Events that do not belong to a state change nothing.
#[must_use]
pub fn step(plan: &Plan, state: State, event: Event, now: Time) -> (State, Effects) {
    if state.times_out_at.is_some_and(|end| end <= now)
        && matches!(state.phase, Phase::Ready | Phase::Asking | Phase::Running)
    {
        return (State { phase: Phase::Ended, ..state }, vec![Effect::TimeOut]);
    }
    match (state.phase, event) {
        (Phase::Ready, Event::Begin) => {
            (State { phase: Phase::Asking, ..state }, vec![Effect::EnsureStep, Effect::AskTool])
        }
        (Phase::Asking, Event::Ruled(verdict)) if verdict.blocked => {
            let failure = Failure::by_tool_policy(plan, state.at, verdict);
            let (state, mut effects) = failed(plan, state, failure, true);
            effects.insert(0, Effect::Invoke);
            (state, effects)
        }
        (Phase::Asking, Event::Ruled(_)) => {
            (State { phase: Phase::Running, ..state }, vec![Effect::Invoke, Effect::Execute])
        }
        (Phase::Asking, Event::Broken(failure)) => {
            let (state, mut effects) = failed(plan, state, failure, false);
            effects.insert(0, Effect::Invoke);
            (state, effects)
        }
        (Phase::Running, Event::Finished(output)) => {
            let (state, mut effects) = next(plan, state);
            effects.insert(0, Effect::Succeed(output));
            (state, effects)
        }
        (Phase::Running, Event::Blocked(failure)) => failed(plan, state, failure, true),
        (Phase::Running, Event::Broken(failure)) => failed(plan, state, failure, false),
        (Phase::Ready, Event::Ruled(_) | Event::Finished(_) | Event::Blocked(_) | Event::Broken(_))
        | (Phase::Asking, Event::Begin | Event::Finished(_) | Event::Blocked(_))
        | (Phase::Running, Event::Begin | Event::Ruled(_))
        | (Phase::Waiting | Phase::Ended, _) => (state, Vec::new()),
    }
}

/// The step has ended; what comes after it.
fn next(plan: &Plan, state: State) -> (State, Effects) {
    let at = state.at + 1;
    if at < plan.steps.len() {
        return (State { at, phase: Phase::Ready, ..state }, Vec::new());
    }
    (State { phase: Phase::Ended, ..state }, vec![Effect::Complete])
}

fn failed(plan: &Plan, state: State, failure: Failure, by_gate: bool) -> (State, Effects) {
    if let (true, true, Some(approval)) = (plan.waits, by_gate, failure.approval_id.clone()) {
        let effects = vec![Effect::Fail { failure, parks: true }, Effect::Park(approval)];
        return (State { phase: Phase::Waiting, ..state }, effects);
    }
    if plan.step(state.at).is_some_and(|step| step.continue_on_error) {
        let (state, mut effects) = next(plan, State { passed_over: state.passed_over + 1, ..state });
        effects.insert(0, Effect::Fail { failure, parks: false });
        return (state, effects);
    }
    let effects = vec![Effect::Fail { failure: failure.clone(), parks: false }, Effect::FailRun(failure)];
    (State { phase: Phase::Ended, ..state }, effects)
}

impl Failure {
    /// A failure that is nobody's decision.
    #[must_use]
    pub fn coded(stage: &str, code: &str, message: &str, tool_name: &str) -> Self {
        let error = serde_json::json!({
            "source": crate::worker::ACTOR,
            "stage": stage,
            "code": code,
            "tool_name": tool_name,
        });
        Self { message: message.to_owned(), error, approval_id: None }
    }

    fn by_tool_policy(plan: &Plan, at: usize, verdict: ToolVerdict) -> Self {
        let mut error = serde_json::json!({
            "source": crate::worker::ACTOR,
            "stage": "tool_policy",
            "decision": verdict.decision,
            "reason_code": verdict.reason_code,
            "blocked": true,
            "enforcement_mode": verdict.enforcement_mode,
            "tool_name": plan.step(at).map_or("", |step| step.tool_name()),
        });
        let approval = verdict.approval_id.filter(|_| verdict.decision == Outcome::RequireApproval);
        if let Some(members) = error.as_object_mut() {
            if let Some(reason) = &verdict.reason {
                members.insert("reason".to_owned(), reason.as_ref().into());
            }
            if let Some(approval) = &approval {
                members.insert("approval_id".to_owned(), approval.as_str().into());
            }
        }
        let message = format!("Policy blocked the tool call: {}", verdict.reason_code);
        Self { message, error, approval_id: approval }
    }
}
