//! The action registry: what is known of an action.

use std::sync::Arc;

use model::{Action, WorkspaceId, Zone};

use super::shelf::{Map, Seed};

/// One known action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryEntry {
    /// The action.
    pub action: Action,
    /// The workspace it is set for; `None` = the install's default.
    pub workspace_id: Option<WorkspaceId>,
    /// Whether what it does can be taken back.
    pub reversible: bool,
    /// The zone it belongs to.
    pub zone_required: Zone,
    /// Whether a human must say yes before.
    pub requires_pre_approval: bool,
    /// Whether a human looks at it afterwards. Says nothing about the decision.
    pub post_review_required: bool,
}

/// The entries of a workspace, or of the install.
#[derive(Debug, Clone)]
pub(super) struct Registry(Map<Action, Arc<RegistryEntry>>);

impl Registry {
    pub(super) fn new() -> Self {
        Self(Map::with_hasher(Seed::default()))
    }

    pub(super) fn get(&self, action: &Action) -> Option<&RegistryEntry> {
        self.0.get(action).map(|entry| &**entry)
    }

    pub(super) fn put(&mut self, entry: RegistryEntry) {
        self.0.insert(entry.action.clone(), Arc::new(entry));
    }
}
