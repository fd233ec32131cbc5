//! One concrete ask of a region, with values a human can read and the gate can be asked with.

use std::collections::BTreeSet;
use std::fmt;

use model::ask::CONNECT;
use model::{ActorType, Category, Label, Time, Zone};
use policy::Facts;
use policy::facts::{Fact, Who};
use serde::Serialize;
use serde_json::{Map, Value};

use super::classes::Classes;
use super::{
    ABSENT, ACTION, Dim, HOST, LABEL, METHOD, MINUTE, MOMENT, OPAQUE, PATH, PORT, ROOM, SCHEME, SCHEMES, SEEN, Shape,
    Space, TOOL, TUNNEL, UNSEEN, WHO, ZONE,
};
use crate::hours::{WEEK, minute_of_week};

/// Combinations of values of inputs that are tried before a region counts as impossible.
const TRIES_MAX: usize = 512;
const MINUTE_MS: i64 = 60_000;
/// Monday 5 January 2026, 00:00 UTC: where witnesses are when the time makes no difference.
const SOME_MONDAY_MS: i64 = 1_767_571_200_000;

/// A fact that applies to an ask and was not seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unseen {
    /// The host.
    Host,
    /// The method.
    Method,
    /// The path.
    Path,
    /// The port.
    Port,
    /// The scheme.
    Scheme,
    /// The tool.
    Tool,
    /// What the tool is called with.
    Input,
}

/// One ask.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Witness {
    /// The entry point.
    pub category: Category,
    /// The kind of who asks.
    pub kind: ActorType,
    /// The name of who asks.
    pub name: String,
    /// The action.
    pub action: String,
    /// The zone.
    pub zone: Zone,
    /// The room.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room: Option<String>,
    /// When.
    pub at: Time,
    /// The host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The method.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The scheme.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheme: Option<String>,
    /// Whether it is a tunnel that may carry anything.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub opaque: bool,
    /// The tool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// What the tool is called with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
    /// The label of the data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<Label>,
    /// What the data is wanted for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purposes: Option<BTreeSet<String>>,
    /// What applies and was not seen.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub unseen: BTreeSet<Unseen>,
}

impl Witness {
    /// Its facts; rules are asked at [`Witness::at`].
    #[must_use]
    pub fn facts(&self) -> Facts<'_> {
        let mut facts = Facts::bare(self.category, &self.action, Who { kind: self.kind, name: &self.name });
        facts.zone = self.zone;
        facts.room = self.room.as_deref();
        facts.host = self.fact(self.host.as_deref(), Unseen::Host);
        facts.method = self.fact(self.method.as_deref(), Unseen::Method);
        facts.path = self.fact(self.path.as_deref().map(Into::into), Unseen::Path);
        facts.port = self.fact(self.port, Unseen::Port);
        facts.scheme = self.fact(self.scheme.as_deref(), Unseen::Scheme);
        facts.opaque = self.opaque;
        facts.tool = self.fact(self.tool.as_deref(), Unseen::Tool);
        facts.input = self.fact(self.input.as_ref(), Unseen::Input);
        facts.label = Fact::stated(self.label);
        facts.purposes = Fact::stated(self.purposes.as_ref());
        facts
    }

    fn fact<T>(&self, value: Option<T>, which: Unseen) -> Fact<T> {
        match value {
            Some(value) => Fact::Seen(value),
            None if self.unseen.contains(&which) => Fact::Unseen,
            None => Fact::Absent,
        }
    }
}

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} `{}`, action `{}`", self.kind, self.name, self.action)?;
        let unseen = |which: Unseen, word: &str| self.unseen.contains(&which).then(|| format!("({word} not seen)"));
        let mut parts: Vec<Option<String>> = vec![
            self.method.clone().or_else(|| unseen(Unseen::Method, "method")),
            self.target().or_else(|| unseen(Unseen::Host, "host")),
        ];
        parts.push(self.opaque.then(|| "opaque tunnel".to_owned()));
        parts.push(unseen(Unseen::Path, "path").filter(|_| !self.opaque));
        parts.push(unseen(Unseen::Port, "port"));
        parts.push(self.tool.as_ref().map(|tool| format!("tool `{tool}`")).or_else(|| unseen(Unseen::Tool, "tool")));
        parts
            .push(self.input.as_ref().map(|input| format!("input {input}")).or_else(|| unseen(Unseen::Input, "input")));
        parts.push(self.label.map(|label| format!("data labelled {label}")));
        if let Some(purposes) = self.purposes.as_ref().filter(|purposes| !purposes.is_empty()) {
            parts.push(Some(format!("for {}", purposes.iter().cloned().collect::<Vec<_>>().join(", "))));
        }
        for part in parts.into_iter().flatten() {
            write!(f, ", {part}")?;
        }
        if let Some(room) = &self.room {
            write!(f, ", room `{room}`")?;
        }
        write!(f, ", zone {}, at {}", self.zone, self.at)
    }
}

