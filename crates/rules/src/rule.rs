//! A rule as it is understood: every selector typed and normalised, groups resolved.
//!
//! A selector that is `None` (or [`Ports::Any`]) says nothing. One that is there holds when any of
//! its values does; a rule matches when all of its selectors hold.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use model::ask::Tunnel;
use model::decision::RuleId;
use model::domain::DomainPattern;
use model::{ActorType, Label, Time, Zone};
use serde::{Deserialize, Serialize};

use crate::hours::Hours;
use crate::when::When;

/// What a rule does. `Ord` follows strictness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// It may happen.
    Allow,
    /// A human must say yes first.
    Ask,
    /// It may not happen.
    Deny,
}

impl Effect {
    /// From the mildest to the strictest.
    pub const ALL: [Self; 3] = [Self::Allow, Self::Ask, Self::Deny];

    /// The word rules are written with.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Ask => "ask",
            Self::Deny => "deny",
        }
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Where a rule stands: file, line and column, both from 1.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The file's name.
    pub file: Arc<str>,
    /// The line.
    pub line: u32,
    /// The column, in characters.
    pub column: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// Whom a rule is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WhoPattern {
    /// Everybody of a kind: `agent = "*"`.
    Kind(ActorType),
    /// One by name.
    Named(ActorType, Arc<str>),
}

/// A dotted name: one, or all below a prefix.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NamePattern {
    /// Exactly this name.
    Exact(Arc<str>),
    /// `prefix.*`: the prefix itself and everything below it. Kept without `.*`.
    Below(Arc<str>),
}

impl NamePattern {
    /// Whether the name matches.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        match self {
            Self::Exact(exact) => **exact == *name,
            Self::Below(prefix) => {
                name.strip_prefix(&**prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            }
        }
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => f.write_str(name),
            Self::Below(prefix) => write!(f, "{prefix}.*"),
        }
    }
}

/// The ports of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Ports {
    /// Any, and asks without one: what a deny or an ask means that names none, and `port = "*"`.
    Any,
    /// 80, 443, and asks that have no port at all: what an allow means that names none.
    Web,
    /// These. Not empty; ranges with both ends, sorted, not touching.
    In(Vec<(u16, u16)>),
}

/// One rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Its id, unique in the set.
    pub id: RuleId,
    /// What it does.
    pub effect: Effect,
    /// Why it is there, in words.
    pub reason: Option<Arc<str>>,
    /// It is tried, but does not count.
    pub shadow: bool,
    /// From this moment on it never matches.
    pub until: Option<Time>,
    /// Where it stands.
    pub place: Place,
    /// Whom it is about, groups resolved; sorted.
    pub who: Option<Vec<WhoPattern>>,
    /// The groups that were named, for wording only.
    pub groups: Vec<Arc<str>>,
    /// Actions.
    pub actions: Option<Vec<NamePattern>>,
    /// Hosts. [`DomainPattern::Any`] = any host, but there must be one.
    pub hosts: Option<Vec<DomainPattern>>,
    /// Methods, upper-case.
    pub methods: Option<BTreeSet<Arc<str>>>,
    /// Paths: whole leading segments, as [`policy::facts::plain_path`] spells them, without a slash at the end
    /// (`""` = every path).
    pub paths: Option<Vec<Arc<str>>>,
    /// Ports.
    pub ports: Ports,
    /// What a tunnel may carry at most that is allowed; what is denied or asked for is so whatever it
    /// carries.
    pub tunnel: Tunnel,
    /// `http`, `https`.
    pub schemes: Option<BTreeSet<Scheme>>,
    /// Zones.
    pub zones: Option<BTreeSet<Zone>>,
    /// Rooms.
    pub rooms: Option<BTreeSet<Arc<str>>>,
    /// Tools.
    pub tools: Option<Vec<NamePattern>>,
    /// A condition on what a tool is called with; then `tools` are exact and declared.
    pub when: Option<When>,
    /// Labels of data.
    pub labels: Option<BTreeSet<Label>>,
    /// Purposes of data: holds when the ask has any of them.
    pub purposes: Option<BTreeSet<Arc<str>>>,
    /// Times of the week.
    pub hours: Option<Hours>,
}

impl Rule {
    /// A rule without a selector: it matches every ask, but for the ports that an allow means when it
    /// names none.
    #[must_use]
    pub fn bare(effect: Effect, id: RuleId, place: Place) -> Self {
        Self {
            id,
            effect,
            reason: None,
            shadow: false,
            until: None,
            place,
            who: None,
            groups: Vec::new(),
            actions: None,
            hosts: None,
            methods: None,
            paths: None,
            ports: if effect == Effect::Allow { Ports::Web } else { Ports::Any },
            tunnel: Tunnel::Tls,
            schemes: None,
            zones: None,
            rooms: None,
            tools: None,
            when: None,
            labels: None,
            purposes: None,
            hours: None,
        }
    }

    /// Whether the rule leaves tunnels alone that may carry anything: an allow that does not name them.
    #[must_use]
    pub fn shuns_opaque(&self) -> bool {
        self.effect == Effect::Allow && self.tunnel == Tunnel::Tls
    }
}

/// The scheme of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scheme {
    /// `http`.
    Http,
    /// `https`.
    Https,
}

impl Scheme {
    /// The text of an URL.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// What a tool is called with, as declared.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tool {
    /// By JSON Pointer.
    pub args: BTreeMap<Arc<str>, Arg>,
}

/// One declared value of a tool's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arg {
    /// Its type.
    pub kind: ArgType,
    /// Whether it may be missing. A condition on a missing value is false when it may, unknown
    /// when it may not.
    pub optional: bool,
}

/// The type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ArgType {
    /// A text.
    String,
    /// A number without a fraction.
    Integer,
    /// Any number.
    Number,
    /// True or false.
    Boolean,
    /// An IP address, as text.
    Ip,
}

impl ArgType {
    /// All types.
    pub const ALL: [Self; 5] = [Self::String, Self::Integer, Self::Number, Self::Boolean, Self::Ip];

    /// The word it is declared with.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Ip => "ip",
        }
    }
}

/// A set of rules, loaded and checked.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PolicySet {
    /// The rules, in the order they were written.
    pub rules: Vec<Rule>,
    /// The declared tools.
    pub tools: BTreeMap<Arc<str>, Tool>,
    /// The members of each group, resolved.
    pub groups: BTreeMap<Arc<str>, BTreeSet<WhoPattern>>,
}

impl PolicySet {
    /// A rule by its id.
    #[must_use]
    pub fn rule(&self, id: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| &*rule.id == id)
    }
}
