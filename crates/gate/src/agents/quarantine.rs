//! Quarantine: the agent stays known, and what it asks for is denied until it is let out.

use model::event::EventType;
use model::{AgentId, Time};
use serde::{Deserialize, Serialize};
use store::rows::AgentRow;
use store::{Command, ObjectKind, Reads, Tx};

use super::{id, to_change};
use crate::change::{By, Facts};
use crate::wording::{REASON_CHARS_MAX, Wording};
use crate::{Caller, Gate, GateError, Refusal};

/// Why an agent is quarantined.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct QuarantineAgentInput {
    /// At most 4,000 characters.
    pub quarantine_reason: Option<String>,
}

/// An agent in quarantine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct QuarantineAgentOutput {
    /// Always true.
    pub ok: bool,
    /// The agent.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub agent_id: AgentId,
    /// Since when.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub quarantined_at: Option<Time>,
    /// Why.
    pub quarantine_reason: Option<String>,
    /// Whether it was quarantined before; then nothing changed, the reason included.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub already_quarantined: bool,
}

impl Gate {
    /// Quarantines an agent.
    ///
    /// # Errors
    /// 404 `agent_not_found`; 400 `invalid_request` for a reason that is too long; 403 `forbidden`
    /// for an agent of all workspaces when the key is for one; see [`GateError`].
    pub async fn quarantine_agent(
        &self,
        caller: &Caller,
        agent_id: &str,
        input: QuarantineAgentInput,
    ) -> Result<QuarantineAgentOutput, GateError> {
        let agent_id = self.told(caller, id(agent_id)).await?;
        let mut wording = Wording::new();
        let reason = wording.optional(input.quarantine_reason.as_deref(), "/quarantine_reason", REASON_CHARS_MAX);
        let reason = self.told(caller, reason).await?;
        let contains_secrets = wording.contains_secrets();
        let quarantined = self
            .submit(caller, None, |caller| {
                Ok(QuarantineAgent {
                    by: By::of(caller),
                    agent_id: agent_id.clone(),
                    reason: reason.clone(),
                    contains_secrets,
                })
            })
            .await?;
        Ok(quarantined.value)
    }
}

struct QuarantineAgent {
    by: By,
    agent_id: AgentId,
    reason: Option<String>,
    contains_secrets: bool,
}

impl Command for QuarantineAgent {
    type Output = QuarantineAgentOutput;
    type Refusal = Refusal;

    fn reads(&self, reads: &mut Reads) {
        self.by.moves_any_policy(reads);
        reads.row::<AgentRow>(&[self.agent_id.as_str()]);
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<QuarantineAgentOutput, Refusal> {
        let mut row = to_change(tx, &self.by, &self.agent_id)?;
        let already_quarantined = row.quarantined_at.is_some();
        if !already_quarantined {
            row.quarantined_at = Some(tx.now());
            row.quarantine_reason = self.reason.clone();
            tx.put(row.clone());
            Facts::new()
                .with("agent_id", &row.agent_id)
                .with("principal_id", &row.principal_id)
                .with("display_name", &row.display_name)
                .with("quarantined_at", row.quarantined_at)
                .with("quarantine_reason", &row.quarantine_reason)
                .record(tx, &self.by.context(self.contains_secrets), EventType::AgentQuarantined);
            self.by.changed(tx, row.workspace_id.as_ref(), ObjectKind::Agent, row.agent_id.as_str());
        }
        Ok(QuarantineAgentOutput {
            ok: true,
            agent_id: row.agent_id,
            quarantined_at: row.quarantined_at,
            quarantine_reason: row.quarantine_reason,
            already_quarantined,
        })
    }
}
