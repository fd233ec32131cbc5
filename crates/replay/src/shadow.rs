//! What would have been blocked: in shadow mode, or by rules in `shadow`, grouped so that people can
//! look through it.
//!
//! A group is open until the active rules would allow what is in it (resolved), or until somebody has
//! looked at it and says that it should be blocked (reviewed). A group keeps its id, whatever else is
//! seen; so what was reviewed stays so.

use std::collections::{BTreeMap, BTreeSet};

use model::{ActorType, Category, Label, Outcome, ReasonCode, Time};
use policy::{RuleVerdict, settle};
use serde::{Deserialize, Serialize};

use crate::differences::{EXAMPLES_MAX, Example, merge_examples};
use crate::draft::{Draft, Judgement, missing};
use crate::entry::Kept;
use crate::segment::{Case, Ids, Segment, Settled, Shape};
use crate::stable;

/// LIMIT: how many groups are told apart; the rows of others are only counted.
pub const GROUPS_MAX: usize = 2_000;
/// LIMIT: how many ports of a group are kept.
pub const PORTS_MAX: usize = 64;

/// What the decisions of a group have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key {
    /// The kind of who asked.
    pub who_type: ActorType,
    /// What rules call it; missing when it was not kept.
    pub who: Option<String>,
    /// The entry point.
    pub category: Category,
    /// The action; missing when it was not kept.
    pub action: Option<String>,
    /// The host, when one was seen.
    pub host: Option<String>,
    /// The method, when one was seen.
    pub method: Option<String>,
    /// Whether it was a tunnel that may carry anything.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub opaque: bool,
    /// The tool, when one was seen.
    pub tool: Option<String>,
    /// The label of the data.
    pub label: Option<Label>,
    /// What would have been answered.
    pub outcome: Outcome,
    /// Why.
    pub reason_code: ReasonCode,
    /// The rules that determine it.
    pub rules: Vec<String>,
    /// Whether only rules in `shadow` say so.
    pub trial: bool,
    /// Whether something that rules look at was not kept of them.
    pub withheld: bool,
}

/// Where a group stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It would be blocked, and nobody has said that this is right.
    Open,
    /// The active rules allow all of it by now.
    Resolved,
    /// Somebody has looked at it and left it as it is.
    Reviewed,
}

/// Decisions that would have been blocked and have the same key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Its id, the same in every report.
    pub id: String,
    /// What they have in common.
    #[serde(flatten)]
    pub key: Key,
    /// Where it stands.
    pub state: State,
    /// How many.
    pub count: u64,
    /// The first.
    pub first_seen: Time,
    /// The last.
    pub last_seen: Time,
    /// The first few.
    pub examples: BTreeSet<Example>,
    /// How many of them the active rules would still not allow.
    pub unresolved: u64,
    /// Whether a rule that allows would let them pass: nothing but the built-in asks for `external.*`
    /// or a default that denies stands against them.
    pub liftable: bool,
    /// The ports that were seen.
    pub ports: BTreeSet<u16>,
    /// Whether there were decisions without a known port.
    pub port_unseen: bool,
}

/// Would-blocks, gathered from segments.
#[derive(Debug, Clone, Default)]
pub struct WouldBlocks {
    groups: BTreeMap<Key, Group>,
    other: u64,
    rows: u64,
    dropped: u64,
}

/// Which rows are looked at.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    /// Only from this moment on.
    pub since: Option<Time>,
    /// Only before this moment.
    pub until: Option<Time>,
    /// The moment at which the active rules are asked.
    pub now: Time,
}

/// What is counted of one case of a segment.
struct Counted {
    rows: u64,
    first: usize,
    last: usize,
    examples: Vec<usize>,
}

