//! Step 2e: the token covers the domain to be reached.

use model::ReasonCode;
use model::ask::Subject;

use super::{Finding, scope};
use crate::case::Case;

const DOMAINS: scope::List = scope::List {
    is_empty: |scopes| scopes.egress_domains.is_empty(),
    required: ReasonCode::CapabilityScopeEgressDomainRequired,
    not_allowed: ReasonCode::CapabilityScopeDomainNotAllowed,
};

pub(super) fn run(case: &Case<'_>) -> Finding {
    let (Some(chain), Subject::Egress(egress)) = (scope::chain(case), &case.ask.subject) else {
        return Finding::SKIPPED;
    };
    let target = egress.target.as_ref().map(|target| target.domain());
    match (egress.target_domain.as_deref(), target) {
        (None, None) => scope::unsaid(chain, &DOMAINS, ReasonCode::CapabilityScopeContextMissingEgressDomain),
        (Some(host), None) | (None, Some(host)) => scope::check(chain, &DOMAINS, |scopes| scopes.covers_domain(host)),
        (Some(host), Some(target)) if host == target => {
            scope::check(chain, &DOMAINS, |scopes| scopes.covers_domain(host))
        }
        // What was named and where it really goes differ: both have to be covered.
        (Some(host), Some(target)) => {
            scope::check(chain, &DOMAINS, |scopes| scopes.covers_domain(host) && scopes.covers_domain(target))
        }
    }
}
