//! What a guard beside a client reports: in kinds only, and as the client's own word.

use model::Role;
use serde_json::{Value, json};

use crate::app::{App, problem};

fn attempt(op: &str, port: u16) -> Value {
    json!({ "op": op, "family": "inet", "protocol": "udp", "destination": "public", "port": port })
}

#[test]
fn a_report_becomes_an_event_of_who_reports() {
    let app = App::start();
    let mut agent = app.client(Role::Agent);
    let me = agent.get("/v1/whoami").unwrap().expect(200).unwrap();
    let attempts = [attempt("send", 53), attempt("connect", 1), attempt("send", 53)];
    let report = json!({ "tool_name": "pytest", "summary": { "attempts": attempts, "rung": "A" } });
    let answer = agent.post("/v1/security/violations", &report).unwrap().expect(201).unwrap();
    let path = format!("/v1/events/{}", answer["event_id"].as_str().unwrap());
    let event = app.client(Role::Auditor).get(&path).unwrap().expect(200).unwrap()["event"].clone();
    assert_eq!(event["event_type"], "security.egress_violation");
    assert_eq!(event["actor_principal_id"], me["principal_id"]);
    let data = &event["data"];
    assert_eq!((&data["violation_code"], &data["tool_name"]), (&json!("network_egress_blocked"), &json!("pytest")));
    let summary = &data["summary"];
    assert_eq!(summary["attempts"], json!([attempt("connect", 1), attempt("send", 53)]), "sorted, each once");
    assert_eq!((&summary["reported"], &summary["rung"]), (&json!(true), &json!("A")));
    assert_eq!((&summary["classes"], &summary["overflow"]), (&json!({ "public": 2 }), &json!(false)));
    // The same report is the same evidence.
    let again = json!({ "tool_name": "pytest", "summary": { "attempts": [attempt("connect", 1), attempt("send", 53)], "rung": "A" } });
    let answer = agent.post("/v1/security/violations", &again).unwrap().expect(201).unwrap();
    let path = format!("/v1/events/{}", answer["event_id"].as_str().unwrap());
    let event = app.client(Role::Auditor).get(&path).unwrap().expect(200).unwrap()["event"].clone();
    assert_eq!(event["data"], *data);
    assert!(app.log_is_whole());
}

#[test]
fn nothing_but_kinds_is_taken() {
    let app = App::start();
    let mut agent = app.client(Role::Agent);
    let with = |member: &str, value: Value| {
        let mut attempt = attempt("send", 53);
        attempt[member] = value;
        json!({ "summary": { "attempts": [attempt] } })
    };
    let many: Vec<Value> = (0..33).map(|port| attempt("send", port)).collect();
    for report in [
        json!({}),
        json!({ "summary": {} }),
        json!({ "summary": { "attempts": [] } }),
        json!({ "summary": { "attempts": many } }),
        json!({ "summary": { "attempts": [attempt("send", 53)], "payload": "x" } }),
        json!({ "summary": { "attempts": [attempt("send", 53)], "rung": "C" } }),
        json!({ "summary": { "attempts": [attempt("send", 53)] }, "principal_id": "p" }),
        json!({ "summary": { "attempts": [attempt("send", 53)] }, "tool_name": "a\nb" }),
        with("op", json!("connect to evil.example")),
        with("op", json!("")),
        with("op", json!("x".repeat(41))),
        with("family", json!("10.0.0.1")),
        with("protocol", json!("TCP")),
        with("destination", json!("evil.example")),
        with("port", json!(65_536)),
        with("port", json!("53")),
        with("path", json!("/etc/passwd")),
    ] {
        let response = agent.post("/v1/security/violations", &report).unwrap();
        assert_eq!((response.status, problem(&response).unwrap().as_str()), (400, "invalid_request"), "{report}");
    }
    let of = |run: &str| json!({ "run_id": run, "summary": { "attempts": [attempt("send", 53)] } });
    let made = app.client(Role::Operator).post("/v1/runs", &json!({})).unwrap().expect(201).unwrap();
    for run in ["run_unknown", made["run_id"].as_str().unwrap()] {
        let response = agent.post("/v1/security/violations", &of(run)).unwrap();
        assert_eq!((response.status, problem(&response).unwrap().as_str()), (404, "run_not_found"), "{run}");
    }
    // The controls: its own run, and nothing about a run.
    let own = agent.post("/v1/runs", &json!({})).unwrap().expect(201).unwrap();
    agent.post("/v1/security/violations", &of(own["run_id"].as_str().unwrap())).unwrap().expect(201).unwrap();
    agent.post("/v1/security/violations", &with("port", Value::Null)).unwrap().expect(201).unwrap();
}