impl Witness {
    /// The place as an URL as far as it is known.
    fn target(&self) -> Option<String> {
        let host = self.host.as_ref()?;
        let scheme = self.scheme.as_ref().map_or_else(String::new, |scheme| format!("{scheme}://"));
        let port = self.port.map_or_else(String::new, |port| format!(":{port}"));
        Some(format!("{scheme}{host}{port}{}", self.path.as_deref().unwrap_or_default()))
    }
}

impl Space {
    /// An ask of a shape in the classes given (any class in the other dimensions); `None` when there
    /// is none, because no moment is at such a minute or no input has such values.
    pub(crate) fn witness(&self, shape: Shape, cuts: &[(Dim, Classes)]) -> Option<Witness> {
        let at = self.moment(cuts)?;
        let left = |dim: Dim| cuts.iter().find(|(each, _)| *each == dim).map(|(_, left)| left);
        let opaque = left(TUNNEL).is_some_and(|left| !left.contains(SEEN) && left.contains(OPAQUE));
        let pick = |dim: Dim, usual: &dyn Fn() -> u32| -> u32 {
            let likely = opaque.then(|| self.of_opaque(dim)).flatten();
            let Some(left) = left(dim) else { return likely.unwrap_or_else(usual) };
            let likely = likely.filter(|class| left.contains(*class));
            likely.or_else(|| left.iter().find(|class| *class >= SEEN)).or_else(|| left.last()).unwrap_or(ABSENT)
        };
        let last = |dim: Dim| self.universe(shape, dim).last().unwrap_or(ABSENT);
        let who = pick(WHO, &|| last(WHO));
        let (kind, names) = self.who.iter().find(|(_, names)| who < names.end())?;
        let mut witness = Witness {
            category: match shape {
                Shape::Egress => Category::Egress,
                Shape::Action => Category::Action,
                Shape::ToolCall | Shape::ToolCallUnseenInput => Category::ToolCall,
                Shape::DataAccess => Category::DataAccess,
            },
            kind: *kind,
            name: names.example(who, &["someone"]),
            action: self.actions.example(pick(ACTION, &|| last(ACTION)))?,
            zone: *Zone::ALL.get(index(pick(ZONE, &|| SEEN + 1)))?,
            room: None,
            at,
            host: None,
            method: None,
            path: None,
            port: None,
            scheme: None,
            opaque,
            tool: None,
            input: None,
            label: None,
            purposes: None,
            unseen: BTreeSet::new(),
        };
        let room = pick(ROOM, &|| ABSENT);
        witness.room = (room >= SEEN).then(|| self.rooms.example(room, &["some-room"]));
        let host = pick(HOST, &|| if shape == Shape::Action { ABSENT } else { last(HOST) });
        let tool = pick(TOOL, &|| last(TOOL));
        match shape {
            Shape::Egress | Shape::Action if host >= SEEN => witness.host = self.hosts.example(host),
            Shape::Egress => drop(witness.unseen.insert(Unseen::Host)),
            Shape::ToolCall | Shape::ToolCallUnseenInput if tool >= SEEN => witness.tool = self.tools.example(tool),
            Shape::ToolCall | Shape::ToolCallUnseenInput => drop(witness.unseen.insert(Unseen::Tool)),
            Shape::Action | Shape::DataAccess => {}
        }
        match shape {
            Shape::Egress => self.target(&mut witness, &pick),
            Shape::Action => {}
            Shape::ToolCall => witness.input = Some(self.input(cuts)?),
            Shape::ToolCallUnseenInput => drop(witness.unseen.insert(Unseen::Input)),
            Shape::DataAccess => {
                witness.label = Label::ALL.get(index(pick(LABEL, &|| SEEN))).copied();
                let wanted = cuts.iter().filter(|(_, left)| !left.contains(SEEN));
                let wanted = wanted.filter_map(|(dim, _)| self.purpose(*dim)).map(ToString::to_string);
                witness.purposes = Some(wanted.collect());
            }
        }
        Some(witness)
    }

