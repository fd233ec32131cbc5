//! The decision itself: runs every step and keeps the strictest.

use model::decision::{ApprovalUse, Ground, Other, Step, TraceStep, Verdict, Voice};
use model::{ApprovalId, Ask, Decision, Outcome, ReasonCode, Time};

use crate::case::Case;
use crate::ground::{settle, stricter};
use crate::rules::RuleVerdict;
use crate::snapshot::Snapshot;
use crate::steps;

/// Decides one ask: pure, total, the same for the same input.
///
/// `now` is compared with every end: at that very moment a token or an approval no longer counts.
/// `without` names `once` approvals that turned out to be used already; they cover nothing.
///
/// The hourly quota is not counted here: [`Decision::quota_limit`] says what has to be taken when
/// the decision is recorded, and [`Decision::deny_by_quota`] what it becomes when that fails.
///
/// # Source
/// The contract, section "The gate".
#[must_use]
pub fn decide(snapshot: &Snapshot, ask: &Ask, now: Time, without: &[ApprovalId]) -> Decision {
    let case = Case::gather(snapshot, ask, now, without);
    let mut trace = Vec::with_capacity(Step::ALL.len());
    let mut spoken: Voice = None;
    let mut ground = Ground::default();
    let mut destination_denied = false;
    let mut lifted = false;
    let mut quota_limit = None;

    for &step in Step::ALL {
        let finding = match step {
            Step::Quota => {
                // Asks take from the quota too; what is denied already does not.
                let denied = spoken.is_some_and(|(outcome, _)| outcome == Outcome::Deny);
                quota_limit = if denied { None } else { steps::quota::limit(&case) };
                steps::quota::run(quota_limit)
            }
            _ => steps::run(step, &case),
        };
        let said = voice(&finding.verdict);
        match step {
            Step::PolicyRules => ground.fixed = spoken,
            Step::Base => (ground.base, ground.base_if_allowed) = both(&case, said),
            _ => {}
        }
        // Strictly stricter: of equals the first in order gives the reason.
        spoken = stricter(spoken, said);
        destination_denied |= said.is_some_and(|(_, reason)| reason == ReasonCode::DestinationDenied);
        lifted |= matches!(finding.verdict, Verdict::Lifted { .. });
        trace.push(TraceStep { step, verdict: finding.verdict, fact: finding.fact });
    }

    // The base step always speaks or a rule did; were that ever untrue, nothing permits it.
    let (outcome, reason_code) = spoken.unwrap_or((Outcome::Deny, ReasonCode::NoPolicyPermits));
    let approval = (lifted && outcome == Outcome::Allow)
        .then(|| case.approval())
        .flatten()
        .map(|approval| ApprovalUse { approval_id: approval.approval_id.clone(), once: approval.once() });
    ground.approved = case.approval().is_some();
    let candidate = case.candidate().map(|rules| other(&ground, rules));
    let Case { rules, policy_version, .. } = case;
    let trial = rules.trial.map(|tried| other(&ground, tried)).filter(|tried| tried.outcome != outcome);
    let rules = if rules_spoke(&trace) == Some(outcome) { rules.live.into_ids() } else { Vec::new() };
    Decision {
        outcome,
        reason_code,
        rules,
        approval,
        quota_limit,
        always_enforced: destination_denied,
        policy_version,
        ground,
        trial,
        candidate,
        trace,
    }
}

/// What the base step says without and with a rule that allows; `said` is the one of the two that
/// holds.
fn both(case: &Case<'_>, said: Voice) -> (Voice, Voice) {
    let allowed = case.rule_allows();
    let turned = voice(&steps::base::run(case, !allowed).verdict);
    if allowed { (turned, said) } else { (said, turned) }
}

/// What it would be under other rules.
fn other(ground: &Ground, rules: RuleVerdict) -> Other {
    let (outcome, reason_code) = settle(ground, &rules);
    let determined = crate::ground::voice(&rules, ground.approved).is_some_and(|(said, _)| said == outcome);
    Other { outcome, reason_code, rules: if determined { rules.into_ids() } else { Vec::new() } }
}

/// What a step says to the outcome. A lifted ask is an allow by approval.
fn voice(verdict: &Verdict) -> Option<(Outcome, ReasonCode)> {
    match verdict {
        Verdict::Passed | Verdict::Skipped => None,
        Verdict::Decided { outcome, reason_code } => Some((*outcome, *reason_code)),
        Verdict::Lifted { .. } => Some((Outcome::Allow, ReasonCode::ApprovalAllowsAction)),
    }
}

fn rules_spoke(trace: &[TraceStep]) -> Option<Outcome> {
    let step = trace.iter().find(|each| each.step == Step::PolicyRules)?;
    voice(&step.verdict).map(|(outcome, _)| outcome)
}
