//! Registering an agent makes its principal, too, which goes by the agent's id.

use model::event::EventType;
use model::{ActorType, AgentId, PrincipalId, Zone};
use serde::{Deserialize, Serialize};
use store::rows::{AgentRow, PrincipalRow};
use store::{Command, IdempotencyKey, ObjectKind, Reads, Tx};

use crate::change::{By, Facts};
use crate::principals::record_created;
use crate::wording::Wording;
use crate::{Answered, Caller, Gate, GateError, Refusal};

/// LIMIT: the longest display name, in characters.
const NAME_CHARS_MAX: usize = 200;

/// An agent to be registered.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RegisterAgentInput {
    /// 1 to 200 characters.
    pub display_name: Option<String>,
    /// The highest zone its key may name: `sandbox`, `supervised` (without one) or `high_stakes`.
    pub zone_max: Option<String>,
}

/// An agent that was registered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RegisterAgentOutput {
    /// Its id: the `actor_id` of its asks.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub agent_id: AgentId,
    /// The principal it is.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub principal_id: PrincipalId,
}

impl Gate {
    /// Registers an agent in the caller's workspace.
    ///
    /// # Errors
    /// 400 `invalid_display_name`, `invalid_zone_max`; see [`GateError`].
    pub async fn register_agent(
        &self,
        caller: &Caller,
        input: RegisterAgentInput,
        once: Option<IdempotencyKey>,
    ) -> Result<Answered<RegisterAgentOutput>, GateError> {
        let agent = self.told(caller, NewAgent::read(&input)).await?;
        self.submit(caller, once, |caller| Ok(RegisterAgent { by: By::of(caller), agent: agent.clone() })).await
    }
}

#[derive(Clone)]
struct NewAgent {
    agent_id: AgentId,
    principal_id: PrincipalId,
    display_name: String,
    zone_max: Zone,
    contains_secrets: bool,
}

impl NewAgent {
    fn read(input: &RegisterAgentInput) -> Result<Self, Refusal> {
        let invalid = || {
            let detail = format!("1 to {NAME_CHARS_MAX} characters, none of them a control character");
            Refusal::invalid("invalid_display_name", detail).at("/display_name")
        };
        let name = input.display_name.as_deref().map(str::trim).unwrap_or_default();
        if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || name.chars().any(char::is_control) {
            return Err(invalid());
        }
        let zone_max = match input.zone_max.as_deref() {
            None => Zone::Supervised,
            Some(text) => Zone::parse(text.trim()).ok_or_else(|| {
                Refusal::invalid("invalid_zone_max", "one of `sandbox`, `supervised`, `high_stakes`").at("/zone_max")
            })?,
        };
        let mut wording = Wording::new();
        let display_name = wording.clean(name);
        Ok(Self {
            agent_id: AgentId::new(),
            principal_id: PrincipalId::new(),
            display_name,
            zone_max,
            contains_secrets: wording.contains_secrets(),
        })
    }
}

struct RegisterAgent {
    by: By,
    agent: NewAgent,
}

impl Command for RegisterAgent {
    type Output = RegisterAgentOutput;
    type Refusal = Refusal;

    fn reads(&self, reads: &mut Reads) {
        self.by.moves_policy(reads);
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<RegisterAgentOutput, Refusal> {
        let (agent, workspace) = (&self.agent, &self.by.workspace_id);
        let context = self.by.context(agent.contains_secrets);
        let principal = PrincipalRow {
            principal_id: agent.principal_id.clone(),
            workspace_id: Some(workspace.clone()),
            principal_type: ActorType::Agent,
            legacy_actor_type: Some(ActorType::Agent),
            legacy_actor_id: Some(agent.agent_id.as_str().to_owned()),
            created_at: tx.now(),
            revoked_at: None,
        };
        tx.put(principal.clone());
        record_created(tx, &context, &principal);
        self.by.changed(tx, Some(workspace), ObjectKind::Principal, agent.principal_id.as_str());
        tx.put(AgentRow {
            agent_id: agent.agent_id.clone(),
            workspace_id: Some(workspace.clone()),
            principal_id: agent.principal_id.clone(),
            display_name: agent.display_name.clone(),
            zone_max: agent.zone_max,
            created_at: tx.now(),
            revoked_at: None,
            quarantined_at: None,
            quarantine_reason: None,
        });
        Facts::new()
            .with("agent_id", &agent.agent_id)
            .with("principal_id", &agent.principal_id)
            .with("display_name", &agent.display_name)
            .with("zone_max", agent.zone_max)
            .record(tx, &context, EventType::AgentRegistered);
        self.by.changed(tx, Some(workspace), ObjectKind::Agent, agent.agent_id.as_str());
        Ok(RegisterAgentOutput { agent_id: agent.agent_id.clone(), principal_id: agent.principal_id.clone() })
    }
}
