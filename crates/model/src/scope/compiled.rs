//! Scopes made for lookups: parsed once when a snapshot is built, read on every decision.

use super::{DataScopes, DataSet, NameSet, Resource, TokenScopes};
use crate::{Action, DomainPattern, DomainSet};

/// Scopes made for lookups. Nothing is parsed or allocated by a `covers_` call.
///
/// A list's `is_empty` tells a missing list from one that does not cover the ask.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CompiledScopes {
    /// Room ids.
    pub rooms: NameSet,
    /// Tool names.
    pub tools: NameSet,
    /// Domains.
    pub egress_domains: DomainSet,
    /// Normalised action names.
    pub action_types: NameSet,
    /// Data that may be read.
    pub data_read: DataSet,
    /// Data that may be written.
    pub data_write: DataSet,
}

impl CompiledScopes {
    /// Whether the room is covered.
    #[must_use]
    pub fn covers_room(&self, room: &str) -> bool {
        self.rooms.covers(room)
    }

    /// Whether the tool is covered; case matters.
    #[must_use]
    pub fn covers_tool(&self, tool: &str) -> bool {
        self.tools.covers(tool)
    }

    /// Whether the action is covered.
    #[must_use]
    pub fn covers_action(&self, action: &Action) -> bool {
        self.action_types.covers(action.as_str())
    }

    /// Whether the normalised host is covered.
    #[must_use]
    pub fn covers_domain(&self, host: &str) -> bool {
        self.egress_domains.covers(host)
    }

    /// Whether reading the resource is covered.
    #[must_use]
    pub fn covers_data_read(&self, resource: Resource<'_>) -> bool {
        self.data_read.covers(resource)
    }

    /// Whether writing the resource is covered.
    #[must_use]
    pub fn covers_data_write(&self, resource: Resource<'_>) -> bool {
        self.data_write.covers(resource)
    }

    /// What both cover; see [`TokenScopes::intersect`].
    #[must_use]
    pub fn intersect(&self, parent: &Self) -> Self {
        Self {
            rooms: self.rooms.intersect(&parent.rooms),
            tools: self.tools.intersect(&parent.tools),
            egress_domains: self.egress_domains.intersect(&parent.egress_domains),
            action_types: self.action_types.intersect(&parent.action_types),
            data_read: self.data_read.intersect(&parent.data_read),
            data_write: self.data_write.intersect(&parent.data_write),
        }
    }

    /// The stored form.
    #[must_use]
    pub fn to_scopes(&self) -> TokenScopes {
        TokenScopes {
            rooms: self.rooms.to_list(),
            tools: self.tools.to_list(),
            egress_domains: self.egress_domains.patterns().map(|pattern| pattern.to_string()).collect(),
            action_types: self.action_types.to_list(),
            data_access: DataScopes { read: self.data_read.to_list(), write: self.data_write.to_list() },
        }
    }
}

impl From<&TokenScopes> for CompiledScopes {
    fn from(scopes: &TokenScopes) -> Self {
        let texts = |list: &std::collections::BTreeSet<String>| list.iter().map(String::as_str).collect();
        let actions: Vec<Action> = scopes.action_types.iter().filter_map(|entry| Action::parse(entry).ok()).collect();
        Self {
            rooms: texts(&scopes.rooms),
            tools: texts(&scopes.tools),
            egress_domains: scopes.egress_domains.iter().filter_map(|entry| DomainPattern::parse(entry).ok()).collect(),
            action_types: actions.iter().map(Action::as_str).collect(),
            data_read: scopes.data_access.read.iter().map(String::as_str).collect(),
            data_write: scopes.data_access.write.iter().map(String::as_str).collect(),
        }
    }
}
