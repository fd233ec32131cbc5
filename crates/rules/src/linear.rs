//! The reference: every rule, one after the other. The index must say the same.

use model::Time;
use policy::{Facts, RulePack, Verdicts};

use crate::lattice::Tally;
use crate::rule::PolicySet;
use crate::selector::matches;

/// What a set says, found the slow way.
#[must_use]
pub fn eval(set: &PolicySet, facts: &Facts<'_>, now: Time) -> Verdicts {
    let mut tally = Tally::default();
    for rule in &set.rules {
        tally.hear(rule.effect, matches(rule, facts, now), rule.shadow, &rule.id);
    }
    tally.verdicts()
}

/// A set that is evaluated the slow way: for tests and benches.
#[derive(Debug)]
pub struct Linear(pub PolicySet);

impl RulePack for Linear {
    fn eval(&self, facts: &Facts<'_>, now: Time) -> Verdicts {
        eval(&self.0, facts, now)
    }
}
