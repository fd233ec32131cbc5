//! What is read of runs, by whom, page by page.

use model::Role;
use serde_json::{Value, json};
use testkit::http::Client;

use super::{agent, get, id, post, queued, refusal, started, step, tool_call};
use crate::app::App;

/// The ids of a list, read in pages of two.
fn pages(client: &mut Client, path: &str, plural: &str, member: &str) -> Vec<String> {
    let (mut ids, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let more = cursor.as_ref().map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let sign = if path.contains('?') { '&' } else { '?' };
        let page = get(client, &format!("{path}{sign}limit=2{more}"));
        let rows = page[plural].as_array().unwrap();
        assert!(rows.len() <= 2, "{page}");
        ids.extend(rows.iter().map(|row| id(row, member)));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => return ids,
        }
    }
}

#[test]
fn runs_are_listed_newest_first_and_their_steps_oldest_first() {
    let app = App::start();
    let mut client = app.client(Role::Operator);
    let room = post(&mut client, "/v1/rooms", &json!({ "title": "t" }), 201)["room_id"].clone();
    let in_room = id(&post(&mut client, "/v1/runs", &json!({ "room_id": room }), 201), "run_id");
    let mut made: Vec<String> = (0..4).map(|_| queued(&mut client)).collect();
    let run = started(&mut client);
    made.insert(0, in_room.clone());
    made.push(run.clone());
    made.reverse();
    assert_eq!(pages(&mut client, "/v1/runs", "runs", "run_id"), made);
    assert_eq!(pages(&mut client, "/v1/runs?status=queued", "runs", "run_id"), made[1..]);
    assert_eq!(pages(&mut client, "/v1/runs?status=running", "runs", "run_id"), made[..1]);
    let room = room.as_str().unwrap();
    assert_eq!(pages(&mut client, &format!("/v1/runs?room_id={room}"), "runs", "run_id"), [in_room]);

    let steps: Vec<String> = (0..5).map(|_| step(&mut client, &run, None)).collect();
    assert_eq!(pages(&mut client, &format!("/v1/runs/{run}/steps"), "steps", "step_id"), steps);
    let mut calls: Vec<String> = (0..5).map(|n| tool_call(&mut client, &steps[n % 2], None)).collect();
    calls.reverse();
    let of = |query: &str| format!("/v1/toolcalls?{query}");
    let mut listed = |query: String| pages(&mut client, &of(&query), "tool_calls", "tool_call_id");
    assert_eq!(listed(String::new()), calls);
    assert_eq!(listed(format!("run_id={run}")), calls);
    assert_eq!(listed(format!("step_id={}", steps[1])), [&*calls[1], &calls[3]]);
    assert_eq!(listed(format!("run_id={}&step_id={}", made[1], steps[1])), Vec::<String>::new());
    for bad in [
        "/v1/runs?status=done",
        "/v1/runs?limit=0",
        "/v1/runs?cursor=x",
        "/v1/toolcalls?run_id=a%20b",
        &format!("/v1/runs/{run}/steps?cursor=x"),
    ] {
        assert_eq!(refusal(&client.get(bad).unwrap()), (400, "invalid_request".to_owned()), "{bad}");
    }
}

#[test]
fn no_run_is_hidden_behind_a_route() {
    let app = App::start();
    let mut client = app.client(Role::Operator);
    let wrong = client.get("/v1/runs/claim").unwrap();
    assert_eq!((wrong.status, wrong.header("allow")), (405, Some("POST")));
    for path in ["/v1/runs/claim/steps", "/v1/runs/claim/attempts", "/v1/runs/run_nowhere", "/v1/runs/%ff"] {
        assert_eq!(refusal(&client.get(path).unwrap()), (404, "run_not_found".to_owned()), "{path}");
    }
    let none = client.get("/v1/toolcalls/tc_nowhere").unwrap();
    assert_eq!(refusal(&none), (404, "tool_call_not_found".to_owned()));
}

#[test]
fn an_agent_reads_its_own_runs_only() {
    let app = App::start();
    let mut operator = app.client(Role::Operator);
    let ((mut one, _), (mut two, _)) = (agent(&app), agent(&app));
    let run = queued(&mut one);
    post(&mut operator, &format!("/v1/runs/{run}/start"), &json!({}), 200);
    let step = step(&mut operator, &run, None);
    let call = tool_call(&mut operator, &step, None);
    let paths = [
        format!("/v1/runs/{run}"),
        format!("/v1/runs/{run}/steps"),
        format!("/v1/runs/{run}/attempts"),
        format!("/v1/toolcalls/{call}"),
    ];
    for path in paths {
        assert_eq!(one.get(&path).unwrap().status, 200, "{path}");
        assert_eq!(refusal(&two.get(&path).unwrap()).0, 404, "{path}");
    }
    let path = format!("/v1/toolcalls?run_id={run}");
    assert_eq!(get(&mut one, &path)["tool_calls"].as_array().unwrap().len(), 1);
    assert_eq!(get(&mut two, &path), json!({ "tool_calls": [], "next_cursor": null }));
    for path in ["/v1/toolcalls".to_owned(), format!("/v1/toolcalls?step_id={step}")] {
        let all = one.get(&path).unwrap();
        assert_eq!((all.status, &all.json().unwrap()["field"]), (400, &Value::from("run_id")), "{path}");
        assert_eq!(get(&mut operator, &path)["tool_calls"].as_array().unwrap().len(), 1);
    }
    assert_eq!(refusal(&one.get("/v1/runs").unwrap()), (403, "forbidden".to_owned()));
}
