use serde_json::json;

use crate::fake::Fake;
use crate::program::against;

fn answering(decision: &str, code: &str) -> Fake {
    Fake::new(&[
        (
            "POST /v1/authorize",
            200,
            json!({ "decision": decision, "reason_code": code, "enforcement_mode": "enforce", "blocked": decision != "allow", "rules": [], "trace": [], "decision_id": "dec_1" }),
        ),
        ("GET /v1/agents/a1", 200, json!({ "agent": { "agent_id": "a1", "principal_id": "p1" } })),
    ])
}

#[test]
fn the_exit_code_is_the_outcome() {
    for (decision, code, exit, word) in [
        ("allow", "default_allow", 0, "allowed"),
        ("deny", "kill_switch_active", 3, "denied"),
        ("require_approval", "external_write_requires_approval", 4, "needs approval"),
    ] {
        let ran = against(&answering(decision, code), &["check", "egress", "https://example.com/"]).exits(exit);
        assert!(ran.stdout.starts_with(word) && ran.stdout.contains(code), "{ran:?}");
        assert_eq!(ran.stderr.contains("exeat why dec_1"), exit != 0, "{ran:?}");
        let ran =
            against(&answering(decision, code), &["check", "egress", "https://example.com/", "--json"]).exits(exit);
        assert_eq!(ran.json()["decision"], decision);
        assert_eq!(ran.stderr, "");
    }
}

#[test]
fn each_kind_asks_in_its_category() {
    let cases: [(&[&str], serde_json::Value); 4] = [
        (
            &["egress", "https://example.com/x", "--method", "post", "--zone", "high_stakes"],
            json!({ "category": "egress", "action": "external.write", "zone": "high_stakes", "context": { "egress": { "target_url": "https://example.com/x", "method": "POST" } } }),
        ),
        (
            &["tool-call", "web.search"],
            json!({ "category": "tool_call", "action": "tool.call.web.search", "context": { "tool_call": { "tool_name": "web.search" } } }),
        ),
        (
            &["action", "email.send", "--actor", "user:anna"],
            json!({ "category": "action", "action": "email.send", "actor_type": "user", "actor_id": "anna" }),
        ),
        (
            &["data", "read", "document", "d1", "--purpose", "billing", "--justification", "audit"],
            json!({ "category": "data_access", "action": "data.read", "context": { "data_access": { "resource_type": "document", "resource_id": "d1", "purpose_tags": ["billing"], "justification": "audit" } } }),
        ),
    ];
    for (words, body) in cases {
        let fake = answering("allow", "default_allow");
        against(&fake, &[&["check"], words].concat()).exits(0);
        assert_eq!(fake.only("POST /v1/authorize").body, body);
    }
}

#[test]
fn an_agent_is_asked_for_with_its_principal() {
    let fake = answering("allow", "default_allow");
    against(&fake, &["check", "action", "x", "--agent", "a1"]).exits(0);
    assert_eq!(
        fake.only("POST /v1/authorize").body,
        json!({ "category": "action", "action": "x", "actor_type": "agent", "actor_id": "a1", "principal_id": "p1" })
    );
    against(&fake, &["check", "action", "x", "--agent", "nobody"]).exits(6);
}

#[test]
fn says_when_shadow_would_let_it_pass() {
    let fake = Fake::new(&[(
        "POST /v1/authorize",
        200,
        json!({ "decision": "deny", "reason_code": "kill_switch_active", "blocked": false, "enforcement_mode": "shadow" }),
    )]);
    let ran = against(&fake, &["check", "action", "external.write"]).exits(3);
    assert!(ran.stderr.contains("shadow"), "{ran:?}");
}

#[test]
fn a_decision_it_does_not_know_is_no_allow() {
    let fake = Fake::new(&[("POST /v1/authorize", 200, json!({ "decision": "maybe" }))]);
    against(&fake, &["check", "action", "x"]).exits(1);
}
