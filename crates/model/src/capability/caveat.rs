//! One caveat: what a link of a narrowed token takes away. There is no member that gives anything.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{CAVEAT_ID_BYTES_MAX, USES_MAX, read};
use crate::{RunId, Time, TokenScopes, Zone};

/// What one link allows at most. A member that is missing takes nothing away; an empty list leaves
/// nothing. Lists mean what they mean in [`TokenScopes`].
///
/// The members are in the order of RFC 8785, so that plain rendering is canonical.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Caveat {
    /// Actions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action_types: Option<BTreeSet<String>>,
    /// Labelled data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_access: Option<DataCaveat>,
    /// Domains.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub egress_domains: Option<BTreeSet<String>>,
    /// The first moment it is no longer good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
    /// Any name. It takes nothing away; it makes a token another one than its sibling, so that each
    /// has `uses` of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Rooms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rooms: Option<BTreeSet<String>>,
    /// The one run that it is good in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// Tools.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<BTreeSet<String>>,
    /// How many asks it may have allowed, this one included; all tokens narrowed from this link share
    /// them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses: Option<u64>,
    /// The highest zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<Zone>,
}

/// What of labelled data remains.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataCaveat {
    /// What may be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<BTreeSet<String>>,
    /// What may be written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write: Option<BTreeSet<String>>,
}

/// Why something is not a caveat.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCaveat {
    /// It would take nothing away.
    #[error("a caveat takes at least one thing away")]
    Empty,
    /// A list has an entry that means nothing.
    #[error(transparent)]
    Scopes(#[from] crate::scope::InvalidScopes),
    /// Too many uses to count.
    #[error("`uses` is at most {USES_MAX}")]
    Uses,
    /// Not a name.
    #[error("`id` is 1 to {CAVEAT_ID_BYTES_MAX} visible ASCII characters")]
    Id,
}

impl Caveat {
    /// The same with its lists trimmed and normalised, as they are in a grant.
    ///
    /// # Errors
    /// [`InvalidCaveat`] for what could not be meant. Whoever writes the bytes by hand can put in an
    /// entry that means nothing; it then covers nothing.
    pub fn checked(mut self) -> Result<Self, InvalidCaveat> {
        if self == Self::default() || self.data_access == Some(DataCaveat::default()) {
            return Err(InvalidCaveat::Empty);
        }
        if self.uses.is_some_and(|uses| uses > USES_MAX) {
            return Err(InvalidCaveat::Uses);
        }
        let is_name =
            |id: &str| (1..=CAVEAT_ID_BYTES_MAX).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic());
        if self.id.as_deref().is_some_and(|id| !is_name(id)) {
            return Err(InvalidCaveat::Id);
        }
        let scopes = TokenScopes::parse(&self.lists())?;
        let normal = |mine: &mut Option<BTreeSet<String>>, list| *mine = mine.is_some().then_some(list);
        normal(&mut self.rooms, scopes.rooms);
        normal(&mut self.tools, scopes.tools);
        normal(&mut self.egress_domains, scopes.egress_domains);
        normal(&mut self.action_types, scopes.action_types);
        if let Some(data) = &mut self.data_access {
            normal(&mut data.read, scopes.data_access.read);
            normal(&mut data.write, scopes.data_access.write);
        }
        Ok(self)
    }

    /// Its bytes in a token: RFC 8785, each list sorted and without repetition.
    #[must_use]
    pub fn to_bytes(&self) -> String {
        // Texts, lists of texts and one small integer: this always has a JSON form.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads exactly what [`Self::to_bytes`] writes: the same caveat has one spelling. An unknown
    /// member is no caveat, so the token is no token.
    pub(super) fn read(text: &str) -> Option<Self> {
        read::plain(text).or_else(|| Self::read_thoroughly(text))
    }

    /// The same by the JSON library: what is read has to be what would be written.
    pub(super) fn read_thoroughly(text: &str) -> Option<Self> {
        let caveat: Self = serde_json::from_str(text).ok()?;
        (caveat.to_bytes() == text && caveat.uses.is_none_or(|uses| uses <= USES_MAX)).then_some(caveat)
    }

    /// The lists as a grant has them.
    fn lists(&self) -> Value {
        let mut all = Map::new();
        let mut put = |name: &str, value: Value| all.insert(name.to_owned(), value);
        for (name, list) in [
            ("rooms", &self.rooms),
            ("tools", &self.tools),
            ("egress_domains", &self.egress_domains),
            ("action_types", &self.action_types),
        ] {
            put(name, list.iter().flatten().map(String::as_str).collect());
        }
        if let Some(data) = &self.data_access {
            let list = |list: &Option<BTreeSet<String>>| list.iter().flatten().map(String::as_str).collect::<Value>();
            put("data_access", serde_json::json!({"read": list(&data.read), "write": list(&data.write)}));
        }
        Value::Object(all)
    }
}
