//! The selectors of a rule, one by one, on the facts of one ask: slow and plain.
//!
//! What the index is checked against, and what `why` reads to say which selector failed.

use model::Time;
use policy::{Fact, Facts};

use crate::hours::minute_of_week;
use crate::rule::{Ports, Rule, Scheme, WhoPattern};
use crate::when::Tri;

/// A selector that a rule has, in the order rules are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Selector {
    /// `agent`, `user`, `service` and `group` together.
    Who,
    /// `action`.
    Action,
    /// `tool`.
    Tool,
    /// `when`.
    When,
    /// `host`.
    Host,
    /// `method`.
    Method,
    /// `path`.
    Path,
    /// `port`, or what leaving it out means.
    Port,
    /// `tunnel`, or what leaving it out means for an allow.
    Tunnel,
    /// `scheme`.
    Scheme,
    /// `zone`.
    Zone,
    /// `room`.
    Room,
    /// `label`.
    Label,
    /// `purpose`.
    Purpose,
    /// `hours`.
    Hours,
    /// `until`.
    Until,
}

impl Selector {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::Who,
        Self::Action,
        Self::Tool,
        Self::When,
        Self::Host,
        Self::Method,
        Self::Path,
        Self::Port,
        Self::Tunnel,
        Self::Scheme,
        Self::Zone,
        Self::Room,
        Self::Label,
        Self::Purpose,
        Self::Hours,
        Self::Until,
    ];

    /// The key it is written with.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Who => "who",
            Self::Action => "action",
            Self::Tool => "tool",
            Self::When => "when",
            Self::Host => "host",
            Self::Method => "method",
            Self::Path => "path",
            Self::Port => "port",
            Self::Tunnel => "tunnel",
            Self::Scheme => "scheme",
            Self::Zone => "zone",
            Self::Room => "room",
            Self::Label => "label",
            Self::Purpose => "purpose",
            Self::Hours => "hours",
            Self::Until => "until",
        }
    }

    /// Whether the selector of `rule` holds; true where the rule has none.
    #[must_use]
    pub fn holds(self, rule: &Rule, facts: &Facts<'_>, now: Time) -> Tri {
        match self {
            Self::Who => plain(rule.who.as_ref(), |some| {
                some.iter().any(|pattern| match pattern {
                    WhoPattern::Kind(kind) => *kind == facts.who.kind,
                    WhoPattern::Named(kind, name) => *kind == facts.who.kind && **name == *facts.who.name,
                })
            }),
            Self::Action => plain(rule.actions.as_ref(), |some| some.iter().any(|each| each.matches(facts.action))),
            Self::Zone => plain(rule.zones.as_ref(), |some| some.contains(&facts.zone)),
            Self::Room => plain(rule.rooms.as_ref(), |some| facts.room.is_some_and(|room| some.contains(room))),
            Self::Hours => plain(rule.hours.as_ref(), |hours| hours.contains(minute_of_week(now))),
            Self::Until => plain(rule.until.as_ref(), |until| now < *until),
            Self::Tool => on(rule.tools.as_ref(), facts.tool, |some, tool| some.iter().any(|each| each.matches(tool))),
            Self::Host => on(rule.hosts.as_ref(), facts.host, |some, host| some.iter().any(|each| each.matches(host))),
            Self::Method => on(rule.methods.as_ref(), facts.method, |some, method| some.contains(method)),
            Self::Path => {
                on(rule.paths.as_ref(), facts.path.as_ref(), |some, path| some.iter().any(|each| below(each, path)))
            }
            Self::Scheme => on(rule.schemes.as_ref(), facts.scheme, |some, scheme| {
                some.contains(if scheme == "https" { &Scheme::Https } else { &Scheme::Http })
            }),
            Self::Label => on(rule.labels.as_ref(), facts.label, |some, label| some.contains(&label)),
            Self::Purpose => on(rule.purposes.as_ref(), facts.purposes, |some, purposes| {
                some.iter().any(|each| purposes.contains(&**each))
            }),
            Self::Port => port(&rule.ports, facts.port),
            Self::Tunnel => (!(facts.opaque && rule.shuns_opaque())).into(),
            Self::When => match (&rule.when, facts.input) {
                (None, _) => Tri::True,
                (Some(_), Fact::Absent) => Tri::False,
                (Some(_), Fact::Unseen) => Tri::Unknown,
                (Some(when), Fact::Seen(input)) => when.holds(input),
            },
        }
    }
}

/// Whether `path` is `prefix` or below it; `prefix` has no slash at the end.
pub(crate) fn below(prefix: &str, path: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether all selectors of a rule hold.
#[must_use]
pub fn matches(rule: &Rule, facts: &Facts<'_>, now: Time) -> Tri {
    Selector::ALL.into_iter().map(|selector| selector.holds(rule, facts, now)).min().unwrap_or(Tri::True)
}

/// A selector over a fact that every ask has.
fn plain<T>(selector: Option<&T>, holds: impl FnOnce(&T) -> bool) -> Tri {
    selector.is_none_or(holds).into()
}

fn on<T, F>(selector: Option<&T>, fact: Fact<F>, holds: impl FnOnce(&T, F) -> bool) -> Tri {
    match (selector, fact) {
        (None, _) => Tri::True,
        (Some(_), Fact::Absent) => Tri::False,
        (Some(_), Fact::Unseen) => Tri::Unknown,
        (Some(some), Fact::Seen(fact)) => holds(some, fact).into(),
    }
}

fn port(ports: &Ports, fact: Fact<u16>) -> Tri {
    match (ports, fact) {
        (Ports::Any, _) | (Ports::Web, Fact::Absent) => Tri::True,
        (Ports::In(_), Fact::Absent) => Tri::False,
        (_, Fact::Unseen) => Tri::Unknown,
        (Ports::Web, Fact::Seen(port)) => matches!(port, 80 | 443).into(),
        (Ports::In(ranges), Fact::Seen(port)) => ranges.iter().any(|(from, to)| (*from..=*to).contains(&port)).into(),
    }
}
