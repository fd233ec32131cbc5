//! More denies and asks never let more pass.

use policy::{RulePack, RuleVerdict};
use rules::{Effect, compile};

use crate::random::Dice;

fn rank(verdict: &RuleVerdict) -> u8 {
    match verdict {
        RuleVerdict::Allow(_) => 0,
        RuleVerdict::Silent => 1,
        RuleVerdict::Ask(_) => 2,
        RuleVerdict::Deny(_) | RuleVerdict::Unevaluable(_) => 3,
    }
}

#[test]
fn adding_a_deny_or_an_ask_never_widens() {
    let mut narrowed = 0;
    for seed in 0..1_000 {
        let mut dice = Dice::new(seed);
        let before = dice.set(10);
        let mut after = before.clone();
        let mut rule = dice.rule(99);
        rule.effect = dice.pick(&[Effect::Deny, Effect::Ask]);
        rule.shadow = false;
        after.rules.insert(dice.below(before.rules.len() + 1), rule);
        let (before, after) = (compile(&before), compile(&after));
        for _ in 0..100 {
            let (ask, now) = (dice.ask(), dice.now());
            let (was, is) = (before.eval(&ask.facts(), now).live, after.eval(&ask.facts(), now).live);
            assert!(rank(&is) >= rank(&was), "seed {seed}: {was:?} became {is:?} for {ask:?}");
            narrowed += u32::from(rank(&is) > rank(&was));
        }
    }
    assert!(narrowed > 1_000, "the added rules have to matter: {narrowed}");
}

#[test]
fn the_order_of_rules_never_matters() {
    for seed in 0..300 {
        let mut dice = Dice::new(seed);
        let set = dice.set(12);
        let mut turned = set.clone();
        turned.rules.reverse();
        let (a, b) = (compile(&set), compile(&turned));
        for _ in 0..100 {
            let (ask, now) = (dice.ask(), dice.now());
            assert_eq!(a.eval(&ask.facts(), now), b.eval(&ask.facts(), now), "seed {seed}");
        }
    }
}
