//! What a capability token covers, and the algebra that keeps a delegated token within its parent.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

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

impl DataScopes {
    fn is_empty(&self) -> bool {
        self.read.is_empty() && self.write.is_empty()
    }
}
