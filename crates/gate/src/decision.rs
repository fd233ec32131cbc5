//! Decisions as they are kept: the row with its trace, the `policy.*` event of a negative one, and
//! the log of allows, which nobody waits for.

mod allow_log;
pub(crate) mod log;
mod rendered;
pub mod why;

use model::decision::{Other, RuleId, Step, TraceStep, Verdict};
use model::event::{EventContext, EventDraft, EventType};
use model::{ApprovalId, Canonical, Category, Decision, DecisionId, Mode, Outcome, PrincipalId, ReasonCode, Time};
use serde::Serialize;
use store::rows::DecisionRow;

pub(crate) use allow_log::AllowLog;
pub(crate) use log::DecisionLog;
pub(crate) use rendered::rendered;

/// The `reason` of an answer: a sentence, for everything but an allow.
pub(crate) fn reason(outcome: Outcome, code: ReasonCode) -> Option<&'static str> {
    (outcome != Outcome::Allow).then(|| code.sentence())
}

/// What a kept decision says besides the decision itself.
pub(crate) struct Kept<'a> {
    pub(crate) id: DecisionId,
    pub(crate) category: Category,
    /// Without secrets.
    pub(crate) action: &'a str,
    pub(crate) context: &'a EventContext,
    pub(crate) principal_id: Option<&'a PrincipalId>,
    pub(crate) mode: Mode,
    pub(crate) approval_id: Option<ApprovalId>,
    pub(crate) trace: Canonical,
    pub(crate) rules: Canonical,
    pub(crate) at: Time,
}

/// The row of a decision.
pub(crate) fn row(decision: &Decision, kept: Kept<'_>) -> DecisionRow {
    DecisionRow {
        decision_id: kept.id,
        workspace_id: kept.context.workspace_id.clone(),
        category: kept.category.as_str().to_owned(),
        action: kept.action.to_owned(),
        actor_type: kept.context.actor.kind,
        actor_id: kept.context.actor.id.clone(),
        principal_id: kept.principal_id.cloned(),
        decision: decision.outcome.as_str().to_owned(),
        reason_code: decision.reason_code.as_str().to_owned(),
        enforcement_mode: kept.mode,
        blocked: decision.blocks(kept.mode),
        rules: kept.rules,
        trace: kept.trace,
        approval_id: kept.approval_id,
        policy_version: decision.policy_version.and_then(|version| i64::try_from(version).ok()),
        trial: decision.trial.as_ref().map(other),
        candidate: decision.candidate.as_ref().map(other),
        correlation_id: kept.context.correlation_id.clone(),
        created_at: kept.at,
    }
}

/// What other rules would have made of it.
fn other(other: &Other) -> Canonical {
    Canonical::of(other).unwrap_or_else(|_| Canonical::empty())
}

/// The ids of the rules as they are kept.
pub(crate) fn rules(decision: &Decision) -> Canonical {
    rendered(&decision.rules)
}

#[derive(Serialize)]
struct PolicyFacts<'a> {
    action: &'a str,
    blocked: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    capability_token_id: Option<&'a str>,
    category: Category,
    enforcement_mode: Mode,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    reason_code: &'static str,
    #[serde(skip_serializing_if = "<[RuleId]>::is_empty")]
    rules: &'a [RuleId],
}

/// The `policy.*` event of a decision that is no allow.
pub(crate) fn policy_event(
    decision: &Decision,
    category: Category,
    action: &str,
    token: Option<&str>,
    mode: Mode,
) -> Option<EventDraft> {
    let event_type = match decision.outcome {
        Outcome::Allow => return None,
        Outcome::RequireApproval => EventType::PolicyRequiresApproval,
        Outcome::Deny => EventType::PolicyDenied,
    };
    let facts = PolicyFacts {
        action,
        blocked: decision.blocks(mode),
        capability_token_id: token,
        category,
        enforcement_mode: mode,
        reason: reason(decision.outcome, decision.reason_code),
        reason_code: decision.reason_code.as_str(),
        rules: &decision.rules,
    };
    Some(EventDraft::new(event_type, rendered(&facts)))
}

