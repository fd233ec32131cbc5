//! What the difference says.

use super::super::*;
use crate::{Source, load};

fn set(text: &str) -> PolicySet {
    load(&[Source { name: "p.toml".into(), text: text.into() }]).unwrap().set
}

/// The statements, each with its witness and rules.
fn told(before: &str, after: &str) -> String {
    let from = Time::parse("2026-06-01T00:00:00Z").unwrap();
    let found = diff(&set(before), &set(after), DiffOptions::new(Some(from))).unwrap();
    let mut text = String::new();
    for region in &found.regions {
        let ids = |ids: &[RuleId]| ids.iter().map(|id| id.to_string()).collect::<Vec<_>>().join(", ");
        text.push_str(&format!(
            "{}\n    [{}] → [{}]\n    {}\n",
            region.statement,
            ids(&region.before_rules),
            ids(&region.after_rules),
            region.witness
        ));
    }
    text
}

#[test]
fn a_rule_for_a_while() {
    let after = r#"
        [[allow]]
        id = "github"
        agent = "coder"
        host = "github.com"
        method = ["GET", "HEAD"]
        until = 2026-12-21
    "#;
    insta::assert_snapshot!(told("", after));
}

#[test]
fn a_deny_turned_into_an_allow() {
    let rule = |effect: &str| {
        format!(
            r#"
            [groups]
            ci = ["agent:builder", "agent:runner"]
            [[{effect}]]
            id = "svc"
            group = "ci"
            host = "*.svc25.example.com"
            method = "POST"
            port = "*"
            "#
        )
    };
    insta::assert_snapshot!(told(&rule("deny"), &rule("allow")));
}

#[test]
fn what_a_stricter_rule_decides_is_left_out() {
    let deny = r#"
        [[deny]]
        id = "no-internal"
        host = "*.internal.example.com"
    "#;
    let more = r#"
        [[allow]]
        id = "example"
        host = "*.example.com"
        path = "/public"
    "#;
    insta::assert_snapshot!(told(deny, &format!("{deny}{more}")));
}

#[test]
fn tunnels_that_may_carry_anything() {
    let rule = |more: &str| format!("[[allow]]\nid = \"git\"\nhost = \"git.example.com\"\nport = [22, 443]\n{more}");
    let opaque = rule("tunnel = \"opaque\"\n");
    assert_eq!(
        told(&rule(""), &opaque),
        "everybody: any request to `git.example.com` on port 22 or 443 in an opaque tunnel changes no rule → allow\n    \
         [] → [git]\n    \
         agent `someone`, action `other.name`, CONNECT, git.example.com:22, opaque tunnel, zone supervised, \
         at 2026-06-01T00:00:00.000Z\n"
    );
    // What follows from the rest is not told twice.
    let statements = |before: &str, after: &str| told(before, after).matches(" changes ").count();
    assert_eq!(statements("", &rule("")), 1);
    assert_eq!(statements("", &opaque), 1);
    let deny = "[[deny]]\nid = \"no\"\nhost = \"git.example.com\"\n";
    let other = "[[allow]]\nid = \"other\"\nhost = \"b.example.com\"\ntunnel = \"opaque\"\n";
    let said = told(&format!("{deny}{other}"), &format!("{}{other}", rule("")));
    assert!(said.contains("deny → allow") && !said.contains("opaque"), "{said}");
}

#[test]
fn conditions_data_and_hours() {
    let before = r#"
        [tools."payment.send"]
        "/amount" = "number"
        "/currency" = { type = "string", optional = true }
        [[ask]]
        id = "pay"
        tool = "payment.send"
        [[allow]]
        id = "read"
        label = ["internal", "public"]
        purpose = "support"
    "#;
    let after = r#"
        [tools."payment.send"]
        "/amount" = "number"
        "/currency" = { type = "string", optional = true }
        [[ask]]
        id = "pay"
        tool = "payment.send"
        when = { arg = "/amount", gt = 50 }
        [[allow]]
        id = "read"
        label = ["internal", "public"]
        purpose = "support"
        hours = "mon-fri 08:00-18:00"
    "#;
    insta::assert_snapshot!(told(before, after));
}

#[test]
fn the_work_is_limited() {
    let before = set("[[deny]]\nid = \"a\"\nhost = \"a.com\"\n");
    let options = DiffOptions { effort_max: 1, ..DiffOptions::new(None) };
    let limited = diff(&before, &PolicySet::default(), options);
    assert!(matches!(limited, Err(DiffError::Effort { limit: 1 })), "{limited:?}");
    let options = DiffOptions { regions_max: 1, ..DiffOptions::new(None) };
    let cut = diff(&before, &PolicySet::default(), options).unwrap();
    assert!(cut.regions.len() == 1 && cut.total == 2, "{cut:#?}");
    serde_json::to_string(&cut).unwrap();
}
