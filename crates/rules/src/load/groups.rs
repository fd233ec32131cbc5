//! Groups: names for several, which may hold other groups but not themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::ActorType;
use toml::de::DeValue;

use super::draft::{Draft, Group, Pending, at};
use super::text::{Item, Text};
use super::{names, shared, strings};
use crate::problem::did_you_mean;
use crate::rule::WhoPattern;

pub(super) type Members = BTreeMap<Arc<str>, BTreeSet<WhoPattern>>;

/// Reads `[groups]`.
pub(super) fn read(draft: &mut Draft, text: &Text<'_>, value: &Item<'_>) {
    let DeValue::Table(table) = value.get_ref() else {
        draft.problem(text.problem(value.span().start, "`groups` must be a table: [groups]".to_owned()));
        return;
    };
    for (key, value) in table {
        let (name, place) = (shared(key.get_ref()), text.place(key.span().start));
        if let Err(why) = names::label(&name) {
            draft.problem(at(&place, format!("`{name}` is not the name of a group: {why}")));
        }
        let mut group = Group { place, members: BTreeSet::new(), groups: Vec::new() };
        for (place, member) in strings(draft, text, key.get_ref(), value) {
            match member.split_once(':') {
                Some(("group", other)) => group.groups.push((text.place(place), shared(other))),
                Some((kind, name)) if ActorType::parse(kind).is_some() && !name.is_empty() => {
                    let kind = ActorType::parse(kind).unwrap_or(ActorType::Agent);
                    group.members.insert(names::who(kind, name));
                }
                _ => {
                    let problem = text.problem(place, format!("`{member}` is not a member of a group"));
                    draft.problem(problem.hinted("write agent:NAME, user:NAME, service:NAME or group:NAME"));
                }
            }
        }
        if let Some(first) = draft.groups.get(&name) {
            let problem = at(&group.place, format!("the group `{name}` is declared twice: {}", first.place));
            draft.problem(problem);
        } else {
            draft.groups.insert(name, group);
        }
    }
}

/// The members of every group, those of its groups included.
pub(super) fn resolve(draft: &mut Draft) -> Members {
    let groups = std::mem::take(&mut draft.groups);
    let known: Vec<Arc<str>> = groups.keys().cloned().collect();
    for (place, missing) in groups.values().flat_map(|group| &group.groups) {
        if !groups.contains_key(missing) {
            draft.problem(unknown(place, missing, &known));
        }
    }
    for cycle in cycles(&groups) {
        let names: Vec<&str> = cycle.iter().map(|name| &**name).collect();
        if let Some(group) = cycle.first().and_then(|name| groups.get(name)) {
            draft.problem(at(&group.place, format!("groups hold each other: {}", names.join(" → "))));
        }
    }
    let resolved = groups.keys().map(|name| (Arc::clone(name), members(&groups, name))).collect();
    draft.groups = groups;
    resolved
}

/// Puts the members of a rule's groups into the rule.
pub(super) fn join(draft: &mut Draft, members: &Members, pending: &mut Pending) {
    for (place, name) in std::mem::take(&mut pending.groups) {
        match members.get(&name) {
            Some(members) => {
                pending.rule.who.get_or_insert_default().extend(members.iter().cloned());
                pending.rule.groups.push(name);
            }
            None => {
                let known: Vec<Arc<str>> = members.keys().cloned().collect();
                draft.problem(unknown(&place, &name, &known));
            }
        }
    }
    if let Some(who) = &mut pending.rule.who {
        who.sort_unstable();
        who.dedup();
    }
}

fn unknown(place: &crate::rule::Place, name: &str, known: &[Arc<str>]) -> crate::problem::Problem {
    let hint = did_you_mean(name, known.iter().map(|name| &**name));
    let problem = at(place, format!("there is no group `{name}`"));
    match hint {
        Some(hint) => problem.hinted(&hint),
        None => problem.hinted("declare it under [groups]"),
    }
}

/// Everybody in a group. Groups that hold each other are walked once.
fn members(groups: &BTreeMap<Arc<str>, Group>, name: &Arc<str>) -> BTreeSet<WhoPattern> {
    let (mut all, mut seen, mut next) = (BTreeSet::new(), BTreeSet::new(), vec![name]);
    while let Some(name) = next.pop() {
        let Some(group) = groups.get(name).filter(|_| seen.insert(name)) else { continue };
        all.extend(group.members.iter().cloned());
        next.extend(group.groups.iter().map(|(_, name)| name));
    }
    all
}

/// One way around for each set of groups that hold each other.
fn cycles(groups: &BTreeMap<Arc<str>, Group>) -> Vec<Vec<Arc<str>>> {
    let (mut found, mut done) = (Vec::new(), BTreeSet::new());
    for start in groups.keys() {
        // Depth first, on a stack of its own: nesting is the author's to choose.
        let mut path: Vec<(&Arc<str>, usize)> = vec![(start, 0)];
        while let Some((name, next)) = path.last_mut() {
            if done.contains(*name) {
                path.pop();
                continue;
            }
            let Some((_, child)) = groups.get(*name).and_then(|group| group.groups.get(*next)) else {
                done.insert(Arc::clone(name));
                path.pop();
                continue;
            };
            *next += 1;
            if let Some(from) = path.iter().position(|(name, _)| *name == child) {
                let around = path.iter().skip(from).map(|(name, _)| Arc::clone(name));
                found.push(around.chain([Arc::clone(child)]).collect());
            } else if groups.contains_key(child) {
                path.push((child, 0));
            }
        }
    }
    found
}
