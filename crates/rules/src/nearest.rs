//! The rule that almost matched: the one with the fewest selectors against it.

use model::Time;
use policy::Facts;
use serde::Serialize;

use crate::rule::{Effect, Place, PolicySet};
use crate::selector::Selector;
use crate::when::Tri;

/// A rule that did not match, and why not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Nearest {
    /// The rule's id.
    pub id: String,
    /// What it would have done.
    pub effect: Effect,
    /// Where it stands.
    pub place: Place,
    /// The selectors that did not hold, as they are written.
    pub failed: Vec<Selector>,
    /// Of those, the ones whose fact was not seen.
    pub unseen: Vec<Selector>,
}

/// LIMIT: a rule with more selectors against it than this is not near.
const FAILED_MAX: usize = 2;

/// The rule with one of these effects that came closest to matching without doing so; `None` when
/// none is near. Of equals the first in the set.
#[must_use]
pub fn nearest(set: &PolicySet, facts: &Facts<'_>, now: Time, effects: &[Effect]) -> Option<Nearest> {
    let mut best: Option<Nearest> = None;
    for rule in set.rules.iter().filter(|rule| effects.contains(&rule.effect) && !rule.shadow) {
        let (mut failed, mut unseen) = (Vec::new(), Vec::new());
        for selector in Selector::ALL {
            match selector.holds(rule, facts, now) {
                Tri::True => continue,
                Tri::False => {}
                Tri::Unknown => unseen.push(selector),
            }
            failed.push(selector);
        }
        let near = (1..=FAILED_MAX).contains(&failed.len());
        if near && best.as_ref().is_none_or(|best| failed.len() < best.failed.len()) {
            let (id, place) = (rule.id.to_string(), rule.place.clone());
            best = Some(Nearest { id, effect: rule.effect, place, failed, unseen });
        }
    }
    best
}
