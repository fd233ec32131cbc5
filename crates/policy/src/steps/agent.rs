//! Step 1: an agent acts as a live agent principal of this workspace, and as nobody else.

use model::{ActorType, ReasonCode};

use super::Finding;
use crate::case::Case;

pub(super) fn run(case: &Case<'_>) -> Finding {
    if case.ask.actor.kind != ActorType::Agent {
        return Finding::SKIPPED;
    }
    // The principal has to be given: an agent's name alone proves nothing.
    if case.ask.principal_id.is_none() {
        return Finding::deny(ReasonCode::AgentPrincipalRequired);
    }
    let (Some(principal), Some(agent)) = (case.principal, case.agent) else {
        return Finding::deny(ReasonCode::AgentPrincipalNotFound);
    };
    if agent.agent_id.as_str() != case.ask.actor.id {
        return Finding::deny(ReasonCode::AgentActorIdMismatch).because(agent.agent_id.as_str().to_owned());
    }
    if agent.revoked_at.is_some() {
        return Finding::deny(ReasonCode::AgentRevoked).because(agent.agent_id.as_str().to_owned());
    }
    if principal.revoked_at.is_some() {
        return Finding::deny(ReasonCode::PrincipalRevoked).because(principal.principal_id.as_str().to_owned());
    }
    Finding::PASSED
}
