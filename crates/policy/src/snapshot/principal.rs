//! Who can ask: principals, the names they go by, and agents.

use std::sync::Arc;

use model::{Actor, ActorType, AgentId, PrincipalId, Time, WorkspaceId, Zone};
use smallvec::SmallVec;

use super::home::Home;
use super::shelf::{Keyed, Map, Seed};

/// Who is accountable for an ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Its id.
    pub principal_id: PrincipalId,
    /// Its workspace; `None` = known in all of them.
    pub workspace_id: Option<WorkspaceId>,
    /// User, agent or service.
    pub kind: ActorType,
    /// The name it goes by in asks that give no principal.
    pub legacy: Option<Actor>,
    /// When it was revoked. Final.
    pub revoked_at: Option<Time>,
}

/// A principal that is a program acting for somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// Its id; the `actor_id` of its asks.
    pub agent_id: AgentId,
    /// The name it was registered with; what rules call it.
    pub name: Arc<str>,
    /// Its workspace; `None` = known in all of them.
    pub workspace_id: Option<WorkspaceId>,
    /// The principal it is.
    pub principal_id: PrincipalId,
    /// The highest zone its key may name. Checked where the key is, not in a decision.
    pub zone_max: Zone,
    /// When it was revoked. Final.
    pub revoked_at: Option<Time>,
    /// Since when it is quarantined.
    pub quarantined_at: Option<Time>,
}

impl Keyed for Agent {
    fn key(&self) -> &str {
        self.agent_id.as_str()
    }
}

/// What is known under one principal id: the principal, and the agent that it is. One record, so that
/// a decision finds both with one look.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(super) id: PrincipalId,
    pub(super) principal: Option<(Home, Principal)>,
    pub(super) agent: Option<(Home, Agent)>,
}

impl Person {
    pub(super) fn new(id: PrincipalId) -> Self {
        Self { id, principal: None, agent: None }
    }

    /// The principal, when `workspace` knows it.
    pub(crate) fn principal_in(&self, workspace: Option<Home>) -> Option<&Principal> {
        self.principal.as_ref().filter(|(home, _)| home.is_open_to(workspace)).map(|(_, principal)| principal)
    }

    /// The agent, when `workspace` knows it.
    pub(crate) fn agent_in(&self, workspace: Option<Home>) -> Option<&Agent> {
        self.agent.as_ref().filter(|(home, _)| home.is_open_to(workspace)).map(|(_, agent)| agent)
    }
}

impl Keyed for Person {
    fn key(&self) -> &str {
        self.id.as_str()
    }
}

/// Principals by the name they go by. Where several share one, the lowest id answers.
#[derive(Debug, Clone)]
pub(super) struct Names(Map<Actor, SmallVec<[PrincipalId; 1]>>);

impl Names {
    pub(super) fn new() -> Self {
        Self(Map::with_hasher(Seed::default()))
    }

    pub(super) fn get(&self, actor: &Actor) -> Option<&PrincipalId> {
        self.0.get(actor)?.first()
    }

    pub(super) fn put(&mut self, actor: Actor, id: PrincipalId) {
        let ids = self.0.entry(actor).or_default();
        if let Err(place) = ids.binary_search(&id) {
            ids.insert(place, id);
        }
    }

    pub(super) fn remove(&mut self, actor: &Actor, id: &PrincipalId) {
        if let Some(ids) = self.0.get_mut(actor) {
            ids.retain(|each| each != id);
            if ids.is_empty() {
                self.0.remove(actor);
            }
        }
    }
}