impl WouldBlocks {
    /// Adds the would-blocks of a segment; `active` are the rules in force.
    ///
    /// `ids` is asked for the ids of the segment once, and only when there is something to show.
    pub fn add(&mut self, segment: &Segment<'_>, active: &Draft, window: &Window, ids: impl FnOnce() -> Option<Ids>) {
        let rows = segment.between(window.since, window.until);
        self.rows = self.rows.saturating_add(rows.len() as u64);
        self.dropped = self.dropped.saturating_add(u64::from(segment.span().dropped));
        let wanted = |case: &Case<'_>| segment.settled(case).is_some_and(|settled| would_block(settled).is_some());
        let mut counted: Vec<Option<Counted>> = segment.cases().iter().map(|case| counting(wanted(case))).collect();
        let (start, length) = (rows.start, rows.len());
        for (row, (_, case)) in (start..).zip(segment.rows().skip(start).take(length)) {
            let place = usize::try_from(case).unwrap_or(usize::MAX);
            if let Some(Some(counted)) = counted.get_mut(place) {
                counted.count(row);
            }
        }
        let found: Vec<_> = segment.cases().iter().zip(counted).filter_map(|(case, c)| Some((case, c?))).collect();
        let found: Vec<_> = found.into_iter().filter(|(_, counted)| counted.rows > 0).collect();
        let ids = if found.is_empty() { None } else { ids() };
        for (case, counted) in found {
            self.add_case(segment, case, &counted, active, window, ids.as_ref());
        }
    }

    fn add_case(
        &mut self,
        segment: &Segment<'_>,
        case: &Case<'_>,
        counted: &Counted,
        active: &Draft,
        window: &Window,
        ids: Option<&Ids>,
    ) {
        let Some((shape, settled)) = segment.shape(case).zip(segment.settled(case)) else { return };
        let Some((first_seen, last_seen)) = segment.time(counted.first).zip(segment.time(counted.last)) else { return };
        let Some(key) = key(segment, shape, settled) else { return };
        let resolved = match active.judge(segment, case, window.now, &settled.ground) {
            Some(Judgement::Known(judged)) if key.trial => judged.tried_outcome == Outcome::Allow,
            Some(Judgement::Known(judged)) => judged.outcome == Outcome::Allow,
            Some(Judgement::Open(_)) | None => false,
        };
        let lifted = settle(&settled.ground, &RuleVerdict::Allow(Vec::new())).0 == Outcome::Allow;
        let by_rule = matches!(
            key.reason_code,
            ReasonCode::PolicyDenies | ReasonCode::PolicyRequiresApproval | ReasonCode::PolicyUnevaluable
        );
        let examples = counted
            .examples
            .iter()
            .filter_map(|&row| Some(Example { at: segment.time(row)?, decision_id: ids?.get(row)?.clone() }));
        let group = Group {
            id: id(&key),
            state: State::Open,
            count: counted.rows,
            first_seen,
            last_seen,
            examples: examples.collect(),
            unresolved: if resolved { 0 } else { counted.rows },
            liftable: lifted && !by_rule && !key.trial,
            ports: shape.port.seen().copied().into_iter().collect(),
            port_unseen: matches!(shape.port, Kept::Unseen | Kept::Withheld),
            key,
        };
        self.merge_group(group);
    }

    /// Adds what another has gathered.
    pub fn merge(&mut self, other: Self) {
        self.rows = self.rows.saturating_add(other.rows);
        self.dropped = self.dropped.saturating_add(other.dropped);
        self.other = self.other.saturating_add(other.other);
        other.groups.into_values().for_each(|group| self.merge_group(group));
    }

    fn merge_group(&mut self, group: Group) {
        if let Some(own) = self.groups.get_mut(&group.key) {
            own.count = own.count.saturating_add(group.count);
            own.unresolved = own.unresolved.saturating_add(group.unresolved);
            own.first_seen = own.first_seen.min(group.first_seen);
            own.last_seen = own.last_seen.max(group.last_seen);
            own.liftable |= group.liftable;
            own.port_unseen |= group.port_unseen;
            own.ports.extend(group.ports);
            while own.ports.len() > PORTS_MAX {
                own.ports.pop_last();
            }
            merge_examples(&mut own.examples, &group.examples);
        } else if self.groups.len() < GROUPS_MAX {
            self.groups.insert(group.key.clone(), group);
        } else {
            self.other = self.other.saturating_add(group.count);
        }
    }

