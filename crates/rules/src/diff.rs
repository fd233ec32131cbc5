//! The exact difference of two policy sets: every region of asks whose outcome differs, each with
//! one ask of it.
//!
//! Nothing is sampled. Both sets are laid into one space; the walk goes only where a rule
//! differs, and every ask is either in exactly one region or has the same outcome before and after.
//! Outcomes are those of the rules alone: deny, ask, allow, or that no rule says anything. A
//! deny that cannot be evaluated is a deny.
//!
//! Of tunnels that may carry anything only those regions are told in which one of the sets allows
//! them. The others follow from the same region without such tunnels: where that is allowed, no rule
//! speaks of them.
//!
//! LIMIT: [`DiffOptions::effort_max`] bounds the walk (beyond it there is an error, never a part of
//! the answer), [`DiffOptions::regions_max`] the regions told; their number stays exact.

mod regions;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::Arc;

use model::Time;
use model::decision::RuleId;
use serde::Serialize;

use self::regions::{Raw, merged, merged_across};
use crate::rule::{Effect, PolicySet, Rule};
use crate::space::classes::{Classes, Sets};
use crate::space::search::{A, B, Goal, Item, Level, Search, Stop};
pub use crate::space::witness::{Unseen, Witness};
use crate::space::{Dim, Mentions, Piece};
pub use crate::space::{Shape, SpaceError};
use crate::space::{Space, search};
use crate::when::Tri;

/// Whether rules that are only tried count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shadow {
    /// They do not count.
    Ignore,
    /// They count as if they were not in shadow.
    Count,
}

/// What is compared, and how much work it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiffOptions {
    /// Whether rules in shadow count.
    pub shadow: Shadow,
    /// Only asks from this moment on; `None` = of all times, so what expired long ago counts too.
    pub from: Option<Time>,
    /// How many regions are told, the most dangerous first.
    pub regions_max: usize,
    /// How many looks at a rule the walk may take.
    pub effort_max: u64,
}

impl DiffOptions {
    /// Live rules, from `from` on, at most 1,000 regions and 10 million looks.
    #[must_use]
    pub const fn new(from: Option<Time>) -> Self {
        Self { shadow: Shadow::Ignore, from, regions_max: 1_000, effort_max: 10_000_000 }
    }
}

/// Why there is no exact difference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DiffError {
    /// A rule or a value is too complicated.
    #[error(transparent)]
    Space(#[from] SpaceError),
    /// The rules interleave too much.
    #[error("the sets cannot be compared exactly within {limit} looks at a rule; compare smaller changes one by one")]
    Effort {
        /// The looks allowed.
        limit: u64,
    },
}

/// What rules say to an ask. `Ord` follows strictness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// No rule matches: the built-in rules decide.
    NoRule,
    /// It may happen.
    Allow,
    /// A human must say yes first.
    Ask,
    /// It may not happen.
    Deny,
}

impl Verdict {
    /// The word reports use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoRule => "no rule",
            Self::Allow => "allow",
            Self::Ask => "ask",
            Self::Deny => "deny",
        }
    }

    pub(crate) const fn of(level: Level) -> Self {
        match level {
            DENY => Self::Deny,
            ASK => Self::Ask,
            ALLOW => Self::Allow,
            _ => Self::NoRule,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Asks whose outcome differs in one way.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Region {
    /// In words: `agent `coder`: POST to `*.example.com` changes deny → allow`.
    pub statement: String,
    /// What the first set says.
    pub before: Verdict,
    /// What the second set says.
    pub after: Verdict,
    /// Rules of the first set that decide it; of a large region some of them.
    pub before_rules: Vec<RuleId>,
    /// Rules of the second set that decide it; of a large region some of them.
    pub after_rules: Vec<RuleId>,
    /// What kinds of asks it has.
    pub shapes: Vec<Shape>,
    /// What it is about, fact by fact; a fact that is not listed may be anything.
    pub facts: BTreeMap<String, String>,
    /// One ask of it.
    pub witness: Witness,
}

impl Region {
    /// Whether something may now happen that could not, or with less of a check.
    #[must_use]
    pub fn widens(&self) -> bool {
        danger(self.before, self.after) < TIGHTER
    }
}

/// The difference.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Diff {
    /// The regions, the most dangerous first.
    pub regions: Vec<Region>,
    /// How many regions there are in all.
    pub total: usize,
    /// How many of them widen.
    pub widening: usize,
    /// How much work it was, in looks at a rule.
    pub effort: u64,
}

impl Diff {
    /// Whether the outcome is the same for every ask.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.total == 0
    }
}

