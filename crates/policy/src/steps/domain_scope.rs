//! Step 2e: the token covers the domain to be reached.

use model::domain::DomainPattern;
use model::{ReasonCode, ask::Subject};

use super::{Finding, scope};
use crate::case::Case;

pub(super) fn run(case: &Case<'_>) -> Finding {
    let (Some(chain), Subject::Egress(egress)) = (scope::chain(case), &case.ask.subject) else {
        return Finding::SKIPPED;
    };
    let reasons = scope::Reasons {
        required: ReasonCode::CapabilityScopeEgressDomainRequired,
        not_allowed: ReasonCode::CapabilityScopeDomainNotAllowed,
    };
    // A target and a domain that differ must both be covered.
    let target = egress.target.as_ref().map(|target| target.domain());
    let hosts = [egress.target_domain.as_deref(), target];
    if hosts == [None, None] {
        return Finding::deny(if scope::lacks(chain, |scopes| &scopes.egress_domains) {
            reasons.required
        } else {
            ReasonCode::CapabilityScopeContextMissingEgressDomain
        });
    }
    scope::check(
        chain,
        &reasons,
        |scopes| &scopes.egress_domains,
        |domains| {
            hosts.iter().flatten().all(|host| {
                domains.contains(*host)
                    || domains.iter().any(|each| DomainPattern::parse(each).is_ok_and(|pattern| pattern.matches(host)))
            })
        },
    )
}
