//! Letting an agent out of quarantine. The event keeps what it was in for.

use model::AgentId;
use model::event::EventType;
use serde::{Deserialize, Serialize};
use store::rows::AgentRow;
use store::{Command, ObjectKind, Reads, Tx};

use super::{id, to_change};
use crate::change::{By, Facts};
use crate::{Caller, Gate, GateError, Refusal};

/// An agent that is not in quarantine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UnquarantineAgentOutput {
    /// Always true.
    pub ok: bool,
    /// The agent.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub agent_id: AgentId,
    /// Whether it was not in quarantine before; then nothing changed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub already_unquarantined: bool,
}

impl Gate {
    /// Lets an agent out of quarantine.
    ///
    /// # Errors
    /// 404 `agent_not_found`; 403 `forbidden` for an agent of all workspaces when the key is for
    /// one; see [`GateError`].
    pub async fn unquarantine_agent(
        &self,
        caller: &Caller,
        agent_id: &str,
    ) -> Result<UnquarantineAgentOutput, GateError> {
        let agent_id = self.told(caller, id(agent_id)).await?;
        let released = self
            .submit(caller, None, |caller| Ok(UnquarantineAgent { by: By::of(caller), agent_id: agent_id.clone() }))
            .await?;
        Ok(released.value)
    }
}

struct UnquarantineAgent {
    by: By,
    agent_id: AgentId,
}

impl Command for UnquarantineAgent {
    type Output = UnquarantineAgentOutput;
    type Refusal = Refusal;

    fn reads(&self, reads: &mut Reads) {
        self.by.moves_any_policy(reads);
        reads.row::<AgentRow>(&[self.agent_id.as_str()]);
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<UnquarantineAgentOutput, Refusal> {
        let mut row = to_change(tx, &self.by, &self.agent_id)?;
        let before = (row.quarantined_at.take(), row.quarantine_reason.take());
        let already_unquarantined = before.0.is_none();
        if !already_unquarantined {
            tx.put(row.clone());
            Facts::new()
                .with("agent_id", &row.agent_id)
                .with("principal_id", &row.principal_id)
                .with("display_name", &row.display_name)
                .with("previous_quarantined_at", before.0)
                .with("previous_quarantine_reason", before.1)
                .record(tx, &self.by.context(false), EventType::AgentUnquarantined);
            self.by.changed(tx, row.workspace_id.as_ref(), ObjectKind::Agent, row.agent_id.as_str());
        }
        Ok(UnquarantineAgentOutput { ok: true, agent_id: row.agent_id, already_unquarantined })
    }
}