    /// The groups as they stand, open ones first, then by how many; `reviewed` are ids of groups.
    #[must_use]
    pub fn groups(&self, reviewed: &BTreeSet<String>) -> Vec<Group> {
        let stands = |group: &Group| match group {
            group if group.unresolved == 0 => State::Resolved,
            group if reviewed.contains(&group.id) => State::Reviewed,
            _ => State::Open,
        };
        let mut groups: Vec<Group> =
            self.groups.values().map(|group| Group { state: stands(group), ..group.clone() }).collect();
        groups.sort_by(|a, b| (a.state, b.count, &a.id).cmp(&(b.state, a.count, &b.id)));
        groups
    }

    /// How many decisions were looked at.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// How many would-blocks belong to groups beyond [`GROUPS_MAX`].
    #[must_use]
    pub fn other(&self) -> u64 {
        self.other
    }

    /// How many decisions of this time are missing from the log.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

impl Counted {
    fn count(&mut self, row: usize) {
        if self.rows == 0 {
            self.first = row;
        }
        self.last = row;
        self.rows += 1;
        if self.examples.len() < EXAMPLES_MAX {
            self.examples.push(row);
        }
    }
}

fn counting(wanted: bool) -> Option<Counted> {
    wanted.then_some(Counted { rows: 0, first: 0, last: 0, examples: Vec::new() })
}

/// The outcome and reason that would have blocked, and whether only rules in `shadow` say so.
fn would_block(settled: &Settled) -> Option<(Outcome, ReasonCode, bool)> {
    if settled.outcome != Outcome::Allow && !settled.blocked {
        return Some((settled.outcome, settled.reason_code, false));
    }
    let trial = settled.trial.filter(|trial| trial.outcome > settled.outcome)?;
    Some((trial.outcome, trial.reason_code, true))
}

fn key(segment: &Segment<'_>, shape: &Shape<'_>, settled: &Settled) -> Option<Key> {
    let (outcome, reason_code, trial) = would_block(settled)?;
    let own = |text: Option<&&str>| text.map(|text| (*text).to_owned());
    let rules: Vec<&str> = match settled.trial.filter(|_| trial) {
        Some(other) => segment.rules_of_other(&other).collect(),
        None => segment.rules_of(settled).collect(),
    };
    Some(Key {
        who_type: shape.who_kind,
        who: own(shape.who_name.as_ref()),
        category: shape.category,
        action: own(shape.action.as_ref()),
        host: own(shape.host.seen()),
        method: own(shape.method.seen()),
        opaque: shape.is_opaque(),
        tool: own(shape.tool.seen()),
        label: shape.label.seen().copied(),
        outcome,
        reason_code,
        rules: rules.into_iter().map(str::to_owned).collect(),
        trial,
        withheld: missing(segment, shape).is_some(),
    })
}

/// The id of a group: the hash of its key, the same in every program.
fn id(key: &Key) -> String {
    let text = |text: &Option<String>| text.clone().map_or_else(|| "-".to_owned(), |text| format!("={text}"));
    let texts = [
        key.who_type.as_str().to_owned(),
        text(&key.who),
        key.category.as_str().to_owned(),
        text(&key.action),
        text(&key.host),
        text(&key.method),
        text(&key.tool),
        key.label.map_or("-", Label::as_str).to_owned(),
        key.outcome.as_str().to_owned(),
        key.reason_code.as_str().to_owned(),
        key.trial.to_string(),
        key.withheld.to_string(),
    ];
    // Last, so that groups keep the ids they had before there were tunnels.
    let opaque = key.opaque.then_some("opaque tunnel");
    let parts: Vec<&str> = texts.iter().chain(&key.rules).map(String::as_str).chain(opaque).collect();
    let twice: Vec<&str> = std::iter::once("group").chain(parts.iter().copied()).collect();
    format!("wb_{:016x}{:016x}", stable::hash(&parts), stable::hash(&twice))
}
