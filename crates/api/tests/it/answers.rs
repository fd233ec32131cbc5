//! What the main answers look like.

use model::Role;
use serde_json::{Value, json};

use crate::app::App;

/// Puts names in the place of what differs from run to run.
fn steady(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let changes = name.ends_with("_id") && name != "workspace_id" || name.ends_with("_at");
                let hashed = name.ends_with("_hash") || name.ends_with("_leaf") || name.ends_with("_digest");
                if member.is_string() && (changes || hashed) || name == "position" {
                    *member = json!(format!("[{name}]"));
                } else {
                    steady(member);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(steady),
        // A keyed digest, and the key is new in each run.
        Value::String(text) => {
            if let Some((before, _)) = text.split_once("=~") {
                *text = format!("{before}=~[digest]");
            }
        }
        _ => {}
    }
}

macro_rules! assert_answer {
    ($name:literal, $answer:expr) => {{
        let mut answer = $answer;
        steady(&mut answer);
        insta::assert_json_snapshot!($name, answer);
    }};
}

#[test]
fn an_ask_its_approval_and_its_reasons() {
    let app = App::start();
    let mut client = app.client(Role::Gateway);
    let ask = json!({ "target_url": "https://Example.com./a?q=1", "method": "POST", "actor_type": "user", "actor_id": "ann" });
    let answer = client.post("/v1/egress/requests", &ask).unwrap().expect(201).unwrap();
    let id = answer["egress_request_id"].as_str().unwrap().to_owned();
    let approval = answer["approval_id"].as_str().unwrap().to_owned();
    assert_answer!("egress_requires_approval", answer);
    let mut reader = app.client(Role::Auditor);
    let mut get = |path: &str| reader.get(path).unwrap().expect(200).unwrap();
    assert_answer!("egress_request", get(&format!("/v1/egress/requests/{id}")));
    assert_answer!("decision", get(&format!("/v1/decisions/{id}")));
    assert_answer!("approval", get(&format!("/v1/approvals/{approval}")));
    let decided = app
        .client(Role::Approver)
        .post(&format!("/v1/approvals/{approval}/decide"), &json!({ "decision": "approve", "reason": "fine" }))
        .unwrap();
    assert_answer!("approval_decided", decided.expect(200).unwrap());
    assert_answer!("egress_allowed", client.post("/v1/egress/requests", &ask).unwrap().expect(201).unwrap());
    let asked = json!({ "action": "external.write" });
    assert_answer!("evaluate", client.post("/v1/policy/evaluate", &asked).unwrap().expect(200).unwrap());
    assert_answer!("whoami", client.get("/v1/whoami").unwrap().expect(200).unwrap());
}

#[test]
fn an_agent_sees_its_own_only() {
    let app = App::start();
    let mut operator = app.client(Role::Operator);
    let mut agent = |name: &str| {
        let made = operator.post("/v1/agents", &json!({ "display_name": name })).unwrap().expect(201).unwrap();
        let principal = model::PrincipalId::parse(made["principal_id"].as_str().unwrap()).unwrap();
        let key = app.key_until(Role::Agent, Some(crate::app::WORKSPACE), Some(principal), None);
        app.stranger().bearer(&crate::app::text(&key))
    };
    let (mut one, mut two) = (agent("one"), agent("two"));
    let ask = json!({ "target_url": "https://example.com/", "action": "external.write" });
    let answer = one.post("/v1/egress/requests", &ask).unwrap().expect(201).unwrap();
    for (kind, member) in
        [("egress/requests", "egress_request_id"), ("decisions", "egress_request_id"), ("approvals", "approval_id")]
    {
        let path = format!("/v1/{kind}/{}", answer[member].as_str().unwrap());
        assert_eq!(one.get(&path).unwrap().status, 200, "{path}");
        assert_eq!(two.get(&path).unwrap().status, 404, "{path}");
    }
}

#[test]
fn events_are_filtered_and_their_chain_is_checked() {
    let app = App::start();
    let mut client = app.client(Role::Owner);
    let room = client.post("/v1/rooms", &json!({ "title": "t" })).unwrap().expect(201).unwrap();
    let room = room["room_id"].as_str().unwrap();
    client.post("/v1/approvals", &json!({ "action": "email.send", "room_id": room })).unwrap().expect(201).unwrap();
    let mut count = |query: &str| {
        let answer = client.get(&format!("/v1/events?{query}")).unwrap().expect(200).unwrap();
        answer["events"].as_array().unwrap().len()
    };
    assert_eq!(count(&format!("room_id={room}")), 2);
    assert_eq!(count(&format!("stream_type=room&stream_id={room}")), 2);
    assert_eq!(count(&format!("stream_type=room&stream_id={room}&from_seq=1")), 1);
    assert_eq!(count(&format!("room_id={room}&event_type=room.created")), 1);
    assert_eq!(count(&format!("room_id={room}&event_type=room.created,approval.requested")), 2);
    assert_eq!(count(&format!("room_id={room}&event_type=room.created&event_type=approval.requested")), 2);
    assert_eq!(count(&format!("room_id={room}&before=2000-01-01T00:00:00Z")), 0);
    assert_eq!(count(&format!("room_id={room}&after=2000-01-01T00:00:00Z")), 2);
    for bad in ["stream_type=room", "stream_id=x", "from_seq=1", "stream_type=x&stream_id=y", "before=x", "room_id=%00"]
    {
        assert_eq!(client.get(&format!("/v1/events?{bad}")).unwrap().status, 400, "{bad}");
    }
    let path = format!("/v1/audit/hash-chain/verify?stream_type=room&stream_id={room}");
    assert_answer!("verify", {
        let mut answer = client.get(&path).unwrap().expect(200).unwrap();
        answer["stream_id"] = json!("[stream_id]");
        answer
    });
}
