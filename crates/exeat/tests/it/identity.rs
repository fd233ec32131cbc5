use serde_json::json;

use crate::fake::Fake;
use crate::program::against;

#[test]
fn agents_are_listed_registered_and_stopped() {
    let agent = json!({ "agent_id": "a1", "display_name": "bot", "principal_id": "p1", "created_at": "2026-01-02T03:04:05.678Z", "quarantined_at": "2026-01-03T00:00:00.000Z", "revoked_at": null });
    let fake = Fake::new(&[
        ("GET /v1/agents", 200, json!({ "agents": [agent], "next_cursor": null })),
        ("GET /v1/agents/a1", 200, json!({ "agent": agent })),
        ("POST /v1/agents", 201, json!({ "agent_id": "a2", "principal_id": "p2" })),
        ("POST /v1/agents/a1/quarantine", 200, json!({ "ok": true })),
        ("POST /v1/agents/a1/unquarantine", 200, json!({ "ok": true })),
        ("POST /v1/agents/a1/revoke", 200, json!({ "ok": true })),
    ]);
    assert!(against(&fake, &["agents", "list"]).exits(0).stdout.contains("quarantined"));
    assert!(against(&fake, &["agents", "get", "a1"]).exits(0).stdout.contains("bot"));
    let ran = against(&fake, &["agents", "create", "second"]).exits(0);
    assert!(
        ran.stdout.contains("a2") && ran.stderr.contains("exeat keys create --role agent --principal p2"),
        "{ran:?}"
    );
    assert!(fake.only("POST /v1/agents").headers.contains_key("idempotency-key"));
    let ran = against(&fake, &["agents", "quarantine", "a1", "--reason", "odd"]).exits(0);
    assert!(ran.stderr.contains("exeat agents unquarantine a1"), "{ran:?}");
    assert_eq!(fake.only("POST /v1/agents/a1/quarantine").body, json!({ "quarantine_reason": "odd" }));
    against(&fake, &["agents", "unquarantine", "a1"]).exits(0);
    against(&fake, &["agents", "revoke", "a1", "--json"]).exits(0).json();
}

#[test]
fn principals_rooms_and_labels_are_created() {
    let fake = Fake::new(&[
        ("POST /v1/principals", 201, json!({ "principal_id": "p1" })),
        (
            "POST /v1/principals/legacy/ensure",
            200,
            json!({ "principal": { "principal_id": "p2", "principal_type": "user" } }),
        ),
        ("POST /v1/rooms", 201, json!({ "room_id": "room_1" })),
        ("GET /v1/rooms", 200, json!({ "rooms": [{ "room_id": "room_1", "title": "invoices" }], "next_cursor": null })),
        ("POST /v1/resources/labels", 201, json!({ "label": { "label": "confidential" } })),
        (
            "GET /v1/resources/labels",
            200,
            json!({ "labels": [{ "resource_type": "document", "resource_id": "d1", "label": "confidential", "purpose_tags": ["a", "b"] }] }),
        ),
    ]);
    assert_eq!(against(&fake, &["principals", "create", "user"]).exits(0).stdout, "p1\n");
    assert!(against(&fake, &["principals", "ensure", "user", "anna"]).exits(0).stdout.contains("p2"));
    assert_eq!(
        fake.only("POST /v1/principals/legacy/ensure").body,
        json!({ "actor_type": "user", "actor_id": "anna" })
    );
    assert_eq!(against(&fake, &["rooms", "create", "invoices", "--topic", "t"]).exits(0).stdout, "room_1\n");
    assert_eq!(fake.only("POST /v1/rooms").body, json!({ "title": "invoices", "topic": "t" }));
    assert!(against(&fake, &["rooms", "list"]).exits(0).stdout.contains("invoices"));
    against(&fake, &["labels", "set", "document", "d1", "confidential", "--purpose", "a", "--purpose", "b"]).exits(0);
    assert_eq!(
        fake.only("POST /v1/resources/labels").body,
        json!({ "resource_type": "document", "resource_id": "d1", "label": "confidential", "purpose_tags": ["a", "b"] })
    );
    assert!(against(&fake, &["labels", "list"]).exits(0).stdout.contains("a, b"));
    against(&fake, &["labels", "set", "document", "d1", "secretish"]).exits(2);
}

#[test]
fn capabilities_are_granted_listed_drawn_and_revoked() {
    let token = |id: &str, parent: Option<&str>| json!({ "token_id": id, "parent_token_id": parent, "issued_to_principal_id": "p1", "scopes": { "tools": ["*"] }, "revoked_at": null, "valid_until": null });
    let fake = Fake::new(&[
        ("POST /v1/capabilities/grant", 201, json!({ "token_id": "t1", "token": "cap1.t1.secret" })),
        ("GET /v1/capabilities", 200, json!({ "tokens": [token("t1", None), token("t2", Some("t1"))] })),
        (
            "GET /v1/capabilities/delegations",
            200,
            json!({ "edges": [{ "parent_token_id": "t1", "child_token_id": "t2", "depth": 1 }] }),
        ),
        ("POST /v1/capabilities/revoke", 200, json!({ "ok": true, "already_revoked": true })),
    ]);
    let ran = against(
        &fake,
        &[
            "capabilities",
            "grant",
            "--to",
            "p1",
            "--by",
            "p0",
            "--domain",
            "*.example.com",
            "--tool",
            "a",
            "--tool",
            "b",
            "--data-read",
            "resource_type:document",
            "--for",
            "8h",
        ],
    )
    .exits(0);
    assert_eq!(ran.stdout, "t1\n");
    assert!(ran.stderr.contains("shown this once): cap1.t1.secret"), "{ran:?}");
    let mut body = fake.only("POST /v1/capabilities/grant").body;
    assert!(body.as_object_mut().unwrap().remove("valid_until").unwrap().is_string());
    assert_eq!(
        body,
        json!({ "issued_to_principal_id": "p1", "granted_by_principal_id": "p0", "scopes": { "egress_domains": ["*.example.com"], "tools": ["a", "b"], "data_access": { "read": ["resource_type:document"] } } })
    );
    let ran = against(&fake, &["capabilities", "grant", "--to", "p1", "--by", "p0", "--bearer"]).exits(0);
    assert_eq!(ran.stdout, "cap1.t1.secret\n");
    assert!(!ran.stderr.contains("secret"), "{ran:?}");
    assert!(against(&fake, &["capabilities", "list", "--principal", "p1"]).exits(0).stdout.contains("tools: *"));
    let ran = against(&fake, &["capabilities", "tree"]).exits(0);
    assert!(ran.stdout.contains("\n└─ t2"), "{ran:?}");
    assert_eq!(against(&fake, &["capabilities", "tree", "--json"]).json()["edges"][0]["depth"], 1);
    assert!(against(&fake, &["capabilities", "revoke", "t1"]).exits(0).stdout.contains("already"));
}