/// A step of the trace, its members in canonical order; it reads back as a [`TraceStep`].
#[derive(Serialize)]
struct KeptStep<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    approval_id: Option<&'a ApprovalId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fact: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<Outcome>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason_code: Option<ReasonCode>,
    result: &'static str,
    step: Step,
}

/// The trace as it is kept: without the steps that do not apply. On the hot path they would be most
/// of the row, and which they are follows from those that are there.
pub(crate) fn trace(decision: &Decision) -> Canonical {
    let steps: Vec<KeptStep<'_>> = decision.trace.iter().filter_map(kept_step).collect();
    rendered(&steps)
}

/// The whole trace again: what [`trace`] left out are the steps that do not apply.
#[must_use]
pub fn whole_trace(kept: &Canonical) -> Canonical {
    let Ok(mut applied) = serde_json::from_str::<Vec<TraceStep>>(kept.as_str()) else { return kept.clone() };
    let steps: Vec<TraceStep> = Step::ALL
        .iter()
        .map(|&step| match applied.iter().position(|s| s.step == step) {
            Some(place) => applied.swap_remove(place),
            None => TraceStep { step, verdict: Verdict::Skipped, fact: None },
        })
        .collect();
    Canonical::of(&steps).unwrap_or_else(|_| kept.clone())
}

fn kept_step(step: &TraceStep) -> Option<KeptStep<'_>> {
    let mut kept = KeptStep {
        approval_id: None,
        fact: step.fact.as_deref(),
        outcome: None,
        reason_code: None,
        result: "passed",
        step: step.step,
    };
    match &step.verdict {
        Verdict::Passed => {}
        Verdict::Skipped => return None,
        Verdict::Decided { outcome, reason_code } => {
            kept.result = "decided";
            kept.outcome = Some(*outcome);
            kept.reason_code = Some(*reason_code);
        }
        Verdict::Lifted { reason_code, approval_id } => {
            kept.result = "lifted";
            kept.reason_code = Some(*reason_code);
            kept.approval_id = Some(approval_id);
        }
    }
    Some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_trace_reads_back_without_the_steps_that_do_not_apply() {
        let lifted =
            Verdict::Lifted { reason_code: ReasonCode::ExternalWriteRequiresApproval, approval_id: ApprovalId::new() };
        let decided = Verdict::Decided { outcome: Outcome::Deny, reason_code: ReasonCode::KillSwitchActive };
        let steps = vec![
            TraceStep { step: Step::AgentBinding, verdict: Verdict::Skipped, fact: None },
            TraceStep { step: Step::ActionRegistry, verdict: Verdict::Passed, fact: Some("a \"fact\"".into()) },
            TraceStep { step: Step::KillSwitch, verdict: decided, fact: None },
            TraceStep { step: Step::Base, verdict: lifted, fact: Some("x".into()) },
        ];
        let decision = Decision {
            outcome: Outcome::Deny,
            reason_code: ReasonCode::KillSwitchActive,
            rules: vec![],
            approval: None,
            quota_limit: None,
            always_enforced: false,
            policy_version: None,
            ground: model::decision::Ground::default(),
            trial: None,
            candidate: None,
            trace: steps.clone(),
        };
        let kept = trace(&decision);
        let whole: Vec<TraceStep> = serde_json::from_str(whole_trace(&kept).as_str()).unwrap();
        assert_eq!(whole.len(), Step::ALL.len());
        assert!(steps.iter().all(|step| whole.contains(step)), "{whole:?}");
        let steps: Vec<TraceStep> = steps.into_iter().filter(|s| s.verdict != Verdict::Skipped).collect();
        assert_eq!(steps.len(), 3);
        assert_eq!(serde_json::from_str::<Vec<TraceStep>>(kept.as_str()).unwrap(), steps);
        assert_eq!(Canonical::of(&steps).unwrap(), kept);
    }
}
