//! Rules that do nothing: those that can never match, those that stricter ones cover, and those
//! that could be left out.
//!
//! Exact in the sense of [`mod@crate::diff`]: a rule is *shadowed* when on every ask where it would have its
//! effect a stricter rule decides, and *redundant* when the other rules of its effect and above
//! decide all of them alike. All rules that are found may be left out together: rules are looked at
//! from the last to the first, and one that was found no longer counts for those before it.
//!
//! Rules in shadow neither cover others nor are they found, unless they can never match.

mod contradiction;
mod cover;
#[cfg(test)]
mod tests;
mod tunnels;

use std::fmt;

use model::decision::RuleId;
use serde::Serialize;

pub use self::contradiction::{Contradiction, never_matches};
use self::cover::{Cover, Covered};
pub use self::tunnels::blind_in_tunnels;
use crate::diff::{least, level};
use crate::rule::{Place, PolicySet, Rule};
use crate::space::classes::Sets;
use crate::space::{Mentions, Shape, Space, SpaceError};

/// Looks at a rule for all rules together.
const EFFORT_MAX: u64 = 10_000_000;

/// A rule that does nothing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// The rule.
    pub rule: RuleId,
    /// Where it stands.
    pub place: Place,
    /// Why it does nothing.
    pub problem: Trouble,
}

/// Why a rule does nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", content = "by", rename_all = "snake_case")]
pub enum Trouble {
    /// Its selectors contradict each other.
    NeverMatches(Contradiction),
    /// Stricter rules decide every ask it matches: these, or some of them.
    Shadowed(Vec<RuleId>),
    /// Other rules of its effect (and stricter ones) decide every ask it matches: these, or some of them.
    Redundant(Vec<RuleId>),
    /// The rules around it interleave too much to tell.
    Unknown,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids = |rules: &[RuleId]| rules.iter().map(|rule| format!("`{rule}`")).collect::<Vec<_>>().join(", ");
        write!(f, "{}: rule `{}` ", self.place, self.rule)?;
        match &self.problem {
            Trouble::NeverMatches(why) => write!(f, "can never match: {why}"),
            Trouble::Shadowed(by) => {
                write!(f, "never decides: whatever it matches is decided by stricter rules: {}", ids(by))
            }
            Trouble::Redundant(by) => {
                write!(f, "changes nothing: whatever it matches is decided the same by {}", ids(by))
            }
            Trouble::Unknown => write!(f, "could not be checked against the others: they interleave too much"),
        }
    }
}

/// What is found in a set, in the order of its rules.
///
/// # Errors
/// [`SpaceError`]: a rule is too complicated.
pub fn findings(set: &PolicySet) -> Result<Vec<Finding>, SpaceError> {
    let mut found = Vec::new();
    let mut sound: Vec<&Rule> = Vec::with_capacity(set.rules.len());
    for rule in &set.rules {
        match never_matches(rule) {
            Some(why) => found.push((rule, Trouble::NeverMatches(why))),
            None => sound.push(rule),
        }
    }
    sound.retain(|rule| !rule.shadow);
    let space = Space::new(Mentions::of(sound.iter().copied()), None)?;
    let mut sets = Sets::default();
    let mut covers = Vec::with_capacity(Shape::ALL.len());
    for shape in Shape::ALL {
        let mut cover = Cover::new(shape, sound.len());
        for (at, rule) in (0..).zip(&sound) {
            cover.add(at, level(rule.effect), space.pieces(rule, shape, least(rule.effect), &mut sets)?);
        }
        cover.index(&sets);
        covers.push(cover);
    }
    let mut effort = EFFORT_MAX;
    let numbered: Vec<(u32, &Rule)> = (0..).zip(sound.iter().copied()).collect();
    for (at, rule) in numbered.into_iter().rev() {
        let stricter = level(rule.effect) + 1;
        let problem = match everywhere(&covers, &space, &sets, at, stricter, &mut effort) {
            Covered::By(rules) => Trouble::Shadowed(ids(&sound, &rules)),
            Covered::Unknown => Trouble::Unknown,
            Covered::Not => match everywhere(&covers, &space, &sets, at, level(rule.effect), &mut effort) {
                Covered::By(rules) => Trouble::Redundant(ids(&sound, &rules)),
                Covered::Unknown => Trouble::Unknown,
                Covered::Not => continue,
            },
        };
        if problem != Trouble::Unknown {
            covers.iter_mut().for_each(|cover| cover.forget(at));
        }
        found.push((rule, problem));
    }
    found.sort_by(|(a, _), (b, _)| a.place.cmp(&b.place).then_with(|| a.id.cmp(&b.id)));
    let told =
        |(rule, problem): (&Rule, Trouble)| Finding { rule: rule.id.clone(), place: rule.place.clone(), problem };
    Ok(found.into_iter().map(told).collect())
}

/// Whether rules of a level and above cover a rule in all shapes.
fn everywhere(covers: &[Cover], space: &Space, sets: &Sets, rule: u32, from: u8, effort: &mut u64) -> Covered {
    let mut all = Vec::new();
    for cover in covers {
        match cover.of(rule, from, space, sets, effort) {
            Covered::By(rules) => all.extend(rules),
            other => return other,
        }
    }
    all.sort_unstable();
    all.dedup();
    Covered::By(all)
}

fn ids(rules: &[&Rule], some: &[u32]) -> Vec<RuleId> {
    let rule = |at: &u32| usize::try_from(*at).ok().and_then(|at| rules.get(at));
    some.iter().filter_map(rule).map(|rule| rule.id.clone()).collect()
}
