//! What a region is about, in words.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use model::{ActorType, Label, Time, Zone};

use super::classes::Classes;
use super::words::{Words, listed};
use super::{
    ACTION, Dim, HOST, LABEL, METHOD, MINUTE, MOMENT, OPAQUE, PATH, PORT, PURPOSES, ROOM, SCHEME, SCHEMES, SEEN, Shape,
    Space, TOOL, TUNNEL, UNSEEN, WHO, ZONE,
};
use crate::hours::Hours;
use crate::rule::WhoPattern;

/// The groups by whom they mean, to name a set of people by.
pub(crate) type Groups = HashMap<Classes, Arc<str>, foldhash::fast::FixedState>;

/// A region in words.
#[derive(Debug)]
pub(crate) struct Said {
    /// `agent `coder``.
    pub(crate) who: String,
    /// `POST to `*.example.com``, with room and zone.
    pub(crate) what: String,
    /// `until 2026-12-21`, or nothing.
    pub(crate) time: String,
    /// Each dimension on its own.
    pub(crate) parts: BTreeMap<String, String>,
}

impl Space {
    /// The classes of each group, for [`Space::say`].
    pub(crate) fn groups<'a>(&self, groups: impl Iterator<Item = (&'a Arc<str>, &'a BTreeSet<WhoPattern>)>) -> Groups {
        let people = |members: &BTreeSet<WhoPattern>| {
            let members: Vec<WhoPattern> = members.iter().cloned().collect();
            self.people(&members)
        };
        groups.map(|(name, members)| (people(members), Arc::clone(name))).filter(|(set, _)| !set.is_empty()).collect()
    }

    /// The region of these shapes and cuts in words.
    pub(crate) fn say(&self, shapes: u8, cuts: &[(Dim, Classes)], groups: &Groups) -> Said {
        let mut parts: BTreeMap<String, String> = BTreeMap::new();
        let (mut phrases, mut time, mut blind) = (BTreeMap::new(), Vec::new(), Vec::new());
        let mut who = "everybody".to_owned();
        for (dim, set) in cuts {
            let seen = set.clip(SEEN, u32::MAX);
            let said = self.one(*dim, &seen, set, groups);
            parts.insert(self.name(*dim), said.clone());
            let word = self.name(*dim);
            if seen.is_empty() && matches!(*dim, HOST | METHOD | PATH | PORT | SCHEME | TOOL) {
                let how = if set.contains(UNSEEN) {
                    format!("with a {word} that was not seen")
                } else {
                    format!("without a {word}")
                };
                phrases.insert((20, *dim), how);
                continue;
            }
            if set.contains(UNSEEN) {
                blind.push(word);
            }
            match *dim {
                WHO => who = said,
                MINUTE => time.push(format!("on {said}")),
                MOMENT => time.push(said),
                METHOD => drop(phrases.insert((0, METHOD), said)),
                HOST => drop(phrases.insert((1, HOST), format!("to {said}"))),
                PATH => drop(phrases.insert((2, PATH), format!("under {said}"))),
                PORT => drop(phrases.insert((3, PORT), format!("on port {said}"))),
                SCHEME => drop(phrases.insert((4, SCHEME), format!("by {said}"))),
                // That rules are about what is not opaque goes without saying.
                TUNNEL if seen.contains(SEEN) => {}
                TUNNEL => drop(phrases.insert((5, TUNNEL), format!("in {said}"))),
                TOOL => drop(phrases.insert((0, TOOL), format!("tool {said}"))),
                LABEL => drop(phrases.insert((0, LABEL), format!("data labelled {said}"))),
                ACTION => drop(phrases.insert((8, ACTION), format!("as {said}"))),
                ROOM => drop(phrases.insert((30, ROOM), if seen.is_empty() { said } else { format!("in {said}") })),
                ZONE => drop(phrases.insert((31, ZONE), format!("in zone {said}"))),
                PURPOSES.. => drop(phrases.insert((9, *dim), said)),
            }
        }
        let begun = phrases.keys().next().is_some_and(|(rank, dim)| *rank == 0 || *dim == PATH);
        let mut what: Vec<String> = Vec::new();
        if !begun {
            what.push(anything(shapes));
        }
        what.extend(phrases.into_values());
        if !blind.is_empty() {
            what.push(format!("(also where the {} was not seen)", listed(&blind, "or")));
        }
        Said { who, what: what.join(" "), time: time.join(" "), parts }
    }

    fn name(&self, dim: Dim) -> String {
        let name = match dim {
            WHO => "who",
            ACTION => "action",
            ZONE => "zone",
            ROOM => "room",
            MINUTE => "hours",
            MOMENT => "time",
            HOST => "host",
            METHOD => "method",
            PATH => "path",
            PORT => "port",
            SCHEME => "scheme",
            TOOL => "tool",
            LABEL => "label",
            TUNNEL => "tunnel",
            _ => {
                let purpose = self.purpose(dim).map(|purpose| format!("purpose {purpose}"));
                return purpose.or_else(|| self.arg(dim).map(|arg| arg.pointer.to_string())).unwrap_or_default();
            }
        };
        name.to_owned()
    }

    fn one(&self, dim: Dim, seen: &Classes, set: &Classes, groups: &Groups) -> String {
        let listed_of = |all: Vec<&str>| {
            let named = (SEEN..).zip(all).filter(|(class, _)| seen.contains(*class));
            listed(&named.map(|(_, word)| word.to_owned()).collect::<Vec<_>>(), "or")
        };
        match dim {
            WHO => self.say_who(seen, groups),
            ACTION => phrase_of(&self.actions.words(seen), "action", "any action"),
            ZONE => listed_of(Zone::ALL.iter().map(|zone| zone.as_str()).collect()),
            ROOM if seen.is_empty() => "outside rooms".to_owned(),
            ROOM => {
                let words = phrase_of(&quoted(self.rooms.words(seen)), "room", "any room");
                if set.contains(super::ABSENT) { format!("{words} or outside rooms") } else { words }
            }
            MINUTE => {
                let minute = |at: i64| u16::try_from(at).unwrap_or(0);
                let ranges =
                    self.minutes.spans(seen).into_iter().map(|(from, to)| (minute(from), minute(to))).collect();
                Hours::of(ranges).map_or_else(String::new, |hours| hours.to_string())
            }
            MOMENT => self.say_moments(seen),
            HOST => self.hosts.words(seen).phrase("any host"),
            METHOD => match self.methods.words(seen) {
                Words { all: false, some, .. } => some.join(", "),
                all => all.phrase("any method"),
            },
            PATH => self.paths.words(seen).phrase("any path"),
            PORT => {
                let span = |(from, to): (i64, i64)| {
                    if to - from == 1 { from.to_string() } else { format!("{from}-{}", to - 1) }
                };
                listed(&self.ports.spans(seen).into_iter().map(span).collect::<Vec<_>>(), "or")
            }
            SCHEME => listed_of(SCHEMES.iter().map(|scheme| scheme.as_str()).collect()),
            TOOL => self.tools.words(seen).phrase("any tool"),
            TUNNEL if seen.contains(OPAQUE) => "an opaque tunnel".to_owned(),
            TUNNEL => "no opaque tunnel".to_owned(),
            LABEL => listed_of(Label::ALL.iter().map(|label| label.as_str()).collect()),
            _ => match (self.purpose(dim), self.arg(dim)) {
                (Some(purpose), _) if seen.contains(SEEN) => format!("not for {purpose}"),
                (Some(purpose), _) => format!("for {purpose}"),
                (None, Some(arg)) => format!("with `{}` {}", arg.pointer, arg.words(seen)),
                (None, None) => String::new(),
            },
        }
    }

    fn say_who(&self, set: &Classes, groups: &Groups) -> String {
        if let Some(group) = groups.get(set) {
            let agents = self.who(ActorType::Agent).is_some_and(|names| {
                set.ranges().iter().all(|(from, to)| *to <= names.end() && *from + names.count() + 1 >= names.end())
            });
            return format!("{} in `{group}`", if agents { "agents" } else { "everybody" });
        }
        let mut kinds = Vec::new();
        let mut from = SEEN;
        for (kind, names) in &self.who {
            let inside = set.clip(from, names.end());
            from = names.end();
            if inside.is_empty() {
                continue;
            }
            let words = names.words(&inside);
            kinds.push(match (words.all, words.some.as_slice()) {
                (true, _) => quoted(words).phrase(&format!("any {kind}")),
                (false, [_]) => format!("{kind} {}", quoted(words).phrase("")),
                (false, _) => format!("{kind}s {}", listed(&quoted(words).some, "and")),
            });
        }
        listed(&kinds, "and")
    }

    fn say_moments(&self, set: &Classes) -> String {
        let first = self.universe(Shape::Action, MOMENT);
        let begins = self.moments.spans(&first).first().map_or(i64::MIN, |(from, _)| *from);
        let spans = self.moments.spans(set).into_iter().map(|(from, to)| match (from == begins, to == i64::MAX) {
            (true, true) => "always".to_owned(),
            (true, false) => format!("until {}", day(to)),
            (false, true) => format!("from {} on", day(from)),
            (false, false) => format!("from {} until {}", day(from), day(to)),
        });
        listed(&spans.collect::<Vec<_>>(), "and")
    }
}

