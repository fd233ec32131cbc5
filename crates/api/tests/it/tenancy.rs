//! Invariant 11: an id of another workspace answers as one that does not exist, on every route that
//! takes an id in its path.

use api::routes::{ROUTES, Route};
use model::Role;
use serde_json::{Value, json};
use testkit::http::Client;

use crate::app::{App, OTHER, WORKSPACE, without_request_id};

/// A good body for a route, so that nothing but the id is wrong.
fn body(route: &Route) -> Value {
    match route.operation_id {
        "decide_approval" => json!({ "decision": "approve" }),
        _ => json!({}),
    }
}

/// What exists in a workspace, by the route that reads it.
struct Things {
    room: String,
    principal: String,
    agent: String,
    approval: String,
    egress: String,
    event: String,
}

impl Things {
    fn make(client: &mut Client) -> Self {
        let mut post = |path: &str, body: Value, member: &str| {
            let answer = client.post(path, &body).unwrap().expect(201).unwrap();
            answer[member].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
        };
        let room = post("/v1/rooms", json!({ "title": "t" }), "room_id");
        let principal = post("/v1/principals", json!({ "principal_type": "user" }), "principal_id");
        let agent = post("/v1/agents", json!({ "display_name": "a" }), "agent_id");
        let approval = post("/v1/approvals", json!({ "action": "email.send" }), "approval_id");
        let asked = json!({ "target_url": "https://example.com/", "action": "external.write" });
        let egress = post("/v1/egress/requests", asked, "egress_request_id");
        let events = client.get("/v1/events?limit=1").unwrap().expect(200).unwrap();
        let event = events["events"][0]["event_id"].as_str().unwrap().to_owned();
        Self { room, principal, agent, approval, egress, event }
    }

    fn of(&self, route: &Route) -> Option<&str> {
        Some(match route.tag {
            "Rooms" => &self.room,
            "Principals" => &self.principal,
            "Agents" => &self.agent,
            "Approvals" => &self.approval,
            "Egress" | "Decisions" => &self.egress,
            "Events" if route.path.contains("rooms") => &self.room,
            "Events" => &self.event,
            _ => return None,
        })
    }
}

#[test]
fn a_foreign_id_answers_as_an_unknown_one() {
    let app = App::start();
    let (mut ours, mut theirs) = (app.client_in(Role::Owner, WORKSPACE), app.client_in(Role::Owner, OTHER));
    let (mine, foreign) = (Things::make(&mut ours), Things::make(&mut theirs));
    // An action's name is no id: every workspace may have an entry of its own under it.
    let with_id: Vec<&Route> =
        ROUTES.iter().filter(|route| route.path.contains('{') && route.operation_id != "set_action").collect();
    let (key, mut compared) = (app.secret(Role::Owner), 0);
    for route in &with_id {
        let ask = |id: &str| {
            let (before, rest) = route.path.split_once('{').unwrap();
            let path = format!("{before}{id}{}", rest.split_once('}').unwrap().1);
            let json = [("content-type", "application/json")];
            let sent = if route.method == http::Method::GET { String::new() } else { body(route).to_string() };
            app.stranger().bearer(&key).send(route.method.as_str(), &path, &json, sent.as_bytes()).unwrap()
        };
        let their = foreign.of(route).unwrap_or_else(|| panic!("no thing for {}", route.path));
        let (of_theirs, unknown) = (ask(their), ask(&format!("{}0", &their[..their.len() - 1])));
        assert_eq!(without_request_id(&of_theirs), without_request_id(&unknown), "{}", route.path);
        assert_eq!(of_theirs.status, 404, "{}", route.path);
        compared += 1;
    }
    assert_eq!(compared, with_id.len());
    // The positive control: the same routes know what is ours.
    for route in with_id.iter().filter(|route| route.method == http::Method::GET && !route.path.contains("streams")) {
        let id = mine.of(route).unwrap();
        let (before, _) = route.path.split_once('{').unwrap();
        assert_eq!(ours.get(&format!("{before}{id}")).unwrap().status, 200, "{}", route.path);
    }
    println!("{compared} routes that take an id");
}

#[test]
fn lists_and_streams_show_the_own_workspace_only() {
    let app = App::start();
    let (mut ours, mut theirs) = (app.client_in(Role::Owner, WORKSPACE), app.client_in(Role::Owner, OTHER));
    let foreign = Things::make(&mut theirs);
    let lists = ["/v1/rooms", "/v1/agents", "/v1/approvals", "/v1/egress/requests", "/v1/capabilities"];
    for path in lists {
        let answer = ours.get(path).unwrap().expect(200).unwrap();
        let rows = answer.as_object().unwrap().values().find_map(Value::as_array).unwrap();
        assert!(rows.is_empty(), "{path}: {answer}");
    }
    let events = ours.get("/v1/events?limit=500").unwrap().expect(200).unwrap();
    assert!(events["events"].as_array().unwrap().iter().all(|event| event["workspace_id"] == WORKSPACE));
    // Naming a foreign stream or room shows nothing, and neither does checking it.
    for query in [format!("stream_type=room&stream_id={}", foreign.room), format!("room_id={}", foreign.room)] {
        let answer = ours.get(&format!("/v1/events?{query}")).unwrap().expect(200).unwrap();
        assert_eq!(answer["events"], json!([]), "{query}");
    }
    let of = |id: &str| format!("/v1/audit/hash-chain/verify?stream_type=room&stream_id={id}");
    let checked = without_request_id(&ours.get(&of(&foreign.room)).unwrap());
    assert_eq!(checked, without_request_id(&ours.get(&of("room_unknown")).unwrap()));
    assert_eq!(theirs.get(&of(&foreign.room)).unwrap().expect(200).unwrap()["valid"], true);
}
