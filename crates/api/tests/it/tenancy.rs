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
        "create_step" => json!({ "kind": "k" }),
        "request_tool_call" => json!({ "tool_name": "t" }),
        _ => json!({}),
    }
}

/// What exists in a workspace, by the route that reads it.
pub(crate) struct Things {
    room: String,
    pub(crate) principal: String,
    agent: String,
    approval: String,
    egress: String,
    event: String,
    run: String,
    step: String,
    tool_call: String,
}

impl Things {
    pub(crate) fn make(client: &mut Client) -> Self {
        let room = made(client, "/v1/rooms", &json!({ "title": "t" }), "room_id");
        let principal = made(client, "/v1/principals", &json!({ "principal_type": "user" }), "principal_id");
        let agent = made(client, "/v1/agents", &json!({ "display_name": "a" }), "agent_id");
        let approval = made(client, "/v1/approvals", &json!({ "action": "email.send" }), "approval_id");
        let asked = json!({ "target_url": "https://example.com/", "action": "external.write" });
        let egress = made(client, "/v1/egress/requests", &asked, "egress_request_id");
        let run = made(client, "/v1/runs", &json!({ "room_id": room, "title": "r" }), "run_id");
        client.post(&format!("/v1/runs/{run}/start"), &json!({})).unwrap().expect(200).unwrap();
        let step = made(client, &format!("/v1/runs/{run}/steps"), &json!({ "kind": "k" }), "step_id");
        let tool_call =
            made(client, &format!("/v1/steps/{step}/toolcalls"), &json!({ "tool_name": "t" }), "tool_call_id");
        let events = client.get("/v1/events?limit=1").unwrap().expect(200).unwrap();
        let event = events["events"][0]["event_id"].as_str().unwrap().to_owned();
        Self { room, principal, agent, approval, egress, event, run, step, tool_call }
    }

    pub(crate) fn of(&self, route: &Route) -> Option<&str> {
        Some(match route.tag {
            "Rooms" => &self.room,
            "Principals" => &self.principal,
            "Agents" => &self.agent,
            "Approvals" => &self.approval,
            "Egress" | "Decisions" => &self.egress,
            "Runs" => &self.run,
            "Tools" if route.path.contains("steps") => &self.step,
            "Tools" => &self.tool_call,
            "Events" if route.path.contains("rooms") => &self.room,
            "Events" => &self.event,
            _ => return None,
        })
    }
}

/// Makes something, and gives its id.
fn made(client: &mut Client, path: &str, body: &Value, member: &str) -> String {
    let answer = client.post(path, body).unwrap().expect(201).unwrap();
    answer[member].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

#[test]
fn a_foreign_id_answers_as_an_unknown_one() {
    let app = App::start();
    let (mut ours, mut theirs) = (app.client_in(Role::Owner, WORKSPACE), app.client_in(Role::Owner, OTHER));
    let (mine, foreign) = (Things::make(&mut ours), Things::make(&mut theirs));
    // An action's name and a version's number are no ids: every workspace may have its own.
    let own = ["set_action", "get_policy_version"];
    let with_id: Vec<&Route> =
        ROUTES.iter().filter(|route| route.path.contains('{') && !own.contains(&route.operation_id)).collect();
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
        let (before, rest) = route.path.split_once('{').unwrap();
        let path = format!("{before}{id}{}", rest.split_once('}').unwrap().1);
        assert_eq!(ours.get(&path).unwrap().status, 200, "{}", route.path);
    }
    println!("{compared} routes that take an id");
}

#[test]
fn lists_and_streams_show_the_own_workspace_only() {
    let app = App::start();
    let (mut ours, mut theirs) = (app.client_in(Role::Owner, WORKSPACE), app.client_in(Role::Owner, OTHER));
    let foreign = Things::make(&mut theirs);
    let lists = [
        "/v1/rooms",
        "/v1/agents",
        "/v1/approvals",
        "/v1/egress/requests",
        "/v1/capabilities",
        "/v1/runs",
        "/v1/toolcalls",
        &format!("/v1/toolcalls?run_id={}", foreign.run),
        &format!("/v1/toolcalls?step_id={}", foreign.step),
    ];
    for path in lists {
        let answer = ours.get(path).unwrap().expect(200).unwrap();
        let rows = answer.as_object().unwrap().values().find_map(Value::as_array).unwrap();
        assert!(rows.is_empty(), "{path}: {answer}");
    }
    let events = ours.get("/v1/events?limit=500").unwrap().expect(200).unwrap();
    assert!(events["events"].as_array().unwrap().iter().all(|event| event["workspace_id"] == WORKSPACE));
    // Nor is there anything to be taken from another workspace, or for another one's room.
    assert_eq!(theirs.post("/v1/runs", &json!({})).unwrap().status, 201);
    assert_eq!(ours.post("/v1/runs/claim", &json!({})).unwrap().expect(200).unwrap()["claimed"], false);
    for path in ["/v1/runs", "/v1/runs/claim"] {
        let answer = ours.post(path, &json!({ "room_id": foreign.room })).unwrap();
        let unknown = ours.post(path, &json!({ "room_id": "room_unknown" })).unwrap();
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(without_request_id(&answer), without_request_id(&unknown), "{path}");
    }
    assert_eq!(theirs.post("/v1/runs/claim", &json!({})).unwrap().expect(200).unwrap()["claimed"], true);
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
