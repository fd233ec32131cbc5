//! Step 4: a quarantined agent does nothing; it may still look at data.

use model::{Category, ReasonCode};

use super::Finding;
use crate::case::Case;

pub(super) fn run(case: &Case<'_>) -> Finding {
    if case.ask.category() == Category::DataAccess {
        return Finding::SKIPPED;
    }
    match case.agent {
        None => Finding::SKIPPED,
        Some(agent) if agent.quarantined_at.is_some() => {
            Finding::deny(ReasonCode::AgentQuarantined).because(agent.agent_id.as_str().to_owned())
        }
        Some(_) => Finding::PASSED,
    }
}