    /// Whether there is an ask of a shape in the classes given.
    pub(crate) fn has_witness(&self, shape: Shape, cuts: &[(Dim, Classes)]) -> bool {
        self.moment(cuts).is_some() && (shape != Shape::ToolCall || self.input(cuts).is_some())
    }

    fn target(&self, witness: &mut Witness, pick: &dyn Fn(Dim, &dyn Fn() -> u32) -> u32) {
        let method = pick(METHOD, &|| self.methods.one("GET").last().unwrap_or_else(|| self.methods.other()));
        let usual = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "LINK"];
        let usual = if witness.opaque { &[CONNECT][..] } else { &usual };
        witness.method = (method >= SEEN).then(|| self.methods.example(method, usual));
        let path = pick(PATH, &|| self.universe(Shape::Egress, PATH).last().unwrap_or(UNSEEN));
        witness.path = (path >= SEEN).then(|| self.paths.example(path)).flatten();
        let port = pick(PORT, &|| {
            self.ports.span(0, 65_536).iter().find(|class| self.port(*class) == Some(443)).unwrap_or(SEEN)
        });
        witness.port = (port >= SEEN).then(|| self.port(port)).flatten();
        let likely = if witness.port == Some(80) { SEEN } else { SEEN + 1 };
        let scheme = pick(SCHEME, &|| likely);
        witness.scheme = SCHEMES.get(index(scheme)).filter(|_| scheme >= SEEN).map(|scheme| scheme.as_str().to_owned());
        let seen = [
            (Unseen::Method, witness.method.is_some()),
            (Unseen::Path, witness.path.is_some()),
            (Unseen::Port, witness.port.is_some()),
            (Unseen::Scheme, witness.scheme.is_some()),
        ];
        witness.unseen.extend(seen.into_iter().filter(|(_, seen)| !seen).map(|(which, _)| which));
    }

    /// What an opaque tunnel has in a dimension, where that is known.
    pub(crate) fn of_opaque(&self, dim: Dim) -> Option<u32> {
        match dim {
            PATH | SCHEME => Some(UNSEEN),
            METHOD => self.methods.one(CONNECT).last().or_else(|| Some(self.methods.other())),
            _ => None,
        }
    }

    /// A port in the class: a usual one if there is.
    fn port(&self, class: u32) -> Option<u16> {
        let (from, to) = self.ports.values(class)?;
        let usual = [443, 80, 8443, 22].into_iter().find(|port| (from..to).contains(port));
        u16::try_from(usual.unwrap_or_else(|| from.max(1).min(to - 1))).ok()
    }

    /// A moment at a minute of the week and in a span that the classes name.
    fn moment(&self, cuts: &[(Dim, Classes)]) -> Option<Time> {
        let left = |dim: Dim| cuts.iter().find(|(each, _)| *each == dim).map(|(_, left)| left.clone());
        let moments = left(MOMENT).unwrap_or_else(|| self.universe(Shape::Action, MOMENT));
        let minutes = left(MINUTE).map(|minutes| self.minutes.spans(&minutes));
        self.moments.spans(&moments).into_iter().find_map(|(from, to)| in_both(from, to, minutes.as_deref()))
    }

    /// Those of the spans of moments that have a minute of the week in `minutes`.
    pub(crate) fn possible_moments(&self, moments: &Classes, minutes: &Classes) -> Classes {
        let minutes = self.minutes.spans(minutes);
        let possible = |class: &u32| {
            self.moments.values(*class).is_some_and(|(from, to)| in_both(from, to, Some(&minutes)).is_some())
        };
        Classes::of(moments.iter().filter(possible).map(|class| (class, class + 1)))
    }

    /// An input with such values.
    fn input(&self, cuts: &[(Dim, Classes)]) -> Option<Value> {
        let args: Vec<_> = cuts.iter().filter_map(|(dim, left)| Some((self.arg(*dim)?, left))).collect();
        let mut choice: Vec<usize> = vec![0; args.len()];
        for _ in 0..TRIES_MAX {
            let mut chosen = Vec::with_capacity(args.len());
            for ((arg, left), nth) in args.iter().zip(&choice) {
                // From the last class on: the first two are "missing" and "of another type".
                let mut order = left.ranges().iter().rev().flat_map(|(from, to)| (*from..*to).rev());
                chosen.push((&arg.pointer, arg.example(order.nth(*nth)?)));
            }
            if let Some(input) = assembled(&chosen) {
                return Some(input);
            }
            let mut next = choice.iter_mut().zip(&args);
            loop {
                let (nth, (_, left)) = next.next()?;
                *nth += 1;
                if *nth < usize::try_from(left.len()).unwrap_or(usize::MAX) {
                    break;
                }
                *nth = 0;
            }
        }
        None
    }
}