pub(crate) const ALLOW: Level = 2;
pub(crate) const ASK: Level = 3;
pub(crate) const DENY: Level = 4;

/// How strict an effect is among items.
pub(crate) const fn level(effect: Effect) -> Level {
    match effect {
        Effect::Allow => ALLOW,
        Effect::Ask => ASK,
        Effect::Deny => DENY,
    }
}

/// How surely a rule must match to have its effect: an unknown deny denies, an unknown allow does not match.
pub(crate) const fn least(effect: Effect) -> Tri {
    match effect {
        Effect::Allow => Tri::True,
        Effect::Ask | Effect::Deny => Tri::Unknown,
    }
}

/// The first place that is not a widening.
const TIGHTER: u8 = 6;

/// The place of a change in the order of danger.
const fn danger(before: Verdict, after: Verdict) -> u8 {
    match (before, after) {
        (Verdict::Deny, Verdict::Allow) => 0,
        (Verdict::Ask, Verdict::Allow) => 1,
        (Verdict::NoRule, Verdict::Allow) => 2,
        (Verdict::Deny, Verdict::NoRule) => 3,
        (Verdict::Deny, Verdict::Ask) => 4,
        (Verdict::Ask, Verdict::NoRule) => 5,
        (Verdict::Allow, Verdict::NoRule) => TIGHTER,
        (Verdict::NoRule, Verdict::Ask) => 7,
        (Verdict::Allow, Verdict::Ask) => 8,
        (Verdict::NoRule, Verdict::Deny) => 9,
        (Verdict::Ask, Verdict::Deny) => 10,
        (Verdict::Allow, Verdict::Deny) => 11,
        _ => 12,
    }
}

/// Says for which asks `after` decides otherwise than `before`.
///
/// # Errors
/// [`DiffError`]: a limit was reached. There is never a difference with something left out.
pub fn diff(before: &PolicySet, after: &PolicySet, options: DiffOptions) -> Result<Diff, DiffError> {
    let counts = |rule: &&Rule| options.shadow == Shadow::Count || !rule.shadow;
    let old: Vec<&Rule> = before.rules.iter().filter(counts).collect();
    let new: Vec<&Rule> = after.rules.iter().filter(counts).collect();
    let space = Space::new(Mentions::of(old.iter().chain(&new).copied()), options.from)?;
    let mut sets = Sets::default();
    let found = walk(&space, &mut sets, [&old, &new], options)?;
    let groups = space.groups(before.groups.iter().chain(&after.groups));
    let mut told = Vec::new();
    let (mut total, mut widening) = (0, 0);
    for raw in found.regions {
        let cuts = possible(&space, raw.cuts(&sets));
        let shape = Shape::ALL.into_iter().find(|shape| raw.shapes & shape.bit() != 0);
        let Some(shape) = shape.filter(|shape| space.has_witness(*shape, &cuts)) else { continue };
        let (before, after) = (Verdict::of(raw.levels[0]), Verdict::of(raw.levels[1]));
        if before != Verdict::Allow && after != Verdict::Allow && only_opaque(&cuts) {
            continue;
        }
        total += 1;
        widening += usize::from(danger(before, after) < TIGHTER);
        if told.len() >= options.regions_max {
            continue;
        }
        let Some(witness) = space.witness(shape, &cuts) else { continue };
        let said = space.say(raw.shapes, &cuts, &groups);
        let time = if said.time.is_empty() { String::new() } else { format!(" {}", said.time) };
        let ids = |rules: &[&Rule], because: &[u32]| -> Vec<RuleId> {
            let rule = |at: &u32| usize::try_from(*at).ok().and_then(|at| rules.get(at));
            because.iter().filter_map(rule).map(|rule| Arc::clone(&rule.id)).collect()
        };
        told.push(Region {
            statement: format!("{}: {} changes {before} → {after}{time}", said.who, said.what),
            before,
            after,
            before_rules: ids(&old, &raw.because[0]),
            after_rules: ids(&new, &raw.because[1]),
            shapes: Shape::ALL.into_iter().filter(|shape| raw.shapes & shape.bit() != 0).collect(),
            facts: said.parts,
            witness,
        });
    }
    Ok(Diff { regions: told, total, widening, effort: found.effort })
}

/// A cell: its cuts, its outcomes, and the rules they come from.
type Settled = (Vec<search::Cut>, [Level; 2], Owners);

/// What the walk found.
struct Found {
    regions: Vec<Raw>,
    effort: u64,
}

