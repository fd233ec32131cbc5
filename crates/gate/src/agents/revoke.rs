//! Revoking an agent: final. Its principal stays, so that what it did can be told; a decision
//! refuses whatever is asked as either.

use model::AgentId;
use model::event::EventType;
use serde::{Deserialize, Serialize};
use store::rows::AgentRow;
use store::{Command, ObjectKind, Reads, Tx};

use super::{id, to_change};
use crate::change::{By, Facts};
use crate::{Caller, Gate, GateError, Refusal};

/// An agent that is revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RevokeAgentOutput {
    /// Always true.
    pub ok: bool,
    /// The agent.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub agent_id: AgentId,
    /// Whether it was revoked before; then nothing changed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub already_revoked: bool,
}

impl Gate {
    /// Revokes an agent.
    ///
    /// # Errors
    /// 404 `agent_not_found`; 403 `forbidden` for an agent of all workspaces when the key is for
    /// one; see [`GateError`].
    pub async fn revoke_agent(&self, caller: &Caller, agent_id: &str) -> Result<RevokeAgentOutput, GateError> {
        let agent_id = self.told(caller, id(agent_id)).await?;
        let revoked = self
            .submit(caller, None, |caller| Ok(RevokeAgent { by: By::of(caller), agent_id: agent_id.clone() }))
            .await?;
        Ok(revoked.value)
    }
}

struct RevokeAgent {
    by: By,
    agent_id: AgentId,
}

impl Command for RevokeAgent {
    type Output = RevokeAgentOutput;
    type Refusal = Refusal;

    fn reads(&self, reads: &mut Reads) {
        self.by.moves_any_policy(reads);
        reads.row::<AgentRow>(&[self.agent_id.as_str()]);
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<RevokeAgentOutput, Refusal> {
        let mut row = to_change(tx, &self.by, &self.agent_id)?;
        let already_revoked = row.revoked_at.is_some();
        if !already_revoked {
            row.revoked_at = Some(tx.now());
            tx.put(row.clone());
            Facts::new()
                .with("agent_id", &row.agent_id)
                .with("principal_id", &row.principal_id)
                .with("display_name", &row.display_name)
                .with("revoked_at", row.revoked_at)
                .record(tx, &self.by.context(false), EventType::AgentRevoked);
            self.by.changed(tx, row.workspace_id.as_ref(), ObjectKind::Agent, row.agent_id.as_str());
        }
        Ok(RevokeAgentOutput { ok: true, agent_id: row.agent_id, already_revoked })
    }
}
