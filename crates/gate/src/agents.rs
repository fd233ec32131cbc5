//! Agents: principals that are programs acting for somebody. Registered, quarantined, let out of
//! quarantine, revoked.

mod quarantine;
mod register;
mod release;
mod revoke;

use model::AgentId;
use store::Tx;
use store::rows::AgentRow;

use crate::Refusal;
use crate::change::By;

pub use quarantine::{QuarantineAgentInput, QuarantineAgentOutput};
pub use register::{RegisterAgentInput, RegisterAgentOutput};
pub use release::UnquarantineAgentOutput;
pub use revoke::RevokeAgentOutput;

fn unknown() -> Refusal {
    Refusal::not_found("agent_not_found", "there is no such agent")
}

fn id(text: &str) -> Result<AgentId, Refusal> {
    AgentId::parse(text).map_err(|_| unknown())
}

/// The agent, when it is there for this caller and the caller may change it.
fn to_change(tx: &Tx<'_>, by: &By, id: &AgentId) -> Result<AgentRow, Refusal> {
    let row = tx.get::<AgentRow>(&[id.as_str()]);
    let row = row.filter(|row| by.sees(row.workspace_id.as_ref())).cloned().ok_or_else(unknown)?;
    by.may_change(row.workspace_id.as_ref())?;
    Ok(row)
}
