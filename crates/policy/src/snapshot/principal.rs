//! Who can ask: principals, the names they go by, and agents.

use std::sync::Arc;

use model::{Actor, ActorType, AgentId, PrincipalId, Time, WorkspaceId, Zone};
use smallvec::SmallVec;

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

impl Keyed for Principal {
    fn key(&self) -> &str {
        self.principal_id.as_str()
    }
}

impl Keyed for Agent {
    fn key(&self) -> &str {
        self.agent_id.as_str()
    }
}

/// The same agent, found by the principal it is.
#[derive(Debug, Clone)]
pub(super) struct ByPrincipal(pub(super) Arc<Agent>);

impl Keyed for ByPrincipal {
    fn key(&self) -> &str {
        self.0.principal_id.as_str()
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
