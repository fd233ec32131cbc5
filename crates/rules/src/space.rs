//! The space of all asks, cut into finitely many classes by the values that rules mention.
//!
//! Each thing a rule selects on is a dimension. Two asks whose facts lie in the same classes are the
//! same to every rule the space was made from, so what holds for one ask of each combination holds
//! for all asks: the exact difference, the checks and the assertions walk combinations, not asks.
//!
//! Whether a tunnel may carry anything is a dimension only where a rule allows such tunnels. Elsewhere
//! what is said of them follows from what is said of the rest: an allow leaves them to no rule.
//!
//! Asks come in five [`Shape`]s, by the facts that apply to them. In a shape a rule is a union of
//! [`Piece`]s: products of sets of classes on which it matches *at least* as surely as asked, so the
//! three values of a selector become two plain sets.
//!
//! Facts of one ask are taken to be independent of each other (a path may be seen where a port was
//! not), except for the two that are not by nature: the minute of the week and the moment.

mod arg;
pub(crate) mod classes;
mod line;
mod mentions;
mod pieces;
mod say;
pub(crate) mod search;
mod tree;
pub(crate) mod witness;
mod words;

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{ActorType, Label, Time, Zone};
use serde::Serialize;

use self::arg::ArgClasses;
use self::classes::Classes;
use self::line::Line;
pub(crate) use self::mentions::Mentions;
pub(crate) use self::pieces::Piece;
use self::tree::{Spelling, Tree};
use self::words::Vocabulary;
use crate::hours::WEEK;
use crate::rule::Scheme;

/// The fact does not apply (or, for a room, there is none).
pub(crate) const ABSENT: u32 = 0;
/// The fact applies, but was not seen.
pub(crate) const UNSEEN: u32 = 1;
/// The first class of values.
pub(crate) const SEEN: u32 = 2;

/// A limit of what can be compared exactly.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpaceError {
    /// One condition branches too often.
    #[error("rule `{rule}` has a condition that branches into more than {limit} cases")]
    Branches {
        /// The rule's id.
        rule: Arc<str>,
        /// How many are allowed.
        limit: usize,
    },
    /// One value of a tool's input is tested for too many beginnings and ends.
    #[error("`{pointer}` is tested for more than {limit} pairs of a prefix and a suffix")]
    TextPairs {
        /// The JSON Pointer.
        pointer: Arc<str>,
        /// How many are allowed.
        limit: usize,
    },
}

/// Which facts apply to an ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// A request that leaves.
    Egress,
    /// Another action, with or without a host.
    Action,
    /// A tool call whose input was seen.
    ToolCall,
    /// A tool call whose input was not seen.
    ToolCallUnseenInput,
    /// An access to labelled data.
    DataAccess,
}

impl Shape {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Egress, Self::Action, Self::ToolCall, Self::ToolCallUnseenInput, Self::DataAccess];

    pub(crate) const fn bit(self) -> u8 {
        1 << self as u8
    }

    const fn is_tool_call(self) -> bool {
        matches!(self, Self::ToolCall | Self::ToolCallUnseenInput)
    }
}

/// The number of a dimension.
pub(crate) type Dim = u32;
pub(crate) const WHO: Dim = 0;
pub(crate) const ACTION: Dim = 1;
pub(crate) const ZONE: Dim = 2;
pub(crate) const ROOM: Dim = 3;
pub(crate) const MINUTE: Dim = 4;
pub(crate) const MOMENT: Dim = 5;
pub(crate) const HOST: Dim = 6;
pub(crate) const METHOD: Dim = 7;
pub(crate) const PATH: Dim = 8;
pub(crate) const PORT: Dim = 9;
pub(crate) const SCHEME: Dim = 10;
pub(crate) const TOOL: Dim = 11;
pub(crate) const LABEL: Dim = 12;
/// What a tunnel may carry: [`SEEN`] for one that is bound to TLS, and for no tunnel at all.
pub(crate) const TUNNEL: Dim = 13;
/// The class of a tunnel that may carry anything.
pub(crate) const OPAQUE: u32 = SEEN + 1;
/// The first purpose; each mentioned one is a dimension: wanted or not.
pub(crate) const PURPOSES: Dim = 14;

const SCHEMES: [Scheme; 2] = [Scheme::Http, Scheme::Https];

/// The classes of every dimension.
#[derive(Debug)]
pub(crate) struct Space {
    /// Services, users and agents, one after the other.
    who: [(ActorType, Vocabulary); 3],
    actions: Tree,
    rooms: Vocabulary,
    minutes: Line,
    moments: Line,
    hosts: Tree,
    methods: Vocabulary,
    paths: Tree,
    ports: Line,
    /// Whether a rule allows opaque tunnels.
    opaque: bool,
    tools: Tree,
    purposes: Vec<Arc<str>>,
    purpose_ids: BTreeMap<Arc<str>, Dim>,
    args: Vec<ArgClasses>,
    arg_ids: BTreeMap<Arc<str>, Dim>,
}

