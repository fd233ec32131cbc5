//! Runs over HTTP: driven by a worker from outside.

mod asks;
mod execute;
mod life;
mod reads;
mod refusals;

use model::{PrincipalId, Role};
use serde_json::{Value, json};
use testkit::http::{Client, Response};

use crate::app::{App, WORKSPACE, problem, text};

fn post(client: &mut Client, path: &str, body: &Value, status: u16) -> Value {
    client.post(path, body).unwrap().expect(status).unwrap()
}

fn get(client: &mut Client, path: &str) -> Value {
    client.get(path).unwrap().expect(200).unwrap()
}

fn id(answer: &Value, member: &str) -> String {
    answer[member].as_str().unwrap_or_else(|| panic!("no {member}: {answer}")).to_owned()
}

/// A new queued run.
fn queued(client: &mut Client) -> String {
    id(&post(client, "/v1/runs", &json!({}), 201), "run_id")
}

/// A new run that was started without a lease.
fn started(client: &mut Client) -> String {
    let run = queued(client);
    post(client, &format!("/v1/runs/{run}/start"), &json!({}), 200);
    run
}

/// A new run that a worker has, and its claim token.
fn claimed(client: &mut Client) -> (String, String) {
    let run = queued(client);
    let taken = post(client, "/v1/runs/claim", &json!({}), 200);
    assert_eq!(taken["run"]["run_id"], run, "{taken}");
    (run, id(&taken["run"], "claim_token"))
}

fn step(client: &mut Client, run: &str, token: Option<&str>) -> String {
    let body = json!({ "kind": "k", "claim_token": token });
    id(&post(client, &format!("/v1/runs/{run}/steps"), &body, 201), "step_id")
}

fn tool_call(client: &mut Client, step: &str, token: Option<&str>) -> String {
    let body = json!({ "tool_name": "t", "claim_token": token });
    id(&post(client, &format!("/v1/steps/{step}/toolcalls"), &body, 201), "tool_call_id")
}

/// A client of a new agent, and its principal.
fn agent(app: &App) -> (Client, PrincipalId) {
    let made = post(&mut app.client(Role::Operator), "/v1/agents", &json!({ "display_name": "a" }), 201);
    let principal = PrincipalId::parse(made["principal_id"].as_str().unwrap()).unwrap();
    let key = app.key_until(Role::Agent, Some(WORKSPACE), Some(principal.clone()), None);
    (app.stranger().bearer(&text(&key)), principal)
}

/// Status and code of a refusal.
fn refusal(response: &Response) -> (u16, String) {
    (response.status, problem(response).unwrap())
}

/// A request with an idempotency key.
fn with_key(client: &mut Client, key: &str, path: &str, body: &Value) -> Response {
    let headers = [("content-type", "application/json"), ("idempotency-key", key)];
    client.send("POST", path, &headers, body.to_string().as_bytes()).unwrap()
}

/// The types of a run's events, oldest first.
fn events(app: &App, run: &str) -> Vec<String> {
    let answer = get(&mut app.client(Role::Auditor), &format!("/v1/events?run_id={run}&limit=500"));
    answer["events"].as_array().unwrap().iter().map(|event| id(event, "event_type")).collect()
}
