#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use super::*;
use crate::diff::{DiffOptions, diff};
use crate::random::Dice;
use crate::{Effect, Source};

fn same(a: &[Rule], b: &[Rule]) -> bool {
    let set = |rules: &[Rule]| PolicySet { rules: rules.to_vec(), ..PolicySet::default() };
    diff(&set(a), &set(b), DiffOptions::new(None)).unwrap().is_empty()
}

/// A random set without expiry: that a rule's hours never come before it expires is beyond a check.
fn set(dice: &mut Dice, most: usize) -> PolicySet {
    let mut set = dice.set(most);
    set.rules.iter_mut().for_each(|rule| rule.until = None);
    // Twins and broader twins are what the checks are for.
    for at in 0..set.rules.len() {
        if dice.one_in(3) {
            let mut twin = set.rules[at].clone();
            twin.id = format!("twin{at}").into();
            twin.place.line = 100 + u32::try_from(at).unwrap();
            if dice.one_in(2) {
                twin.who = None;
            }
            if dice.one_in(3) {
                twin.effect = dice.pick(&Effect::ALL);
            }
            set.rules.push(twin);
        }
    }
    set
}

#[test]
fn found_rules_do_nothing_and_the_others_do_something() {
    let (mut shadowed, mut redundant, mut never, mut needed) = (0, 0, 0, 0);
    for seed in 0..120 {
        let dice = &mut Dice::new(seed);
        let set = set(dice, 4);
        let found = findings(&set).unwrap();
        let problem = |rule: &Rule| found.iter().find(|each| each.rule == rule.id).map(|each| &each.problem);
        let live: Vec<Rule> = set.rules.iter().filter(|rule| !rule.shadow).cloned().collect();
        let kept: Vec<Rule> = live.iter().filter(|rule| problem(rule).is_none()).cloned().collect();
        for rule in &set.rules {
            let without: Vec<Rule> = kept.iter().filter(|each| each.id != rule.id).cloned().collect();
            let stricter: Vec<Rule> = live.iter().filter(|each| each.effect > rule.effect).cloned().collect();
            let with: Vec<Rule> =
                stricter.iter().chain([rule]).map(|rule| Rule { shadow: false, ..rule.clone() }).collect();
            match problem(rule) {
                Some(Trouble::NeverMatches(_)) => {
                    let alone = Rule { effect: Effect::Allow, shadow: false, ..rule.clone() };
                    assert!(same(&[alone], &[]), "{rule:#?}");
                    never += 1;
                }
                Some(Trouble::Shadowed(by)) => {
                    assert!(same(&with, &stricter), "{rule:#?} {by:?}");
                    shadowed += 1;
                }
                Some(Trouble::Redundant(by)) => {
                    assert!(!by.is_empty() && !same(&with, &stricter), "{rule:#?} {by:?}");
                    redundant += 1;
                }
                Some(Trouble::Unknown) => panic!("{rule:#?}"),
                None if !rule.shadow => {
                    assert!(!same(&kept, &without), "{rule:#?}\n{kept:#?}");
                    needed += 1;
                }
                None => {}
            }
        }
    }
    assert!(shadowed > 10 && redundant > 10 && never > 10 && needed > 100, "{shadowed} {redundant} {never} {needed}");
}

#[test]
fn leaving_out_all_that_is_found_changes_nothing() {
    for seed in 500..600 {
        let dice = &mut Dice::new(seed);
        let set = set(dice, 6);
        let found = findings(&set).unwrap();
        let does = |problem: &Trouble| !matches!(problem, Trouble::NeverMatches(_));
        let out = |rule: &&Rule| !found.iter().any(|each| each.rule == rule.id && does(&each.problem));
        let kept: Vec<Rule> = set.rules.iter().filter(out).cloned().collect();
        // Rules that never match for certain still deny where their facts are not seen: they were
        // not counted as covering others.
        assert!(same(&set.rules, &kept), "{found:#?}");
    }
}

#[test]
fn says_which_rules_see_nothing_in_a_tunnel() {
    let notes = |rule: &str| {
        let set = crate::load(&[Source { name: "p.toml".into(), text: rule.into() }]).unwrap().set;
        blind_in_tunnels(&set).iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    let check = |rule: &str, want: &str| {
        let told = notes(rule);
        assert!(told.contains(want) && told.is_empty() == want.is_empty(), "{rule}: {told}");
    };
    let rule = |effect: &str, more: &str| format!("[[{effect}]]\nid = \"a\"\nhost = \"a.com\"\n{more}");
    let get = "method = \"GET\"\n";
    check(&rule("allow", get), "p.toml:1:1: rule `a` lets no HTTPS pass that goes through a tunnel");
    check(&rule("allow", "path = \"/a\"\n"), "nobody sees its path");
    check(&rule("deny", get), "does not look into HTTPS");
    check(&rule("ask", &format!("{get}port = [443, 8443]\n")), "does not look into HTTPS");
    check(&rule("allow", ""), "");
    check(&rule("allow", "method = [\"GET\", \"CONNECT\"]\n"), "");
    check(&rule("allow", &format!("{get}port = 80\n")), "");
    check(&rule("allow", &format!("{get}scheme = \"http\"\n")), "");
    // It denies the whole tunnel.
    check(&rule("deny", "path = \"/a\"\n"), "");
}

#[test]
fn says_what_is_wrong() {
    let text = r#"
        [[deny]]
        id = "no-writes"
        host = "*.example.com"
        method = ["POST", "PUT", "DELETE"]

        [[allow]]
        id = "post-api"
        agent = "coder"
        host = "api.example.com"
        method = "POST"

        [[allow]]
        id = "get-all"
        host = "*.example.com"
        method = "GET"

        [[allow]]
        id = "get-api"
        agent = "coder"
        host = "api.example.com"
        method = "GET"

        [[allow]]
        id = "get-org"
        agent = "coder"
        host = "api.example.org"
        method = "GET"
    "#;
    let set = crate::load(&[Source { name: "p.toml".into(), text: text.into() }]).unwrap().set;
    let said: Vec<String> = findings(&set).unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "p.toml:7: rule `post-api` never decides: whatever it matches is decided by stricter rules: `no-writes`",
            "p.toml:18: rule `get-api` changes nothing: whatever it matches is decided the same by `get-all`",
        ]
    );
}
