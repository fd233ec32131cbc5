//! A decision as a function of its rules: what all other steps say is its ground, and
//! [`settle`] says what a verdict of the rules makes of it.
//!
//! So other rules can be tried on an ask without asking again: a candidate set beside the active
//! one, rules in shadow, and the replay of what was recorded.

use model::decision::{Ground, Voice};
use model::{Outcome, ReasonCode};

use crate::rules::RuleVerdict;

/// The outcome and the primary reason that `rules` give on `ground`; the quota is not in it.
///
/// # Source
/// The contract, section 5: the strictest step wins, of equals the first in order.
#[must_use]
pub fn settle(ground: &Ground, rules: &RuleVerdict) -> (Outcome, ReasonCode) {
    let base = match rules {
        RuleVerdict::Allow(_) => ground.base_if_allowed,
        _ => ground.base,
    };
    let voices = [ground.fixed, voice(rules, ground.approved), base];
    voices.into_iter().fold(None, stricter).unwrap_or((Outcome::Deny, ReasonCode::NoPolicyPermits))
}

/// What the step of the rules says; `approved` = an approval covers the ask.
pub(crate) fn voice(rules: &RuleVerdict, approved: bool) -> Voice {
    match rules {
        RuleVerdict::Silent => None,
        RuleVerdict::Allow(_) => Some((Outcome::Allow, ReasonCode::PolicyAllows)),
        RuleVerdict::Ask(_) if approved => Some((Outcome::Allow, ReasonCode::ApprovalAllowsAction)),
        RuleVerdict::Ask(_) => Some((Outcome::RequireApproval, ReasonCode::PolicyRequiresApproval)),
        RuleVerdict::Deny(_) => Some((Outcome::Deny, ReasonCode::PolicyDenies)),
        RuleVerdict::Unevaluable(_) => Some((Outcome::Deny, ReasonCode::PolicyUnevaluable)),
    }
}

/// The stricter of two; of equals the first.
pub(crate) fn stricter(so_far: Voice, next: Voice) -> Voice {
    match (so_far, next) {
        (Some(a), Some(b)) if b.0 > a.0 => next,
        (Some(_), _) => so_far,
        (None, _) => next,
    }
}
