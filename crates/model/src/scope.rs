//! What a capability token covers, and the algebra that keeps a delegated token within its parent.
//!
//! [`TokenScopes`] is the stored and wire form, five lists of texts. [`CompiledScopes`] is the same
//! made for lookups, and the only place where lists are intersected. An entry that means nothing
//! (a row written by another program may hold one) covers nothing.

mod compiled;
mod parse;
mod set;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{Action, DomainPattern};

pub use compiled::CompiledScopes;
pub use parse::{DOMAIN_BYTES_MAX, ENTRIES_MAX, ENTRY_BYTES_MAX, InvalidScopes, ScopesFault};
pub use set::{DataSet, NameSet};

/// The scopes of a capability token. Lists are trimmed, unique and sorted; an empty list covers
/// nothing, `*` everything. Domain entries are patterns of [`crate::domain`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenScopes {
    /// Room ids, or `*`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub rooms: BTreeSet<String>,
    /// Tool names, or `*`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub tools: BTreeSet<String>,
    /// Domains, `*.suffix`, or `*`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub egress_domains: BTreeSet<String>,
    /// Actions, or `*`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub action_types: BTreeSet<String>,
    /// Labelled data.
    #[serde(default, skip_serializing_if = "DataScopes::is_empty")]
    pub data_access: DataScopes,
}

/// Which data may be read and written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataScopes {
    /// `room:<room>`, `<type>`, `resource_type:<type>`, `resource:<type>:<id>`, or `*`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub read: BTreeSet<String>,
    /// The same for writing.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub write: BTreeSet<String>,
}

/// A resource as a data scope sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resource<'a> {
    /// The room it is accessed in or belongs to, when there is one.
    pub room: Option<&'a str>,
    /// Its kind.
    pub kind: &'a str,
    /// Its id within the kind.
    pub id: &'a str,
}

impl DataScopes {
    fn is_empty(&self) -> bool {
        self.read.is_empty() && self.write.is_empty()
    }
}

impl TokenScopes {
    /// Reads the scopes of a grant: an object of lists of texts, a missing or null list being
    /// empty, null as a whole being no scopes at all.
    ///
    /// Entries are trimmed; actions and domains are normalised. At most [`ENTRIES_MAX`] entries
    /// per list of at most [`ENTRY_BYTES_MAX`] bytes each (domains [`DOMAIN_BYTES_MAX`]).
    ///
    /// # Errors
    /// [`InvalidScopes`] names the place and the rule.
    pub fn parse(value: &serde_json::Value) -> Result<Self, InvalidScopes> {
        parse::scopes(value)
    }

    /// What a token with these scopes may keep below `parent`: list by list what both cover, with
    /// `*` and `*.suffix` understood and, in data lists, a resource within its type. A list that
    /// either lacks is empty.
    ///
    /// Never covers more than either. The result is normalised: entries that mean nothing are gone.
    #[must_use]
    pub fn intersect(&self, parent: &Self) -> Self {
        CompiledScopes::from(self).intersect(&CompiledScopes::from(parent)).to_scopes()
    }

    /// Whether the room is covered.
    #[must_use]
    pub fn covers_room(&self, room: &str) -> bool {
        lists(&self.rooms, room)
    }

    /// Whether the tool is covered; case matters.
    #[must_use]
    pub fn covers_tool(&self, tool: &str) -> bool {
        lists(&self.tools, tool)
    }

    /// Whether the action is covered.
    #[must_use]
    pub fn covers_action(&self, action: &Action) -> bool {
        self.action_types.iter().any(|entry| entry == "*" || Action::parse(entry).as_ref() == Ok(action))
    }

    /// Whether the normalised host is covered. Parses every pattern: see [`CompiledScopes`] for
    /// the hot path.
    #[must_use]
    pub fn covers_domain(&self, host: &str) -> bool {
        self.egress_domains.iter().any(|entry| DomainPattern::parse(entry).is_ok_and(|pattern| pattern.matches(host)))
    }

    /// Whether reading the resource is covered.
    #[must_use]
    pub fn covers_data_read(&self, resource: Resource<'_>) -> bool {
        lists_resource(&self.data_access.read, resource)
    }

    /// Whether writing the resource is covered.
    #[must_use]
    pub fn covers_data_write(&self, resource: Resource<'_>) -> bool {
        lists_resource(&self.data_access.write, resource)
    }
}

fn lists(list: &BTreeSet<String>, name: &str) -> bool {
    list.contains("*") || list.contains(name)
}

fn lists_resource(list: &BTreeSet<String>, resource: Resource<'_>) -> bool {
    list.contains("*") || resource.candidates().iter().any(|candidate| list.contains(candidate))
}

impl Resource<'_> {
    /// The entries that cover this resource.
    ///
    /// The kind comes from a caller, so it must not pass for another form of entry: a kind such as
    /// `room:x` is not looked up bare, and one with a colon not within `resource:<type>:<id>`,
    /// where nobody could tell its end.
    fn candidates(&self) -> Vec<String> {
        let mut candidates = vec![format!("resource_type:{}", self.kind)];
        if let Some(room) = self.room {
            candidates.push(format!("room:{room}"));
        }
        if !set::is_prefixed(self.kind) {
            candidates.push(self.kind.to_owned());
        }
        if !self.kind.contains(':') {
            candidates.push(format!("resource:{}:{}", self.kind, self.id));
        }
        candidates
    }
}
