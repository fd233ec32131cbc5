//! Every refusal, each with the same request where nothing is wrong with it.

use model::Role;
use serde_json::{Value, json};
use testkit::http::Client;

use super::{claimed, post, queued, refusal, started, step, tool_call};
use crate::app::App;

/// A request and what it is answered with.
struct Case {
    path: String,
    body: Value,
    answer: Result<u16, (u16, &'static str)>,
}

fn good(path: impl Into<String>, body: Value, status: u16) -> Case {
    Case { path: path.into(), body, answer: Ok(status) }
}

fn bad(path: impl Into<String>, body: Value, status: u16, code: &'static str) -> Case {
    Case { path: path.into(), body, answer: Err((status, code)) }
}

/// Sends them one after the other.
fn assert_answers(client: &mut Client, cases: Vec<Case>) {
    for Case { path, body, answer } in cases {
        let response = client.post(&path, &body).unwrap();
        match answer {
            Ok(status) => assert_eq!(response.status, status, "{path} {body}: {}", response.text()),
            Err((status, code)) => assert_eq!(refusal(&response), (status, code.to_owned()), "{path} {body}"),
        }
    }
}

#[test]
fn a_run_is_made_and_taken_in_a_room_that_is_there() {
    let app = App::start();
    let mut client = app.client(Role::Operator);
    let room = post(&mut client, "/v1/rooms", &json!({ "title": "t" }), 201)["room_id"].clone();
    let (here, nowhere) = (json!({ "room_id": room }), json!({ "room_id": "room_nowhere" }));
    let mut cases = vec![
        bad("/v1/runs", nowhere.clone(), 404, "room_not_found"),
        bad("/v1/runs/claim", nowhere, 404, "room_not_found"),
        good("/v1/runs", here.clone(), 201),
        good("/v1/runs/claim", here, 200),
    ];
    for (limit, lease) in [(0, 30), (101, 30), (1, 0), (1, 3_601)] {
        cases.push(bad("/v1/runs/claim", json!({ "limit": limit, "lease_seconds": lease }), 400, "invalid_request"));
    }
    cases.push(good("/v1/runs/claim", json!({ "limit": 100, "lease_seconds": 3_600 }), 200));
    let many: Vec<String> = (0..33).map(|n| n.to_string()).collect();
    cases.push(good("/v1/runs", json!({ "tags": many[..32], "title": "t".repeat(300) }), 201));
    cases.push(bad("/v1/runs", json!({ "tags": many }), 400, "invalid_request"));
    cases.push(bad("/v1/runs", json!({ "title": "t".repeat(301) }), 400, "invalid_request"));
    assert_answers(&mut client, cases);
}

#[test]
fn a_run_that_nobody_leased() {
    let app = App::start();
    let mut client = app.client(Role::Worker);
    let run = queued(&mut client);
    let on = |what: &str| format!("/v1/runs/{run}/{what}");
    let kind = json!({ "kind": "k" });
    let any = json!({ "claim_token": "clm_any", "kind": "k" });
    assert_answers(
        &mut client,
        vec![
            bad(on("steps"), kind.clone(), 409, "run_not_running"),
            bad(on("lease/heartbeat"), any.clone(), 409, "run_not_running"),
            bad(on("lease/release"), any.clone(), 409, "run_not_running"),
            good(on("start"), json!({}), 200),
            bad(on("start"), json!({}), 409, "run_not_queued"),
            // Nobody has it, so no token can be right.
            bad(on("lease/heartbeat"), any.clone(), 409, "lease_token_mismatch"),
            bad(on("steps"), any.clone(), 409, "lease_token_mismatch"),
            bad(on("complete"), any, 409, "lease_token_mismatch"),
            bad(on("steps"), json!({}), 400, "missing_kind"),
            bad(on("steps"), json!({ "kind": " " }), 400, "missing_kind"),
            good(on("steps"), kind.clone(), 201),
            good(on("complete"), json!({}), 200),
            bad(on("complete"), json!({}), 409, "run_already_ended"),
            bad(on("fail"), json!({}), 409, "run_already_ended"),
            bad(on("cancel"), json!({}), 409, "run_already_ended"),
            bad(on("start"), json!({}), 409, "run_not_queued"),
            bad(on("steps"), kind, 409, "run_not_running"),
        ],
    );
}

#[test]
fn a_run_that_a_worker_has() {
    let app = App::start();
    let mut client = app.client(Role::Worker);
    let (run, token) = claimed(&mut client);
    let step = step(&mut client, &run, Some(&token));
    let call = tool_call(&mut client, &step, Some(&token));
    let (_, of_another) = claimed(&mut client);
    let on = |what: &str| format!("/v1/runs/{run}/{what}");
    let toolcalls = format!("/v1/steps/{step}/toolcalls");
    // In the order in which they work, as the last ones end it.
    let egress = "/v1/egress/requests".to_owned();
    let writes = [
        (on("lease/heartbeat"), 200),
        (on("steps"), 201),
        (toolcalls, 201),
        (egress, 201),
        (format!("/v1/toolcalls/{call}/succeed"), 200),
        (on("complete"), 200),
    ];
    for (path, status) in writes {
        let body = |token: Value| json!({ "kind": "k", "tool_name": "t", "run_id": run, "target_url": "https://example.com/", "claim_token": token });
        let without = bad(&path, body(Value::Null), 409, "lease_token_mismatch");
        let garbage = bad(&path, body(json!("x y")), 409, "lease_token_mismatch");
        let foreign = bad(&path, body(json!(of_another)), 409, "lease_token_mismatch");
        assert_answers(&mut client, vec![without, garbage, foreign, good(&path, body(json!(token)), status)]);
    }
    let (run, token) = claimed(&mut client);
    let on = |what: &str| format!("/v1/runs/{run}/{what}");
    let shown = json!({ "claim_token": token });
    assert_answers(
        &mut client,
        vec![
            bad(on("start"), json!({}), 409, "run_not_queued"),
            bad(on("fail"), json!({}), 409, "lease_token_mismatch"),
            bad(on("lease/release"), json!({}), 409, "lease_token_mismatch"),
            good(on("lease/release"), shown.clone(), 200),
            bad(on("lease/release"), shown, 409, "run_not_running"),
        ],
    );
}

#[test]
fn a_tool_call_that_is_not_there_or_not_named_or_over() {
    let app = App::start();
    let mut client = app.client(Role::Gateway);
    let run = started(&mut client);
    let step = step(&mut client, &run, None);
    let (first, second) = (tool_call(&mut client, &step, None), tool_call(&mut client, &step, None));
    let toolcalls = format!("/v1/steps/{step}/toolcalls");
    let named = json!({ "tool_name": "t" });
    assert_answers(
        &mut client,
        vec![
            bad("/v1/steps/step_nowhere/toolcalls", named.clone(), 404, "step_not_found"),
            bad(&toolcalls, json!({}), 400, "missing_tool_name"),
            bad(&toolcalls, json!({ "tool_name": " " }), 400, "missing_tool_name"),
            good(&toolcalls, named, 201),
            bad("/v1/toolcalls/tc_nowhere/succeed", json!({}), 404, "tool_call_not_found"),
            bad("/v1/toolcalls/tc_nowhere/fail", json!({}), 404, "tool_call_not_found"),
            good(format!("/v1/toolcalls/{first}/succeed"), json!({}), 200),
            bad(format!("/v1/toolcalls/{first}/succeed"), json!({}), 409, "tool_call_not_running"),
            bad(format!("/v1/toolcalls/{first}/fail"), json!({}), 409, "tool_call_not_running"),
            good(format!("/v1/toolcalls/{second}/fail"), json!({}), 200),
            bad(format!("/v1/toolcalls/{second}/succeed"), json!({}), 409, "tool_call_not_running"),
        ],
    );
    for what in ["start", "complete", "fail", "cancel", "lease/heartbeat", "lease/release"] {
        let response = client.post(&format!("/v1/runs/run_nowhere/{what}"), &json!({ "kind": "k" })).unwrap();
        assert_eq!(refusal(&response), (404, "run_not_found".to_owned()), "{what}");
    }
}
