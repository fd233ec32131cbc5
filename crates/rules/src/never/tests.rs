#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use model::Category;
use policy::{Fact, Facts, RuleVerdict};

use super::*;
use crate::random::Dice;
use crate::selector::matches;
use crate::{Source, linear, load};

fn set(text: &str) -> PolicySet {
    load(&[Source { name: "p.toml".into(), text: text.into() }]).unwrap().set
}

fn check(text: &str, rules: &str, default: DefaultDecision) -> String {
    match Assertion::parse(text).unwrap().check(&set(rules), default, None) {
        Ok(Answer::Holds) => "holds".to_owned(),
        Ok(Answer::Broken(broken)) => broken.to_string(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn what_cannot_be_read_is_said() {
    for (text, want) in [
        ("", "at least one word"),
        ("agnt:coder", "did you mean `agent`?"),
        ("agent:", "expected a value"),
        ("agent:coder post", "did you mean `POST`?"),
        ("agent:a agent:b", "there twice"),
        ("POTS example.com other.com", "at most"),
        ("psot example.com", "did you mean `POST`?"),
        ("host:exa_mple..com", "not a domain"),
        ("port:99999", "cannot be a port"),
        ("path:admin", "begins with /"),
        ("zone:moon", "moon"),
        ("POST method:GET", "already"),
        ("tunnel:tls", "only `tunnel:opaque`"),
    ] {
        let error = Assertion::parse(text).expect_err(text).to_string();
        assert!(error.contains(want), "{text}: {error}");
    }
    for good in ["agent:coder POST *.prod.example.com", "user:* DELETE *", "group:ci tool:payment.send", "agent:*"] {
        assert_eq!(Assertion::parse(good).unwrap().to_string(), good);
    }
}

#[test]
fn opaque_tunnels_can_be_meant() {
    let deny = DefaultDecision::Deny;
    let tls = "[[allow]]\nid = \"a\"\nhost = \"*.example.com\"\nport = \"*\"\n";
    assert_eq!(check("tunnel:opaque", tls, DefaultDecision::Allow), "holds");
    let opaque = format!("{tls}tunnel = \"opaque\"\n");
    let said = check("tunnel:opaque port:22", &opaque, deny);
    assert!(
        said.contains("opaque tunnel") && said.contains("CONNECT") && said.ends_with("is allowed by `a`"),
        "{said}"
    );
    // A deny by the path denies where nobody sees a path.
    let by_path = "[[deny]]\nid = \"b\"\nhost = \"*\"\npath = \"/admin\"\n";
    assert_eq!(check("tunnel:opaque", &format!("{opaque}{by_path}"), deny), "holds");
    assert_ne!(check("*.example.com", &format!("{opaque}{by_path}"), deny), "holds");
}

#[test]
fn holds_for_all_asks_or_names_one() {
    let rules = r#"
        [groups]
        ci = ["agent:builder", "agent:runner"]
        [[allow]]
        id = "api"
        agent = "coder"
        host = "*.example.com"
        [[deny]]
        id = "prod"
        host = "*.prod.example.com"
        method = "DELETE"
        [[deny]]
        id = "pay"
        group = "ci"
        tool = "payment.*"
    "#;
    let allow = DefaultDecision::Allow;
    let holds = |text: &str| assert_eq!(check(text, rules, allow), "holds", "{text}");
    holds("agent:coder DELETE *.prod.example.com");
    holds("user:* DELETE *");
    holds("group:ci tool:payment.send");
    holds("agent:coder POST *.example.com port:22");
    let broken = |text: &str, why: &str| {
        let said = check(text, rules, allow);
        assert!(said.contains(why), "{text}: {said}");
    };
    broken("agent:coder POST *.prod.example.com", "is allowed by `api`");
    broken("agent:coder DELETE *.example.com", "is allowed by `api`");
    broken("agent:coder tool:payment.send", "by the workspace's default");
    broken("action:email.send", "by the workspace's default");
    broken("group:co tool:payment.send", "did you mean `ci`?");
    assert_eq!(check("action:email.send user:ann", rules, DefaultDecision::Deny), "holds");
}

/// Whether the rules and the built-in ones allow.
fn allowed(set: &PolicySet, facts: &Facts<'_>, now: Time, default: DefaultDecision) -> bool {
    match linear::eval(set, facts, now).live {
        RuleVerdict::Allow(_) => true,
        RuleVerdict::Silent => {
            !matches!(facts.action, "external.read" | "external.write") && default == DefaultDecision::Allow
        }
        _ => false,
    }
}

/// Whether an ask is one of those that are meant, the plain way.
fn is_meant(assertion: &Assertion, facts: &Facts<'_>, now: Time) -> bool {
    let text = assertion.to_string();
    let has = |key: &str| text.contains(key);
    let request = ["host:", "path:", "port:", "scheme:", "method:"].iter().any(|key| has(key));
    let of_kind = match facts.category {
        Category::ToolCall => has("tool:") || !request && !has("label:"),
        Category::DataAccess => has("label:") || !request && !has("tool:"),
        Category::Egress => !has("tool:") && !has("label:"),
        Category::Action => !has("tool:") && !has("label:") && (!request || has("host:") && has("action:")),
    };
    // Of an opaque tunnel nothing else can be.
    let hidden = facts.path == Fact::Unseen && facts.scheme == Fact::Unseen && facts.method == Fact::Seen("CONNECT");
    if has("tunnel:opaque") && !(facts.opaque && hidden && facts.category == Category::Egress) {
        return false;
    }
    let follows = match facts.method {
        Fact::Seen("GET" | "HEAD" | "OPTIONS") => "external.read",
        _ => "external.write",
    };
    let action = has("action:") || facts.category != Category::Egress || facts.action == follows;
    of_kind && action && matches(&assertion.meant, facts, now) == Tri::True
}

#[test]
fn agrees_with_asks_at_random() {
    let texts = [
        "agent:coder host:*.a.com",
        "agent:* method:POST host:x.a.com",
        "user:ann",
        "method:GET host:*.com path:/a",
        "tool:pay",
        "agent:bob label:confidential",
        "host:b.org action:email.send",
        "host:a.com port:8000-8999 scheme:https",
        "zone:sandbox room:room_a",
        "tunnel:opaque host:*.com",
    ];
    let (mut holds, mut broken, mut meant) = (0, 0, 0);
    for seed in 0..240 {
        let dice = &mut Dice::new(seed);
        let set = dice.set(7);
        let assertion = Assertion::parse(texts[dice.below(texts.len())]).unwrap();
        let default = dice.pick(&[DefaultDecision::Deny, DefaultDecision::Deny, DefaultDecision::Allow]);
        match assertion.check(&set, default, None).unwrap() {
            Answer::Broken(found) => {
                let (facts, at) = (found.witness.facts(), found.witness.at);
                assert!(is_meant(&assertion, &facts, at), "{assertion}: {found}");
                assert!(allowed(&set, &facts, at, default), "{assertion}: {found}\n{set:#?}");
                broken += 1;
            }
            Answer::Holds => {
                for _ in 0..400 {
                    let (mut ask, now) = (dice.ask(), dice.now());
                    if ask.category == Category::Egress && dice.one_in(2) {
                        ask.action = if ask.method == Fact::Seen("GET") { "external.read" } else { "external.write" };
                    }
                    if ask.opaque && dice.one_in(2) {
                        (ask.method, ask.path, ask.scheme) = (Fact::Seen("CONNECT"), Fact::Unseen, Fact::Unseen);
                        ask.action = "external.write";
                    }
                    let facts = ask.facts();
                    if is_meant(&assertion, &facts, now) {
                        assert!(!allowed(&set, &facts, now, default), "{assertion}: {facts:#?}\n{set:#?}");
                        meant += 1;
                    }
                }
                holds += 1;
            }
        }
    }
    assert!(holds > 20 && broken > 20 && meant > 100, "{holds} {broken} {meant}");
}
