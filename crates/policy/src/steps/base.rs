//! Step 7: the built-in rule of the action, else the workspace's default.

use model::ask::{EgressSubject, Subject};
use model::{Action, Outcome, ReasonCode};

use super::{Finding, label};
use crate::case::Case;
use crate::destination;
use crate::snapshot::settings::DefaultDecision;

/// What the trace says where an allow rule took the place of an approval.
const BY_RULE: &str = "lifted by a rule";

/// `allowed` = a rule allows, which lifts the asks for `external.*` and a default deny.
pub(crate) fn run(case: &Case<'_>, allowed: bool) -> Finding {
    if let Subject::Egress(egress) = &case.ask.subject
        && let Some(found) = forbidden(case, egress)
    {
        return found;
    }
    match (leaving(case, allowed), label::run(case)) {
        (Some(leaving), Some(label)) => leaving.or_stricter(label),
        (Some(found), None) | (None, Some(found)) => found,
        (None, None) => default(case, allowed),
    }
}

/// A forbidden address written out: refused before anybody is asked. Not a matter of policy, so it
/// has no shadow mode.
fn forbidden(case: &Case<'_>, egress: &EgressSubject) -> Option<Finding> {
    let trusted = &case.snapshot.defaults().trusted_upstreams;
    let port = egress.target.as_ref().map(|target| target.port());
    let target = egress.target.as_ref().map(|target| target.domain());
    [egress.target_domain.as_deref(), target]
        .into_iter()
        .flatten()
        .find_map(|host| destination::forbidden_literal(host, port, trusted))
        .map(|kind| Finding::deny(ReasonCode::DestinationDenied).because(kind.as_str()))
}

/// What really leaves needs a human's yes or a rule's.
fn leaving(case: &Case<'_>, allowed: bool) -> Option<Finding> {
    let reason = match case.ask.action.as_str() {
        Action::EXTERNAL_WRITE => ReasonCode::ExternalWriteRequiresApproval,
        Action::EXTERNAL_READ => ReasonCode::ExternalReadRequiresApproval,
        _ => return None,
    };
    Some(if allowed { Finding::PASSED.because(BY_RULE) } else { case.needs_approval(reason) })
}

fn default(case: &Case<'_>, allowed: bool) -> Finding {
    match case.settings.default_decision.unwrap_or(DefaultDecision::Allow) {
        DefaultDecision::Allow => Finding::decided(Outcome::Allow, ReasonCode::DefaultAllow),
        DefaultDecision::Deny if allowed => Finding::PASSED.because(BY_RULE),
        DefaultDecision::Deny => Finding::deny(ReasonCode::NoPolicyPermits).because("default_decision: deny"),
    }
}
