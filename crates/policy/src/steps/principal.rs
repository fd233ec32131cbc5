//! After step 2, for actors that are no agents: the principal is known and live.
//!
//! It comes after the token so that a bad token is named first. A revoked agent is refused here too
//! when it asks under another kind of actor.

use model::{ActorType, ReasonCode};

use super::Finding;
use crate::case::Case;

pub(super) fn run(case: &Case<'_>) -> Finding {
    if case.ask.actor.kind == ActorType::Agent || case.asker.is_none() {
        return Finding::SKIPPED;
    }
    let Some(principal) = case.principal else {
        return Finding::deny(ReasonCode::PrincipalNotFound);
    };
    if let Some(agent) = case.agent.filter(|agent| agent.revoked_at.is_some()) {
        return Finding::deny(ReasonCode::AgentRevoked).because(agent.agent_id.as_str().to_owned());
    }
    if principal.revoked_at.is_some() {
        return Finding::deny(ReasonCode::PrincipalRevoked).because(principal.principal_id.as_str().to_owned());
    }
    Finding::PASSED
}
