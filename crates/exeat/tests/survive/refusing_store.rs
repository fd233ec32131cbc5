//! A store that refuses writes: every route that changes something says so and changes nothing;
//! what was denied stays denied.

use serde_json::{Value, json};
use testkit::http::Client;

use crate::bed::{Bed, WORKSPACE, allowed};

#[test]
fn survives_a_store_that_refuses_writes_sqlite() {
    refuses_everywhere(&Bed::sqlite());
}

#[test]
fn survives_a_store_that_refuses_writes_postgres() {
    refuses_everywhere(&Bed::postgres());
}

/// Every route that changes something, with a request that would succeed.
fn changes(world: &World) -> Vec<(&'static str, String, Value)> {
    let (principal, agent, approval) = (&world.principal, &world.agent, &world.approval);
    vec![
        ("POST", "/v1/rooms".into(), json!({"title": "t"})),
        ("POST", "/v1/principals".into(), json!({"principal_type": "user"})),
        ("POST", "/v1/principals/legacy/ensure".into(), json!({"actor_type": "user", "actor_id": "new-one"})),
        ("POST", "/v1/agents".into(), json!({"display_name": "a"})),
        ("POST", format!("/v1/agents/{agent}/quarantine"), json!({"quarantine_reason": "r"})),
        ("POST", format!("/v1/agents/{agent}/revoke"), json!({})),
        (
            "PUT",
            "/v1/action-registry/email.send".into(),
            json!({"reversible": true, "zone_required": "sandbox", "requires_pre_approval": false, "post_review_required": false}),
        ),
        ("PUT", "/v1/policy/mode".into(), json!({"mode": "shadow", "reason": "r"})),
        ("PUT", "/v1/policy/kill-switch".into(), json!({"active": true, "reason": "r"})),
        ("PUT", "/v1/policy/settings".into(), json!({"egress_max_requests_per_hour": 7})),
        (
            "POST",
            "/v1/capabilities/grant".into(),
            json!({"issued_to_principal_id": principal, "granted_by_principal_id": principal}),
        ),
        ("POST", "/v1/capabilities/revoke".into(), json!({"token_id": world.token})),
        ("POST", "/v1/egress/requests".into(), allowed()),
        ("POST", "/v1/approvals".into(), json!({"action": "external.write"})),
        ("POST", format!("/v1/approvals/{approval}/decide"), json!({"decision": "deny"})),
        (
            "POST",
            "/v1/resources/labels".into(),
            json!({"resource_type": "doc", "resource_id": "1", "label": "restricted"}),
        ),
    ]
}

struct World {
    principal: String,
    agent: String,
    approval: String,
    token: String,
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}")).to_owned()
}

fn world(asker: &mut Client, operator: &mut Client) -> World {
    let post = |client: &mut Client, path: &str, body: Value| client.post(path, &body).unwrap().expect(201).unwrap();
    let principal = text(&post(operator, "/v1/principals", json!({"principal_type": "user"})), "principal_id");
    let agent = text(&post(operator, "/v1/agents", json!({"display_name": "a"})), "agent_id");
    let grant = json!({"issued_to_principal_id": principal, "granted_by_principal_id": principal});
    let token = text(&post(operator, "/v1/capabilities/grant", grant), "token_id");
    let approval = text(&post(asker, "/v1/approvals", json!({"action": "external.write"})), "approval_id");
    World { principal, agent, approval, token }
}

fn refuses_everywhere(bed: &Bed) {
    let owner = bed.setup.key("owner", Some(WORKSPACE)).unwrap();
    let gateway = bed.setup.key("gateway", Some(WORKSPACE)).unwrap();
    let server = bed.setup.start().unwrap();
    let (mut asker, mut client) = (server.client().bearer(&gateway), server.client().bearer(&owner));
    let world = world(&mut asker, &mut client);
    let (on, off) = if bed.is_sqlite() {
        (
            "CREATE TRIGGER broken BEFORE INSERT ON evt_events BEGIN SELECT RAISE(ABORT, 'disk on fire'); END;",
            "DROP TRIGGER broken;",
        )
    } else {
        (
            "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN RAISE EXCEPTION 'disk on fire'; END $$; \
             CREATE TRIGGER broken BEFORE INSERT ON evt_events FOR EACH ROW EXECUTE FUNCTION broken();",
            "DROP TRIGGER broken ON evt_events;",
        )
    };
    bed.sql(on).unwrap();
    let before = contents(bed);
    for (method, path, body) in changes(&world) {
        let answer = send(&mut client, method, &path, &body);
        let problem = answer.json().unwrap();
        assert!(matches!(answer.status, 500 | 503), "{method} {path}: {} {problem}", answer.status);
        assert_eq!(problem["error"], "event_log_failure", "{method} {path}");
        assert!(!answer.text().contains("disk on fire"), "{method} {path} shows the inside");
    }
    // A deny that cannot be recorded is an error, never an allow; a refusal before recording stays one.
    let denied = client.post("/v1/policy/evaluate", &json!({"action": "external.write"})).unwrap();
    assert_eq!((denied.status, denied.json().unwrap()["error"].clone()), (503, json!("event_log_failure")));
    let own =
        client.post(&format!("/v1/approvals/{}/decide", "appr_unknown"), &json!({"decision": "approve"})).unwrap();
    assert_eq!(own.status, 404);
    assert_eq!(server.client().post("/v1/rooms", &json!({"title": "t"})).unwrap().status, 401);
    assert_eq!(contents(bed), before, "nothing has changed");
    bed.sql(off).unwrap();
    for (method, path, body) in changes(&world) {
        let answer = send(&mut client, method, &path, &body);
        assert!(answer.status < 300, "the control: {method} {path}: {} {}", answer.status, answer.text());
    }
    bed.assert_sound();
}

fn send(client: &mut Client, method: &str, path: &str, body: &Value) -> testkit::http::Response {
    if method == "PUT" { client.put(path, body).unwrap() } else { client.post(path, body).unwrap() }
}

/// How much every table that a command writes holds.
fn contents(bed: &Bed) -> Vec<(&'static str, String)> {
    [
        "evt_events",
        "evt_stream_heads",
        "policy_heads",
        "policy_log",
        "sec_agents",
        "sec_action_registry",
        "sec_capability_tokens",
        "sec_egress_requests",
        "sec_resource_labels",
        "sec_settings",
        "gate_decisions",
        "proj_rooms",
        "proj_approvals",
    ]
    .into_iter()
    .map(|table| (table, bed.sql(&format!("SELECT count(*) FROM {table}")).unwrap()))
    .chain([("approvals", bed.sql("SELECT status FROM proj_approvals ORDER BY approval_id").unwrap())])
    .collect()
}
