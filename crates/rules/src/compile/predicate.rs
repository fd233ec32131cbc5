//! What is left to check of a rule that may match: selectors as bits and sorted lists.

use std::collections::HashSet;
use std::sync::Arc;

use foldhash::fast::RandomState;
use model::domain::{DomainPattern, DomainSet};
use model::{ActorType, Label, Time, Zone};
use policy::{Fact, Facts};

use crate::hours::{Hours, minute_of_week};
use crate::rule::{NamePattern, Ports, Rule, Scheme, WhoPattern};
use crate::selector::below;
use crate::when::{Tri, When};

/// LIMIT: a list up to this long is walked, a longer one hashed.
const FEW: usize = 8;

/// When an ask is made; the minute of the week is worked out when a rule wants it.
pub(super) struct Moment {
    now: Time,
}

impl Moment {
    pub(super) fn new(now: Time) -> Self {
        Self { now }
    }
}

/// One check.
#[derive(Debug)]
pub(super) enum Predicate {
    Until(Time),
    Zones(u8),
    Schemes(u8),
    Labels(u8),
    Ports(Ports),
    Methods { known: u16, others: Names },
    Who { kinds: u8, agents: Names, users: Names, services: Names },
    Actions { exact: Names, below: Box<[Arc<str>]> },
    Tools { exact: Names, below: Box<[Arc<str>]> },
    Rooms(Names),
    Hosts(Box<DomainSet>),
    Paths(Box<[Arc<str>]>),
    Purposes(Box<[Arc<str>]>),
    Hours(Hours),
    When(Box<When>),
}

/// Texts, one of which it has to be.
#[derive(Debug)]
pub(super) enum Names {
    Few(Box<[Arc<str>]>),
    Many(HashSet<Arc<str>, RandomState>),
}

impl Names {
    fn of<'a>(names: impl Iterator<Item = &'a Arc<str>>) -> Self {
        let names: Vec<Arc<str>> = names.cloned().collect();
        if names.len() <= FEW { Self::Few(names.into()) } else { Self::Many(names.into_iter().collect()) }
    }

    fn has(&self, name: &str) -> bool {
        match self {
            Self::Few(names) => names.iter().any(|each| **each == *name),
            Self::Many(names) => names.contains(name),
        }
    }
}

/// The methods that have a bit.
const METHODS: [&str; 9] = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "TRACE"];

fn method_bit(method: &str) -> Option<u16> {
    METHODS.iter().position(|known| *known == method).map(|place| 1 << place)
}

/// The checks of a rule, without those its anchor has made.
pub(super) fn all(rule: &Rule, by_tool: bool, by_host: bool) -> Box<[Predicate]> {
    let mut all = Vec::new();
    all.extend(rule.zones.as_ref().map(|zones| Predicate::Zones(zones.iter().map(|zone| zone_bit(*zone)).sum())));
    all.extend(rule.schemes.as_ref().map(|some| Predicate::Schemes(some.iter().map(|one| scheme_bit(*one)).sum())));
    all.extend(rule.labels.as_ref().map(|some| Predicate::Labels(some.iter().map(|one| label_bit(*one)).sum())));
    if rule.ports != Ports::Any {
        all.push(Predicate::Ports(rule.ports.clone()));
    }
    all.extend(rule.methods.as_ref().map(|methods| Predicate::Methods {
        known: methods.iter().filter_map(|method| method_bit(method)).sum(),
        others: Names::of(methods.iter().filter(|method| method_bit(method).is_none())),
    }));
    all.extend(rule.who.as_deref().map(who));
    all.extend(rule.actions.as_deref().map(|names| {
        let (exact, below) = split(names);
        Predicate::Actions { exact, below }
    }));
    if !by_tool {
        all.extend(rule.tools.as_deref().map(|names| {
            let (exact, below) = split(names);
            Predicate::Tools { exact, below }
        }));
    }
    all.extend(rule.rooms.as_ref().map(|rooms| Predicate::Rooms(Names::of(rooms.iter()))));
    if !by_host {
        all.extend(rule.hosts.as_deref().map(|hosts| Predicate::Hosts(Box::new(domains(hosts)))));
    }
    all.extend(rule.until.map(Predicate::Until));
    all.extend(rule.hours.clone().map(Predicate::Hours));
    all.extend(rule.paths.as_deref().map(|paths| Predicate::Paths(paths.into())));
    all.extend(rule.purposes.as_ref().map(|some| Predicate::Purposes(some.iter().cloned().collect())));
    all.extend(rule.when.clone().map(|when| Predicate::When(Box::new(when))));
    all.into()
}