/// A moment, as short as it may be.
fn day(at: i64) -> String {
    let text = Time::from_millis(at).to_string();
    match text.strip_suffix("T00:00:00.000Z") {
        Some(day) => day.to_owned(),
        None => text.replace(".000Z", "Z"),
    }
}

fn phrase_of(words: &Words, word: &str, any: &str) -> String {
    if words.all { words.phrase(any) } else { format!("{word} {}", words.phrase(any)) }
}

fn quoted(words: Words) -> Words {
    let quote = |list: Vec<String>| list.into_iter().map(|word| format!("`{word}`")).collect();
    Words { some: quote(words.some), all: words.all, except: quote(words.except) }
}

fn anything(shapes: u8) -> String {
    let has = |shape: Shape| shapes & shape.bit() != 0;
    if Shape::ALL.into_iter().all(has) {
        return "anything".to_owned();
    }
    let mut kinds = Vec::new();
    for (there, word) in [
        (has(Shape::Egress), "any request"),
        (has(Shape::Action), "any action"),
        (has(Shape::ToolCall), "any tool call"),
        (has(Shape::ToolCallUnseenInput) && !has(Shape::ToolCall), "any tool call whose input was not seen"),
        (has(Shape::DataAccess), "any data access"),
    ] {
        if there {
            kinds.push(word.to_owned());
        }
    }
    listed(&kinds, "or")
}
