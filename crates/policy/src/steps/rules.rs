//! Step 6: the workspace's own rules.

use model::{Outcome, ReasonCode};

use super::Finding;
use crate::case::Case;
use crate::rules::RuleVerdict;

pub(super) fn run(case: &Case<'_>) -> Finding {
    let found = match &case.rules.live {
        RuleVerdict::Silent => return Finding::SKIPPED,
        RuleVerdict::Deny(_) => Finding::deny(ReasonCode::PolicyDenies),
        RuleVerdict::Unevaluable(_) => Finding::deny(ReasonCode::PolicyUnevaluable),
        RuleVerdict::Ask(_) => case.needs_approval(ReasonCode::PolicyRequiresApproval),
        RuleVerdict::Allow(_) => Finding::decided(Outcome::Allow, ReasonCode::PolicyAllows),
    };
    match case.rules.live.rules().first() {
        Some(rule) => found.because(rule.to_string()),
        None => found,
    }
}