fn walk(space: &Space, sets: &mut Sets, rules: [&[&Rule]; 2], options: DiffOptions) -> Result<Found, DiffError> {
    let mut effort = options.effort_max;
    let mut raws: Vec<Raw> = Vec::new();
    for shape in Shape::ALL {
        let (items, owners) = items(space, sets, shape, rules)?;
        let mut cells: Vec<Settled> = Vec::new();
        let mut search = Search::new(space, sets, shape, &items, Goal::Differ, effort);
        let walked = search.run(&[], [0, 0], &mut |cell: search::Cell<'_>| {
            let owner = |side: usize, item: &u32| {
                let owners = usize::try_from(*item).ok().and_then(|item| owners.get(item));
                owners.and_then(|sides| sides.get(side)).into_iter().flatten().copied()
            };
            let [before, after] = cell.because;
            let because = [
                before.iter().flat_map(|item| owner(0, item)).collect(),
                after.iter().flat_map(|item| owner(1, item)).collect(),
            ];
            cells.push((cell.cuts.to_vec(), cell.levels, because));
            ControlFlow::Continue(())
        });
        effort = search.effort;
        match walked {
            Ok(()) | Err(Stop::Enough) => {}
            Err(Stop::Exhausted) => return Err(DiffError::Effort { limit: options.effort_max }),
        }
        // Cells share what is left of a dimension, so each is looked up once. All are alive here.
        let mut known: HashMap<(Dim, *const Classes), Option<u32>, foldhash::fast::FixedState> = HashMap::default();
        let mut fresh = Vec::with_capacity(cells.len());
        for (cuts, levels, because) in &mut cells {
            let mut id = |(dim, left): &search::Cut| -> Option<(Dim, u32)> {
                let whole = || **left == space.universe(shape, *dim);
                let set = known.entry((*dim, Rc::as_ptr(left)));
                set.or_insert_with(|| (!whole()).then(|| sets.id(Classes::clone(left)))).map(|set| (*dim, set))
            };
            let mut cuts: Vec<(Dim, u32)> = cuts.iter().filter_map(&mut id).collect();
            cuts.sort_unstable();
            fresh.push(Raw { shapes: shape.bit(), levels: *levels, cuts, because: std::mem::take(because) });
        }
        raws.extend(merged(fresh, space, sets));
    }
    let mut regions = merged_across(raws, space, sets);
    let place = |raw: &Raw| danger(Verdict::of(raw.levels[0]), Verdict::of(raw.levels[1]));
    regions.sort_by_cached_key(|raw| (place(raw), Reverse(raw.shapes.count_ones()), raw.cuts.len(), raw.cuts.clone()));
    Ok(Found { regions, effort: options.effort_max - effort })
}

/// The rules of each side an item comes from, by their place.
type Owners = [Vec<u32>; 2];

/// The pieces of both sides, each once.
fn items(
    space: &Space,
    sets: &mut Sets,
    shape: Shape,
    rules: [&[&Rule]; 2],
) -> Result<(Vec<Item>, Vec<Owners>), SpaceError> {
    let (mut items, mut owners) = (Vec::<Item>::new(), Vec::<Owners>::new());
    let mut known: HashMap<(Level, Piece), usize, foldhash::fast::FixedState> = HashMap::default();
    for (side, rules) in [A, B].into_iter().zip(rules) {
        for (at, rule) in (0_u32..).zip(rules) {
            for piece in space.pieces(rule, shape, least(rule.effect), sets)? {
                let level = level(rule.effect);
                let place = *known.entry((level, piece.clone())).or_insert_with(|| {
                    items.push(Item { piece, level, sides: 0 });
                    owners.push(Owners::default());
                    items.len() - 1
                });
                if let Some(item) = items.get_mut(place) {
                    item.sides |= side;
                }
                let owner = owners.get_mut(place).and_then(|owners| owners.get_mut(usize::from(side - 1)));
                owner.into_iter().for_each(|owner| owner.push(at));
            }
        }
    }
    Ok((items, owners))
}

/// Whether a region has nothing but opaque tunnels.
fn only_opaque(cuts: &[(Dim, Classes)]) -> bool {
    cuts.iter().any(|(dim, left)| *dim == crate::space::TUNNEL && !left.contains(crate::space::SEEN))
}

/// The cuts without spans of time that have no minute of those named.
fn possible(space: &Space, mut cuts: Vec<(Dim, Classes)>) -> Vec<(Dim, Classes)> {
    let minutes = cuts.iter().find(|(dim, _)| *dim == crate::space::MINUTE).map(|(_, left)| left.clone());
    if let Some(minutes) = minutes
        && let Some((_, moments)) = cuts.iter_mut().find(|(dim, _)| *dim == crate::space::MOMENT)
    {
        *moments = space.possible_moments(moments, &minutes);
    }
    cuts
}
