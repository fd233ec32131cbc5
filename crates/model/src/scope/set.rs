//! Lists of a scope, made for lookups: names, and labelled data.

use std::collections::BTreeSet;

use super::Resource;
use crate::names::Names;

/// The prefixes that give a data entry another meaning than a type of resource.
const ROOM: &str = "room:";
const TYPE: &str = "resource_type:";
const RESOURCE: &str = "resource:";

/// Whether a text reads as a data entry of a form other than a bare type.
pub(super) fn is_prefixed(text: &str) -> bool {
    [ROOM, TYPE, RESOURCE].iter().any(|prefix| text.starts_with(prefix))
}

/// Whether a data entry has one of the four forms, with nothing missing.
pub(super) fn is_data_entry(text: &str) -> bool {
    if let Some(rest) = text.strip_prefix(ROOM).or_else(|| text.strip_prefix(TYPE)) {
        return !rest.is_empty();
    }
    match text.strip_prefix(RESOURCE) {
        Some(rest) => rest.split_once(':').is_some_and(|(kind, id)| !kind.is_empty() && !id.is_empty()),
        None => true,
    }
}

/// A set of names, or all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NameSet {
    any: bool,
    names: Names,
}

impl NameSet {
    /// Whether nothing is listed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.any && self.names.is_empty()
    }

    /// Whether the name is listed, or all are.
    #[must_use]
    pub fn covers(&self, name: &str) -> bool {
        self.any || self.names.contains(name)
    }

    /// What both list.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Self {
        let mine = self.names.iter().filter(|name| other.covers(name));
        let theirs = other.names.iter().filter(|name| self.covers(name));
        Self { any: self.any && other.any, names: mine.chain(theirs).collect() }
    }

    pub(super) fn to_list(&self) -> BTreeSet<String> {
        to_list(self.any, &self.names)
    }
}

impl<'a> FromIterator<&'a str> for NameSet {
    fn from_iter<I: IntoIterator<Item = &'a str>>(entries: I) -> Self {
        let (any, names) = split(entries);
        Self { any, names }
    }
}

/// A set of entries over labelled data, or all of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DataSet {
    any: bool,
    entries: Names,
}

impl DataSet {
    /// Whether nothing is listed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.any && self.entries.is_empty()
    }

    /// Whether an entry covers the resource. Allocates nothing.
    #[must_use]
    pub fn covers(&self, resource: Resource<'_>) -> bool {
        let Resource { room, kind, id } = resource;
        self.any
            || room.is_some_and(|room| self.entries.contains_joined(&[ROOM, room]))
            || self.covers_kind(kind)
            || (!kind.contains(':') && self.entries.contains_joined(&[RESOURCE, kind, ":", id]))
    }

    /// What both cover, as far as entries can say it: a room and a type have no entry in common.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Self {
        let mine = self.entries.iter().filter(|entry| other.covers_entry(entry));
        let theirs = other.entries.iter().filter(|entry| self.covers_entry(entry));
        Self { any: self.any && other.any, entries: mine.chain(theirs).collect() }
    }

    fn covers_kind(&self, kind: &str) -> bool {
        self.entries.contains_joined(&[TYPE, kind]) || (!is_prefixed(kind) && self.entries.contains(kind))
    }

    /// Whether everything that `entry` covers is covered here.
    fn covers_entry(&self, entry: &str) -> bool {
        if self.any || self.entries.contains(entry) {
            return true;
        }
        if let Some(kind) = entry.strip_prefix(TYPE) {
            return self.covers_kind(kind);
        }
        match entry.strip_prefix(RESOURCE) {
            Some(rest) => rest.split_once(':').is_some_and(|(kind, _)| self.covers_kind(kind)),
            None => !entry.starts_with(ROOM) && self.covers_kind(entry),
        }
    }

    pub(super) fn to_list(&self) -> BTreeSet<String> {
        to_list(self.any, &self.entries)
    }
}

impl<'a> FromIterator<&'a str> for DataSet {
    fn from_iter<I: IntoIterator<Item = &'a str>>(entries: I) -> Self {
        let (any, entries) = split(entries);
        Self { any, entries }
    }
}

fn split<'a>(entries: impl IntoIterator<Item = &'a str>) -> (bool, Names) {
    let mut any = false;
    let names = entries
        .into_iter()
        .filter(|entry| {
            any |= *entry == "*";
            *entry != "*"
        })
        .collect();
    (any, names)
}

fn to_list(any: bool, names: &Names) -> BTreeSet<String> {
    any.then_some("*").into_iter().chain(names.iter()).map(str::to_owned).collect()
}
