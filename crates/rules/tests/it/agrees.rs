//! The index says what a walk over all rules says.

use policy::{RulePack, RuleVerdict};
use rules::{compile, linear};

use crate::random::Dice;

const SETS: u64 = 2_500;
const ASKS: usize = 400;

#[test]
fn the_index_agrees_with_a_walk_over_all_rules_on_a_million_pairs() {
    let (mut spoke, mut pairs) = ([0_u32; 5], 0);
    for seed in 0..SETS {
        let mut dice = Dice::new(seed);
        let set = dice.set(if seed % 10 == 0 { 40 } else { 12 });
        let index = compile(&set);
        for _ in 0..ASKS {
            let (ask, now) = (dice.ask(), dice.now());
            let facts = ask.facts();
            let (want, got) = (linear::eval(&set, &facts, now), index.eval(&facts, now));
            assert_eq!(got, want, "seed {seed}: {ask:?} at {now} under {:#?}", set.rules);
            spoke[match want.live {
                RuleVerdict::Silent => 0,
                RuleVerdict::Allow(_) => 1,
                RuleVerdict::Ask(_) => 2,
                RuleVerdict::Unevaluable(_) => 3,
                RuleVerdict::Deny(_) => 4,
            }] += 1;
            pairs += 1;
        }
    }
    assert_eq!(pairs, 1_000_000);
    // Otherwise they would agree about nothing.
    assert!(spoke.iter().all(|count| *count > 10_000), "every verdict has to come up: {spoke:?}");
}
