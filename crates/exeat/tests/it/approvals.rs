use serde_json::{Value, json};

use crate::fake::Fake;
use crate::program::against;

fn pending() -> Value {
    json!({ "approval_id": "appr_1", "action": "external.write", "status": "pending", "run_id": "run_1", "room_id": null, "requested_at": "2026-01-02T03:04:05.678Z", "expires_at": null,
        "scope": { "type": "once", "target_domain": "hello.test", "principal_id": "p1" }, "request": { "target_url": "http://hello.test/" } })
}

fn fake() -> Fake {
    Fake::new(&[
        ("GET /v1/approvals", 200, json!({ "approvals": [pending()], "next_cursor": "c2" })),
        ("GET /v1/approvals/appr_1", 200, json!({ "approval": pending() })),
        ("POST /v1/approvals/appr_1/decide", 200, json!({ "ok": true })),
        ("POST /v1/approvals/appr_1/revoke", 200, json!({ "ok": true })),
        ("POST /v1/approvals", 201, json!({ "approval_id": "appr_2" })),
    ])
}

#[test]
fn list_filters_and_tells_of_the_next_page() {
    let fake = fake();
    let ran = against(&fake, &["approvals", "list", "--status", "pending", "--limit", "1"]).exits(0);
    insta::assert_snapshot!(ran.stdout, @r"
    id      status   asked                     what                               scope            until
    appr_1  pending  2026-01-02T03:04:05.678Z  external.write http://hello.test/  once hello.test  -
    ");
    assert!(ran.stderr.contains("--cursor c2"), "{ran:?}");
    assert_eq!(fake.asked()[0].target, "/v1/approvals?status=pending&limit=1");
    assert_eq!(against(&fake, &["approvals", "list", "--json"]).exits(0).json()["next_cursor"], "c2");
}

#[test]
fn get_shows_the_next_step() {
    let ran = against(&fake(), &["approvals", "get", "appr_1"]).exits(0);
    assert!(ran.stdout.contains("hello.test") && ran.stderr.contains("exeat approvals approve appr_1"), "{ran:?}");
}

/// What was approved, as the server says afterwards.
fn approved() -> Fake {
    let mut approval = pending();
    approval["status"] = json!("approved");
    approval["expires_at"] = json!("2026-01-02T03:19:05.678Z");
    approval["scope"]["port"] = json!(8080);
    Fake::new(&[
        ("GET /v1/approvals/appr_1", 200, json!({ "approval": approval })),
        ("POST /v1/approvals/appr_1/decide", 200, json!({ "ok": true })),
    ])
}

#[test]
fn approve_sends_scope_time_and_reason_and_tells_the_undo() {
    let fake = approved();
    let ran = against(&fake, &["approvals", "approve", "appr_1", "--scope", "run", "--for", "10m", "--reason", "ok"])
        .exits(0);
    assert_eq!(
        ran.stdout,
        "approved appr_1: external.write http://hello.test/ until 2026-01-02T03:19:05.678Z (scope: once hello.test:8080)\n"
    );
    assert!(ran.stderr.contains("exeat approvals revoke appr_1"), "{ran:?}");
    let mut body = fake.only("POST /v1/approvals/appr_1/decide").body;
    let until = body.as_object_mut().unwrap().remove("expires_at").unwrap();
    assert!(model::Time::parse(until.as_str().unwrap()).is_ok(), "{until}");
    assert_eq!(
        body,
        json!({ "decision": "approve", "reason": "ok", "scope": { "type": "run", "run_id": "run_1", "target_domain": "hello.test", "port": 8080, "principal_id": "p1" } })
    );
}

#[test]
fn a_yes_of_several_says_that_others_are_needed() {
    let ran = against(&fake(), &["approvals", "approve", "appr_1"]).exits(0);
    assert!(ran.stdout.contains("it needs another person's too"), "{ran:?}");
}

#[test]
fn approve_without_a_scope_leaves_it_to_what_was_asked() {
    let fake = fake();
    let ran = against(&fake, &["approvals", "approve", "appr_1", "--json"]).exits(0);
    assert_eq!(ran.json(), json!({ "ok": true }));
    assert_eq!(fake.only("POST /v1/approvals/appr_1/decide").body, json!({ "decision": "approve" }));
}

#[test]
fn a_scope_the_approval_cannot_have_is_usage_and_decides_nothing() {
    let fake = fake();
    against(&fake, &["approvals", "approve", "appr_1", "--scope", "room"]).exits(2);
    assert!(fake.asked().iter().all(|asked| asked.method == "GET"));
}

#[test]
fn deny_hold_and_revoke_reach_their_routes() {
    for (word, decision) in [("deny", "deny"), ("hold", "hold")] {
        let fake = fake();
        against(&fake, &["approvals", word, "appr_1", "--reason", "no"]).exits(0);
        assert_eq!(fake.only("POST /v1/approvals/appr_1/decide").body, json!({ "decision": decision, "reason": "no" }));
    }
    let fake = fake();
    against(&fake, &["approvals", "revoke", "appr_1"]).exits(0);
    assert_eq!(fake.only("POST /v1/approvals/appr_1/revoke").body, json!({}));
}

#[test]
fn request_creates_once() {
    let fake = fake();
    let ran = against(
        &fake,
        &[
            "approvals",
            "request",
            "external.write",
            "--scope",
            "workspace",
            "--domain",
            "x.test",
            "--required-approvals",
            "2",
        ],
    )
    .exits(0);
    assert_eq!(ran.stdout, "appr_2\n");
    let asked = fake.only("POST /v1/approvals");
    assert_eq!(
        asked.body,
        json!({ "action": "external.write", "scope": { "type": "workspace", "target_domain": "x.test" }, "required_approvals": 2 })
    );
    assert!(asked.headers.contains_key("idempotency-key"));
}