fn who(who: &[WhoPattern]) -> Predicate {
    let named = |wanted: ActorType| {
        Names::of(who.iter().filter_map(move |pattern| match pattern {
            WhoPattern::Named(kind, name) if *kind == wanted => Some(name),
            _ => None,
        }))
    };
    let kinds = who.iter().map(|pattern| match pattern {
        WhoPattern::Kind(kind) => kind_bit(*kind),
        WhoPattern::Named(..) => 0,
    });
    Predicate::Who {
        kinds: kinds.fold(0, |all, bit| all | bit),
        agents: named(ActorType::Agent),
        users: named(ActorType::User),
        services: named(ActorType::Service),
    }
}

fn split(names: &[NamePattern]) -> (Names, Box<[Arc<str>]>) {
    let exact = names.iter().filter_map(|pattern| match pattern {
        NamePattern::Exact(name) => Some(name),
        NamePattern::Below(_) => None,
    });
    let below = names.iter().filter_map(|pattern| match pattern {
        NamePattern::Below(name) => Some(Arc::clone(name)),
        NamePattern::Exact(_) => None,
    });
    (Names::of(exact), below.collect())
}

fn domains(hosts: &[DomainPattern]) -> DomainSet {
    hosts.iter().cloned().collect()
}

fn zone_bit(zone: Zone) -> u8 {
    1 << zone as u8
}

fn scheme_bit(scheme: Scheme) -> u8 {
    1 << scheme as u8
}

fn label_bit(label: Label) -> u8 {
    1 << label as u8
}

fn kind_bit(kind: ActorType) -> u8 {
    1 << kind as u8
}

fn on<F>(fact: Fact<F>, holds: impl FnOnce(F) -> bool) -> Tri {
    match fact {
        Fact::Absent => Tri::False,
        Fact::Unseen => Tri::Unknown,
        Fact::Seen(fact) => holds(fact).into(),
    }
}

fn dotted(exact: &Names, prefixes: &[Arc<str>], name: &str) -> bool {
    let under = |prefix: &Arc<str>| {
        name.strip_prefix(&**prefix).is_some_and(|rest| rest.is_empty() || rest.as_bytes().first() == Some(&b'.'))
    };
    exact.has(name) || prefixes.iter().any(under)
}

impl Predicate {
    pub(super) fn holds(&self, facts: &Facts<'_>, moment: &Moment) -> Tri {
        match self {
            Self::Until(until) => (moment.now < *until).into(),
            Self::Hours(hours) => hours.contains(minute_of_week(moment.now)).into(),
            Self::Zones(bits) => (bits & zone_bit(facts.zone) != 0).into(),
            Self::Rooms(rooms) => facts.room.is_some_and(|room| rooms.has(room)).into(),
            Self::Who { kinds, agents, users, services } => {
                let named = match facts.who.kind {
                    ActorType::Agent => agents,
                    ActorType::User => users,
                    ActorType::Service => services,
                };
                (kinds & kind_bit(facts.who.kind) != 0 || named.has(facts.who.name)).into()
            }
            Self::Actions { exact, below } => dotted(exact, below, facts.action).into(),
            Self::Tools { exact, below } => on(facts.tool, |tool| dotted(exact, below, tool)),
            Self::Hosts(hosts) => on(facts.host, |host| hosts.covers(host)),
            Self::Methods { known, others } => on(facts.method, |method| match method_bit(method) {
                Some(bit) => known & bit != 0,
                None => others.has(method),
            }),
            Self::Schemes(bits) => on(facts.scheme, |scheme| {
                let scheme = if scheme == "https" { Scheme::Https } else { Scheme::Http };
                bits & scheme_bit(scheme) != 0
            }),
            Self::Labels(bits) => on(facts.label, |label| bits & label_bit(label) != 0),
            Self::Paths(paths) => on(facts.path.as_ref(), |path| paths.iter().any(|prefix| below(prefix, path))),
            Self::Purposes(some) => on(facts.purposes, |purposes| some.iter().any(|each| purposes.contains(&**each))),
            Self::Ports(Ports::Any) => Tri::True,
            Self::Ports(Ports::Web) => match facts.port {
                Fact::Absent => Tri::True,
                port => on(port, |port| port == 80 || port == 443),
            },
            Self::Ports(Ports::In(ranges)) => {
                on(facts.port, |port| ranges.iter().any(|(from, to)| *from <= port && port <= *to))
            }
            Self::When(when) => match facts.input {
                Fact::Absent => Tri::False,
                Fact::Unseen => Tri::Unknown,
                Fact::Seen(input) => when.holds(input),
            },
        }
    }
}
