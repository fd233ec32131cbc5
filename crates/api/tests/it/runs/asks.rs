//! What is asked twice, and what the gate does not let.

use model::Role;
use serde_json::json;

use super::{agent, events, get, id, post, queued, refusal, started, step, with_key};
use crate::app::App;

#[test]
fn a_run_is_made_once_for_one_key() {
    let app = App::start();
    let mut client = app.client(Role::Gateway);
    let body = json!({ "title": "t" });
    let first = with_key(&mut client, "k", "/v1/runs", &body);
    let again = with_key(&mut client, "k", "/v1/runs", &body);
    assert_eq!((first.status, first.header("idempotency-replayed")), (201, None));
    assert_eq!((again.status, again.header("idempotency-replayed")), (201, Some("true")));
    assert_eq!(first.json().unwrap(), again.json().unwrap());
    let other = with_key(&mut client, "k", "/v1/runs", &json!({ "title": "u" }));
    assert_eq!(refusal(&other), (409, "idempotency_key_reused".to_owned()));
    assert_eq!(get(&mut client, "/v1/runs")["runs"].as_array().unwrap().len(), 1);
    // The same holds for what is made in it.
    let run = id(&first.json().unwrap(), "run_id");
    post(&mut client, &format!("/v1/runs/{run}/start"), &json!({}), 200);
    let (steps, kind) = (format!("/v1/runs/{run}/steps"), json!({ "kind": "k" }));
    let made = [0, 1].map(|_| with_key(&mut client, "k", &steps, &kind).expect(201).unwrap());
    assert_eq!(made[0], made[1]);
    let (calls, named) = (format!("/v1/steps/{}/toolcalls", id(&made[0], "step_id")), json!({ "tool_name": "t" }));
    let made = [0, 1].map(|_| with_key(&mut client, "k", &calls, &named).expect(201).unwrap());
    assert_eq!(made[0], made[1]);
    assert_eq!(events(&app, &run), ["run.created", "run.started", "step.created", "tool.invoked"]);
}

#[test]
fn a_blocked_tool_call_is_an_answer_and_no_tool_call() {
    let app = App::start();
    let mut client = app.client(Role::Operator);
    let run = started(&mut client);
    let step = step(&mut client, &run, None);
    let path = format!("/v1/steps/{step}/toolcalls");
    let blocked = json!({ "tool_name": "t", "principal_id": "nobody" });
    let first = with_key(&mut client, "k", &path, &blocked);
    let answer = first.json().unwrap();
    assert_eq!((first.status, &answer["blocked"]), (200, &json!(true)), "{answer}");
    assert_eq!((&answer["decision"], &answer["reason_code"]), (&json!("deny"), &json!("principal_not_found")));
    assert!(answer["reason"].is_string() && answer.get("tool_call_id").is_none(), "{answer}");
    let again = with_key(&mut client, "k", &path, &blocked);
    assert_eq!((again.status, again.header("idempotency-replayed")), (200, Some("true")));
    assert_eq!(answer, again.json().unwrap());
    let calls = format!("/v1/toolcalls?step_id={step}");
    assert_eq!(get(&mut client, &calls)["tool_calls"], json!([]));
    assert_eq!(get(&mut client, &format!("/v1/runs/{run}/steps"))["steps"][0]["status"], "queued");
    assert_eq!(events(&app, &run).last().unwrap(), "policy.denied");
    get(&mut client, &format!("/v1/decisions/{}", id(&answer, "decision_id")));
    // What only would be blocked is called.
    client.put("/v1/policy/mode", &json!({ "mode": "shadow" })).unwrap().expect(200).unwrap();
    let let_through = post(&mut client, &path, &blocked, 201);
    assert_eq!((&let_through["blocked"], &let_through["decision"]), (&json!(false), &json!("deny")));
    assert_eq!(get(&mut client, &calls)["tool_calls"][0]["tool_call_id"], let_through["tool_call_id"]);
}

#[test]
fn a_run_of_an_agent_is_made_in_its_own_name_only() {
    let app = App::start();
    let (mut agent, principal) = agent(&app);
    let in_the_name_of = |name: &str| json!({ "input": { "runtime": { "policy": { "principal_id": name } } } });
    let (own, other) = (in_the_name_of(principal.as_str()), in_the_name_of("usr_other"));
    let refused = agent.post("/v1/runs", &other).unwrap();
    assert_eq!(refusal(&refused), (403, "identity_not_permitted".to_owned()));
    assert_eq!(refused.json().unwrap()["field"], "/input/runtime/policy/principal_id");
    let run = id(&post(&mut agent, "/v1/runs", &own, 201), "run_id");
    // Who speaks for others may name another one.
    let mut gateway = app.client(Role::Gateway);
    post(&mut gateway, "/v1/runs", &other, 201);
    let read = get(&mut gateway, &format!("/v1/runs/{run}"));
    assert_eq!(read["run"]["created_by_principal_id"], principal.as_str());
}

#[test]
fn an_agent_neither_drives_nor_takes_runs() {
    let app = App::start();
    let (mut agent, _) = agent(&app);
    let run = queued(&mut agent);
    for path in [format!("/v1/runs/{run}/start"), format!("/v1/runs/{run}/cancel"), "/v1/runs/claim".to_owned()] {
        let response = agent.post(&path, &json!({})).unwrap();
        assert_eq!(refusal(&response), (403, "forbidden".to_owned()), "{path}");
        assert_eq!(app.client(Role::Worker).post(&path, &json!({})).unwrap().status, 200, "{path}");
    }
}
