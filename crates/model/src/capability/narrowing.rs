//! What all caveats of a token leave, made for decisions.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Caveat;
use crate::scope::{DataSet, NameSet};
use crate::{Action, CompiledScopes, DomainPattern, DomainSet, RunId, Time, Zone};

/// Everything that the links of a token take away. Made only of caveats, so it can only take away.
///
/// As a value it is the list of its caveats.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Caveat>", into = "Vec<Caveat>")]
pub struct Narrowing {
    caveats: Vec<Caveat>,
    scopes: Vec<CompiledScopes>,
    zone: Option<Zone>,
    expires_at: Option<Time>,
}

impl Narrowing {
    /// The caveats, in the order of the links.
    #[must_use]
    pub fn caveats(&self) -> &[Caveat] {
        &self.caveats
    }

    /// The lists of every link that has one, each of which must cover an ask. A list that a link does
    /// not have is `*` here.
    #[must_use]
    pub fn scopes(&self) -> &[CompiledScopes] {
        &self.scopes
    }

    /// The highest zone left.
    #[must_use]
    pub fn zone(&self) -> Option<Zone> {
        self.zone
    }

    /// The first moment at which a link is no longer good.
    #[must_use]
    pub fn expires_at(&self) -> Option<Time> {
        self.expires_at
    }

    /// Whether a link is no longer good at `now`.
    #[must_use]
    pub fn expired(&self, now: Time) -> bool {
        self.expires_at.is_some_and(|end| now >= end)
    }

    /// Whether every link that names a run names this one. Two that differ leave no run at all.
    #[must_use]
    pub fn covers_run(&self, run: Option<&RunId>) -> bool {
        self.caveats.iter().filter_map(|caveat| caveat.run.as_ref()).all(|named| run == Some(named))
    }
}

impl From<Vec<Caveat>> for Narrowing {
    fn from(caveats: Vec<Caveat>) -> Self {
        Self {
            scopes: caveats.iter().filter_map(scopes).collect(),
            zone: caveats.iter().filter_map(|caveat| caveat.zone).min(),
            expires_at: caveats.iter().filter_map(|caveat| caveat.expires_at).min(),
            caveats,
        }
    }
}

impl From<Narrowing> for Vec<Caveat> {
    fn from(narrowing: Narrowing) -> Self {
        narrowing.caveats
    }
}

/// The lists of a caveat that has any.
fn scopes(caveat: &Caveat) -> Option<CompiledScopes> {
    let data = caveat.data_access.as_ref();
    let (read, write) = (data.and_then(|data| data.read.as_ref()), data.and_then(|data| data.write.as_ref()));
    let lists = [&caveat.rooms, &caveat.tools, &caveat.egress_domains, &caveat.action_types];
    if lists.iter().all(|list| list.is_none()) && read.is_none() && write.is_none() {
        return None;
    }
    Some(CompiledScopes {
        rooms: names(caveat.rooms.as_ref()),
        tools: names(caveat.tools.as_ref()),
        egress_domains: domains(caveat.egress_domains.as_ref()),
        action_types: actions(caveat.action_types.as_ref()),
        data_read: data_set(read),
        data_write: data_set(write),
    })
}

#[cfg(test)]
pub(super) fn reads_domains_alike(entry: &str) -> bool {
    plain_domain(entry).is_none_or(|pattern| DomainPattern::parse(entry) == Ok(pattern))
}

const ALL: [&str; 1] = ["*"];

fn names(list: Option<&BTreeSet<String>>) -> NameSet {
    list.map_or_else(|| ALL.into_iter().collect(), |list| list.iter().map(String::as_str).collect())
}

fn data_set(list: Option<&BTreeSet<String>>) -> DataSet {
    list.map_or_else(|| ALL.into_iter().collect(), |list| list.iter().map(String::as_str).collect())
}

fn domains(list: Option<&BTreeSet<String>>) -> DomainSet {
    let Some(list) = list else { return std::iter::once(DomainPattern::Any).collect() };
    list.iter().filter_map(|entry| plain_domain(entry).or_else(|| DomainPattern::parse(entry).ok())).collect()
}

/// A pattern that is written as it is compared, which what [`Caveat::checked`] made is; others are read
/// the thorough way.
fn plain_domain(entry: &str) -> Option<DomainPattern> {
    let host = entry.strip_prefix("*.").unwrap_or(entry);
    let is_plain = |label: &str| {
        let inside = label.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        let ends = label.starts_with('-') || label.ends_with('-') || label.starts_with("xn--");
        inside && !ends && (1..=63).contains(&label.len())
    };
    // Whatever ends in a number may be an address.
    let named = host.rsplit('.').next().is_some_and(|last| last.starts_with(|c: char| c.is_ascii_lowercase()));
    let plain = named && host.len() <= 253 && host.split('.').all(is_plain);
    plain.then(|| match entry == host {
        true => DomainPattern::Exact(host.to_owned()),
        false => DomainPattern::Suffix(host.to_owned()),
    })
}

fn actions(list: Option<&BTreeSet<String>>) -> NameSet {
    let Some(list) = list else { return ALL.into_iter().collect() };
    let known: Vec<Action> = list.iter().filter_map(|entry| Action::parse(entry).ok()).collect();
    known.iter().map(Action::as_str).collect()
}