impl Space {
    /// The space that tells apart what is mentioned; with `from`, only of the moments from then on.
    ///
    /// # Errors
    /// [`SpaceError::TextPairs`].
    pub(crate) fn new(mentions: Mentions<'_>, from: Option<Time>) -> Result<Self, SpaceError> {
        let first = from.map_or(i64::MIN, Time::as_millis);
        let mut next = SEEN;
        let who = mentions.who.map(|(kind, names)| {
            let names = Vocabulary::new(names, next);
            next = names.end();
            (kind, names)
        });
        let purposes: Vec<Arc<str>> = mentions.purposes.into_iter().collect();
        let first_arg = PURPOSES + u32::try_from(purposes.len()).unwrap_or(0);
        let mut args = Vec::with_capacity(mentions.tests.len());
        for (pointer, tests) in &mentions.tests {
            args.push(
                ArgClasses::new(pointer, tests, SEEN).ok_or_else(|| SpaceError::TextPairs {
                    pointer: Arc::clone(pointer),
                    limit: arg::TEXT_PAIRS_MAX,
                })?,
            );
        }
        let ids = |names: &mut dyn Iterator<Item = Arc<str>>, first: Dim| names.zip(first..).collect();
        Ok(Self {
            who,
            actions: Tree::new(Spelling::Dotted, mentions.actions, SEEN),
            rooms: Vocabulary::new(mentions.rooms, SEEN),
            minutes: Line::new(0, i64::from(WEEK), mentions.minutes, SEEN),
            moments: Line::new(first, i64::MAX, mentions.moments, SEEN),
            hosts: Tree::new(Spelling::Host, mentions.hosts, SEEN),
            methods: Vocabulary::new(mentions.methods, SEEN),
            paths: Tree::new(Spelling::Path, mentions.paths, SEEN),
            ports: Line::new(0, 65_536, mentions.ports, SEEN),
            opaque: mentions.opaque,
            tools: Tree::new(Spelling::Dotted, mentions.tools, SEEN),
            purpose_ids: ids(&mut purposes.iter().cloned(), PURPOSES),
            purposes,
            arg_ids: ids(&mut args.iter().map(|arg| Arc::clone(&arg.pointer)), first_arg),
            args,
        })
    }

    fn who(&self, kind: ActorType) -> Option<&Vocabulary> {
        self.who.iter().find(|(each, _)| *each == kind).map(|(_, names)| names)
    }

    /// The class of a mentioned action.
    pub(crate) fn action(&self, name: &str) -> Classes {
        self.actions.exact(name)
    }

    /// The classes of these methods, where they are mentioned.
    pub(crate) fn safe_methods(&self, methods: &[&str]) -> Classes {
        Classes::of(methods.iter().flat_map(|method| self.methods.one(method).ranges().to_vec()))
    }

    fn purpose(&self, dim: Dim) -> Option<&Arc<str>> {
        dim.checked_sub(PURPOSES).and_then(|at| self.purposes.get(usize::try_from(at).ok()?))
    }

    fn arg(&self, dim: Dim) -> Option<&ArgClasses> {
        let first = PURPOSES + u32::try_from(self.purposes.len()).unwrap_or(0);
        dim.checked_sub(first).and_then(|at| self.args.get(usize::try_from(at).ok()?))
    }

    /// All classes of a dimension that asks of a shape can be in; none where the fact does not apply.
    pub(crate) fn universe(&self, shape: Shape, dim: Dim) -> Classes {
        let egress = |end: u32| match shape {
            Shape::Egress => Classes::range(UNSEEN, end),
            _ => Classes::none(),
        };
        let all = |end: u32| Classes::range(SEEN, end);
        let closed = |many: usize| SEEN + u32::try_from(many).unwrap_or(0);
        match dim {
            WHO => all(self.who.last().map_or(SEEN, |(_, names)| names.end())),
            ACTION => all(self.actions.end()),
            ZONE => all(closed(Zone::ALL.len())),
            ROOM => Classes::of([(ABSENT, ABSENT + 1), (SEEN, self.rooms.end())]),
            MINUTE => all(self.minutes.end()),
            MOMENT => all(self.moments.end()),
            HOST if shape == Shape::Action => Classes::of([(ABSENT, ABSENT + 1), (SEEN, self.hosts.end())]),
            HOST => egress(self.hosts.end()),
            METHOD => egress(self.methods.end()),
            PATH => egress(self.paths.end()),
            PORT => egress(self.ports.end()),
            SCHEME => egress(closed(SCHEMES.len())),
            TUNNEL if shape == Shape::Egress => all(closed(1 + usize::from(self.opaque))),
            TOOL if shape.is_tool_call() => Classes::range(UNSEEN, self.tools.end()),
            LABEL if shape == Shape::DataAccess => all(closed(Label::ALL.len())),
            _ if shape == Shape::DataAccess && self.purpose(dim).is_some() => all(closed(2)),
            _ => match self.arg(dim) {
                Some(arg) if shape == Shape::ToolCall => all(arg.end()),
                _ => Classes::none(),
            },
        }
    }
}
