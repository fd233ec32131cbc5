//! The difference against brute force: every combination of classes, evaluated by the linear
//! reference on an ask made for it.

use policy::RuleVerdict;

use super::super::*;
use crate::linear;
use crate::random::Dice;
use crate::space::{self, SEEN};

/// More combinations than this are sampled.
const ALL_MAX: u64 = 1_500;

fn verdict(set: &PolicySet, witness: &Witness) -> Verdict {
    told(&linear::eval(set, &witness.facts(), witness.at).live)
}

fn told(verdict: &RuleVerdict) -> Verdict {
    match verdict {
        RuleVerdict::Silent => Verdict::NoRule,
        RuleVerdict::Allow(_) => Verdict::Allow,
        RuleVerdict::Ask(_) => Verdict::Ask,
        RuleVerdict::Deny(_) | RuleVerdict::Unevaluable(_) => Verdict::Deny,
    }
}

fn live(set: &PolicySet) -> Vec<&Rule> {
    set.rules.iter().filter(|rule| !rule.shadow).collect()
}

/// Every dimension with more than one class in a shape, with its classes.
fn dimensions(space: &Space, shape: Shape) -> Vec<(Dim, Vec<u32>)> {
    (0..space::PURPOSES + 20)
        .map(|dim| (dim, space.universe(shape, dim).iter().collect::<Vec<_>>()))
        .filter(|(_, classes)| classes.len() > 1)
        .collect()
}

/// Checks the walk on two sets; says how many asks were tried and how many of them differ.
fn check(before: &PolicySet, after: &PolicySet, dice: &mut Dice) -> (u64, u64) {
    let (old, new) = (live(before), live(after));
    let space = Space::new(Mentions::of(old.iter().chain(&new).copied()), None).unwrap();
    let mut sets = Sets::default();
    let found = walk(&space, &mut sets, [&old, &new], DiffOptions::new(None)).unwrap();
    let (mut tried, mut differ) = (0, 0);
    for shape in Shape::ALL {
        let dims = dimensions(&space, shape);
        let all: u64 = dims.iter().map(|(_, classes)| classes.len() as u64).fold(1, u64::saturating_mul);
        for nth in 0..all.min(ALL_MAX) {
            let mut rest = nth;
            let cuts: Vec<(Dim, Classes)> = dims
                .iter()
                .map(|(dim, classes)| {
                    let many = classes.len() as u64;
                    let at = if all <= ALL_MAX { rest % many } else { dice.below(classes.len()) as u64 };
                    rest /= many;
                    (*dim, Classes::one(classes[at as usize]))
                })
                .collect();
            let Some(witness) = space.witness(shape, &cuts) else { continue };
            let (a, b) = (verdict(before, &witness), verdict(after, &witness));
            let class =
                |dim: Dim| cuts.iter().find(|(each, _)| *each == dim).map_or(SEEN, |(_, set)| set.last().unwrap());
            let inside: Vec<&Raw> = found
                .regions
                .iter()
                .filter(|raw| raw.shapes & shape.bit() != 0)
                .filter(|raw| raw.cuts.iter().all(|(dim, set)| sets.get(*set).contains(class(*dim))))
                .collect();
            let got: Vec<_> =
                inside.iter().map(|raw| (Verdict::of(raw.levels[0]), Verdict::of(raw.levels[1]))).collect();
            let want: Vec<_> = (a != b).then_some((a, b)).into_iter().collect();
            assert_eq!(got, want, "{witness}\n{cuts:?}\nbefore {before:#?}\nafter {after:#?}");
            tried += 1;
            differ += u64::from(a != b);
        }
    }
    (tried, differ)
}

/// The same set with a rule changed, added or dropped.
fn touched(set: &PolicySet, dice: &mut Dice) -> PolicySet {
    let mut set = set.clone();
    let at = dice.below(set.rules.len());
    match dice.below(3) {
        0 => drop(set.rules.remove(at)),
        1 => set.rules.push(dice.rule(77)),
        _ => set.rules[at].effect = dice.pick(&crate::Effect::ALL),
    }
    set
}

#[test]
fn agrees_with_brute_force_on_every_combination() {
    let (mut tried, mut differ) = (0, 0);
    for seed in 0..120 {
        let dice = &mut Dice::new(seed);
        let before = dice.set(4);
        let after = if dice.one_in(2) { dice.set(4) } else { touched(&before, dice) };
        let (more, different) = check(&before, &after, dice);
        (tried, differ) = (tried + more, differ + different);
    }
    assert!(tried > 50_000 && differ > 5_000, "too little was tried: {tried}, {differ} differ");
}

#[test]
fn every_witness_differs_as_its_region_says() {
    let mut regions = 0;
    for seed in 1_000..1_200 {
        let dice = &mut Dice::new(seed);
        let (before, after) = (dice.set(6), dice.set(6));
        let found = diff(&before, &after, DiffOptions::new(None)).unwrap();
        for region in &found.regions {
            assert_eq!(verdict(&before, &region.witness), region.before, "{} {before:#?}", region.witness);
            assert_eq!(verdict(&after, &region.witness), region.after, "{} {after:#?}", region.witness);
            let decides = |rules: &[RuleId], set: &PolicySet| rules.iter().all(|rule| set.rule(rule).is_some());
            assert!(decides(&region.before_rules, &before) && decides(&region.after_rules, &after));
            assert_eq!(region.before_rules.is_empty(), region.before == Verdict::NoRule);
        }
        regions += found.total;
    }
    assert!(regions > 1_000, "{regions}");
}

#[test]
fn an_ask_that_differs_is_in_a_region() {
    let mut differ = 0;
    for seed in 2_000..2_120 {
        let dice = &mut Dice::new(seed);
        let (before, after) = (dice.set(4), dice.set(4));
        let options = DiffOptions { regions_max: usize::MAX, ..DiffOptions::new(None) };
        let found = diff(&before, &after, options).unwrap();
        let mut pairs: Vec<(Verdict, Verdict)> = found.regions.iter().map(|each| (each.before, each.after)).collect();
        pairs.dedup();
        for _ in 0..200 {
            let (ask, now) = (dice.ask(), dice.now());
            let facts = ask.facts();
            let of = |set: &PolicySet| told(&linear::eval(set, &facts, now).live);
            let (a, b) = (of(&before), of(&after));
            differ += u32::from(a != b);
            // Where neither side allows an opaque tunnel, its region is the one of everything else.
            let follows = |of: Verdict| if of == Verdict::Allow { Verdict::NoRule } else { of };
            let told = |pair: &(Verdict, Verdict)| {
                *pair == (a, b) || facts.opaque && (follows(pair.0), follows(pair.1)) == (a, b)
            };
            assert!(a == b || pairs.iter().any(told), "{a} → {b} is missing for {facts:#?}\n{before:#?}\n{after:#?}");
        }
    }
    assert!(differ > 1_000, "{differ}");
}

#[test]
fn a_set_does_not_differ_from_itself() {
    for seed in 3_000..3_120 {
        let dice = &mut Dice::new(seed);
        let set = dice.set(8);
        let mut turned = set.clone();
        turned.rules.reverse();
        for (n, rule) in turned.rules.iter_mut().enumerate() {
            rule.id = format!("other{n}").into();
        }
        let found = diff(&set, &turned, DiffOptions::new(None)).unwrap();
        assert!(found.is_empty() && found.regions.is_empty());
    }
}