fn index(class: u32) -> usize {
    usize::try_from(class.wrapping_sub(SEEN)).unwrap_or(usize::MAX)
}

/// A moment in `from..to` (milliseconds) at one of these minutes of the week, if there is.
fn in_both(from: i64, to: i64, minutes: Option<&[(i64, i64)]>) -> Option<Time> {
    let lowest = Time::from_millis(i64::MIN).as_millis();
    let highest = Time::from_millis(i64::MAX).as_millis();
    let (from, to) = (from.max(lowest), to.min(highest.saturating_add(1)));
    if from >= to {
        return None;
    }
    let near = SOME_MONDAY_MS.clamp(from, to - 1);
    let Some(minutes) = minutes else { return Some(Time::from_millis(near)) };
    let week = i64::from(WEEK);
    let next = |start: i64| {
        let now = i64::from(minute_of_week(Time::from_millis(start)));
        let wait = minutes
            .iter()
            .map(|(open, close)| if (*open..*close).contains(&now) { 0 } else { (open - now).rem_euclid(week) });
        let wait = wait.min()?;
        let at = if wait == 0 { start } else { start.div_euclid(MINUTE_MS) * MINUTE_MS + wait * MINUTE_MS };
        (at < to).then(|| Time::from_millis(at))
    };
    next(near).or_else(|| next(from))
}

/// An input with these values at these places; `None` when they contradict each other.
fn assembled(values: &[(&std::sync::Arc<str>, Option<Value>)]) -> Option<Value> {
    let mut input = Value::Object(Map::new());
    let mut inner_last: Vec<_> = values.iter().filter_map(|(at, value)| Some((at, value.as_ref()?))).collect();
    inner_last.sort_by_key(|(at, _)| at.len());
    for (at, value) in inner_last {
        let mut place = &mut input;
        for token in at.split('/').skip(1) {
            let token = token.replace("~1", "/").replace("~0", "~");
            place = place.as_object_mut()?.entry(token).or_insert_with(|| Value::Object(Map::new()));
        }
        if place.as_object().is_none_or(|held| !held.is_empty()) {
            return None;
        }
        *place = value.clone();
    }
    let kept = |(at, value): &(&std::sync::Arc<str>, Option<Value>)| input.pointer(at) == value.as_ref();
    values.iter().all(kept).then_some(input)
}
