//! A capability token as the credential of a request.

use model::capability::{Bearer, Caveat};
use model::{Role, RunId, Zone};
use serde_json::{Value, json};
use testkit::http::Client;

use crate::app::{App, OTHER, WORKSPACE, problem};

fn ask(client: &mut Client, body: &Value) -> Value {
    let response = client.post("/v1/egress/requests", body).unwrap();
    assert_eq!(response.status, 201, "{}", response.text());
    response.json().unwrap()
}

fn narrow(token: &str, caveat: &Caveat) -> String {
    Bearer::parse(token).unwrap().attenuate(caveat).unwrap()
}

#[test]
fn a_token_lets_in_as_an_agent_and_only_there() {
    let app = App::start();
    let granted = app.token(None, None);
    let mut client = app.stranger().bearer(&granted.token);
    let who = client.get("/v1/whoami").unwrap().json().unwrap();
    assert_eq!((who["role"].as_str(), who["workspace_id"].as_str()), (Some("agent"), Some(WORKSPACE)));
    assert_eq!(who["capability_token_id"], granted.token_id.as_str());
    assert_eq!(who.get("caveats"), None);
    let answer = ask(&mut client, &json!({"target_url": "https://example.com/", "action": "internal.read"}));
    assert_eq!(answer["decision"], "allow");
    // What it asked it may read; what an agent may not it may not.
    let id = answer["egress_request_id"].as_str().unwrap();
    assert_eq!(client.get(&format!("/v1/egress/requests/{id}")).unwrap().status, 200);
    for path in ["/v1/events", "/v1/capabilities", "/v1/policy/mode"] {
        assert_eq!(client.get(path).unwrap().status, 403, "{path}");
    }
    let elsewhere = client.send("GET", "/v1/whoami", &[("x-workspace-id", OTHER)], b"").unwrap();
    assert_eq!((elsewhere.status, problem(&elsewhere).unwrap().as_str()), (403, "forbidden"));
}

#[test]
fn a_narrowed_token_has_what_its_caveats_leave() {
    let app = App::start();
    let granted = app.token(None, None);
    let hosts = Caveat { egress_domains: Some(["*.example.com".to_owned()].into()), ..Caveat::default() };
    let low = Caveat { zone: Some(Zone::Sandbox), uses: Some(1), ..Caveat::default() };
    let mut client = app.stranger().bearer(&narrow(&narrow(&granted.token, &hosts), &low));
    let who = client.get("/v1/whoami").unwrap().json().unwrap();
    assert_eq!(who["caveats"], json!([{"egress_domains": ["*.example.com"]}, {"uses": 1, "zone": "sandbox"}]));
    let to = |host: &str| json!({"target_url": format!("https://{host}/"), "action": "internal.read"});
    assert_eq!(ask(&mut client, &to("example.org"))["reason_code"], "capability_scope_domain_not_allowed");
    assert_eq!(ask(&mut client, &to("api.example.com"))["decision"], "allow");
    assert_eq!(ask(&mut client, &to("api.example.com"))["reason_code"], "capability_uses_exhausted");
    // The whole token has lost nothing.
    assert_eq!(ask(&mut app.stranger().bearer(&granted.token), &to("example.org"))["decision"], "allow");
}

#[test]
fn a_token_makes_runs_only_in_its_own_name() {
    let app = App::start();
    let granted = app.token(None, None);
    let mut whole = app.stranger().bearer(&granted.token);
    let named = json!({"input": {"runtime": {"policy": {"capability_token_id": granted.token_id}}}});
    assert_eq!(whole.post("/v1/runs", &named).unwrap().status, 201);
    let other = app.token(None, None).token_id;
    for body in [json!({}), json!({"input": {"runtime": {"policy": {"capability_token_id": other}}}})] {
        let refused = whole.post("/v1/runs", &body).unwrap();
        assert_eq!((refused.status, problem(&refused).unwrap().as_str()), (403, "identity_not_permitted"), "{body}");
    }
    let in_run = Caveat { run: Some(RunId::new()), ..Caveat::default() };
    let mut narrowed = app.stranger().bearer(&narrow(&granted.token, &in_run));
    let refused = narrowed.post("/v1/runs", &named).unwrap();
    assert_eq!((refused.status, problem(&refused).unwrap().as_str()), (403, "forbidden"));
}

#[test]
fn a_run_caveat_is_good_in_that_run_only() {
    let app = App::start();
    let granted = app.token(None, None);
    let mut operator = app.client(Role::Operator);
    let run = |client: &mut Client| client.post("/v1/runs", &json!({})).unwrap().json().unwrap()["run_id"].clone();
    let (mine, other) = (run(&mut operator), run(&mut operator));
    let caveat = Caveat { run: Some(RunId::parse(mine.as_str().unwrap()).unwrap()), ..Caveat::default() };
    let mut client = app.stranger().bearer(&narrow(&granted.token, &caveat));
    for (run, reason) in [
        (mine, "default_allow"),
        (other, "capability_caveat_run_mismatch"),
        (Value::Null, "capability_caveat_run_mismatch"),
    ] {
        let body = json!({"target_url": "https://example.com/", "action": "internal.read", "run_id": run});
        assert_eq!(ask(&mut client, &body)["reason_code"], reason, "{run}");
    }
}
