//! Every route of the live document that is no read: what it writes down, or why it writes nothing.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use testkit::http::Response;

use super::Broken;
use crate::bed::{Bed, WORKSPACE};

/// Answers from what is there and writes nothing: nothing can fail to be written.
const ANSWERS: [&str; 6] = [
    "POST /v1/policies/validate",
    "POST /v1/policies/test",
    "POST /v1/policies/diff",
    "POST /v1/policies/replay",
    "POST /v1/shadow/propose",
    // Sealed, not stored.
    "POST /v1/proxy/credentials",
];

/// A request that is written down, with its id in the path where it has one.
struct Change {
    route: &'static str,
    id: String,
    body: Value,
}

/// Things that there are, made anew for each round so that each change is one.
struct Things<'a> {
    bed: &'a Bed,
    principal: String,
}

impl Things<'_> {
    fn made(&self, path: &str, body: &Value, name: &str) -> String {
        let answer = self.bed.owner().post(path, body).unwrap();
        let answer = answer.expect(201).unwrap();
        answer[name].as_str().unwrap_or_else(|| panic!("{path}: {answer}")).to_owned()
    }

    fn agent(&self) -> String {
        self.made("/v1/agents", &json!({"display_name": "a"}), "agent_id")
    }

    /// Asked for by somebody else, so that the owner may decide.
    fn approval(&self) -> String {
        let asked = self.bed.asker().post("/v1/approvals", &json!({"action": "external.write"})).unwrap();
        asked.expect(201).unwrap()["approval_id"].as_str().unwrap().to_owned()
    }

    fn decided(&self) -> String {
        let id = self.approval();
        let path = format!("/v1/approvals/{id}/decide");
        self.bed.owner().post(&path, &json!({"decision": "approve"})).unwrap().expect(200).unwrap();
        id
    }

    fn run(&self) -> String {
        self.made("/v1/runs", &json!({"title": "r"}), "run_id")
    }

    fn started(&self) -> String {
        let id = self.run();
        self.bed.owner().post(&format!("/v1/runs/{id}/start"), &json!({})).unwrap().expect(200).unwrap();
        id
    }

    /// A run with its claim token.
    fn claimed(&self) -> (String, Value) {
        // Whatever else waits is out of the way first.
        let path = "/v1/runs/claim";
        let _others = self.bed.owner().post(path, &json!({"limit": 100})).unwrap().expect(200).unwrap();
        let id = self.run();
        let claimed = self.bed.owner().post(path, &json!({})).unwrap().expect(200).unwrap();
        assert_eq!(claimed["run"]["run_id"], id.as_str(), "{claimed}");
        (id, claimed["run"]["claim_token"].clone())
    }

    fn step(&self) -> String {
        self.made(&format!("/v1/runs/{}/steps", self.started()), &json!({"kind": "k"}), "step_id")
    }

    fn tool_call(&self) -> String {
        self.made(&format!("/v1/steps/{}/toolcalls", self.step()), &json!({"tool_name": "t"}), "tool_call_id")
    }

    fn command(&self) -> String {
        let body = json!({"tool_name": "process.exec", "input": {"argv": ["true"]}});
        self.made(&format!("/v1/steps/{}/toolcalls", self.step()), &body, "tool_call_id")
    }

    fn token(&self) -> String {
        self.made("/v1/capabilities/grant", &self.grant(), "token_id")
    }

    fn grant(&self) -> Value {
        json!({"issued_to_principal_id": self.principal, "granted_by_principal_id": self.principal})
    }

    /// One request for every route that writes something down.
    fn changes(&self, round: usize) -> Vec<Change> {
        let change = |route, body| Change { route, id: String::new(), body };
        let on = |route, id, body| Change { route, id, body };
        let rules = |id: &str| json!([{"name": "r.toml", "text": format!("[[allow]]\nid = \"{id}-{round}\"\nhost = \"*\"\nport = \"*\"\n")}]);
        let (leased, claim) = self.claimed();
        let (released, token) = self.claimed();
        vec![
            change("POST /v1/egress/requests", json!({"target_url": "http://x.test/", "action": "internal.read"})),
            // Denied, for want of a token there is: an allow that is only answered is not written down.
            change("POST /v1/policy/evaluate", json!({"action": "a.b", "capability_token_id": "nothing"})),
            change(
                "POST /v1/authorize",
                json!({"category": "action", "action": "a.b", "capability_token_id": "nothing"}),
            ),
            // Data that is read for another purpose than its own, and why: let through, and written down.
            change(
                "POST /v1/data/access/requests",
                json!({"action": "data.read", "resource_type": "doc", "resource_id": "mine",
                    "purpose_tags": ["other"], "justification": "because"}),
            ),
            change(
                "POST /v1/resources/labels",
                json!({"resource_type": "doc", "resource_id": format!("{round}"), "label": "restricted"}),
            ),
            change("POST /v1/approvals", json!({"action": "external.write"})),
            on("POST /v1/approvals/{id}/decide", self.approval(), json!({"decision": "approve"})),
            on("POST /v1/approvals/{id}/revoke", self.decided(), json!({})),
            change("POST /v1/runs", json!({"title": "r"})),
            on("POST /v1/runs/{id}/complete", self.started(), json!({})),
            on("POST /v1/runs/{id}/fail", self.started(), json!({})),
            on("POST /v1/runs/{id}/cancel", self.run(), json!({})),
            on("POST /v1/runs/{id}/steps", self.started(), json!({"kind": "k"})),
            on("POST /v1/steps/{id}/toolcalls", self.step(), json!({"tool_name": "t"})),
            on("POST /v1/toolcalls/{id}/succeed", self.tool_call(), json!({})),
            on("POST /v1/toolcalls/{id}/fail", self.tool_call(), json!({})),
            on("POST /v1/toolcalls/{id}/execute", self.command(), json!({})),
            change(
                "POST /v1/security/violations",
                json!({"summary": {"attempts": [
                    {"op": "ptrace", "family": "none", "protocol": "none", "destination": "kernel", "port": null},
                ]}}),
            ),
            on("POST /v1/runs/{id}/lease/heartbeat", leased, json!({"claim_token": claim})),
            on("POST /v1/runs/{id}/lease/release", released, json!({"claim_token": token})),
            on("POST /v1/runs/{id}/start", self.run(), json!({})),
            change("POST /v1/runs/claim", json!({})),
            change("POST /v1/rooms", json!({"title": "t"})),
            change("POST /v1/principals", json!({"principal_type": "user"})),
            change(
                "POST /v1/principals/legacy/ensure",
                json!({"actor_type": "user", "actor_id": format!("new-{round}")}),
            ),
            on(
                "POST /v1/principals/{id}/revoke",
                self.made("/v1/principals", &json!({"principal_type": "user"}), "principal_id"),
                json!({}),
            ),
            change("POST /v1/agents", json!({"display_name": "a"})),
            on("POST /v1/agents/{id}/quarantine", self.agent(), json!({"quarantine_reason": "r"})),
            on("POST /v1/agents/{id}/unquarantine", self.quarantined(), json!({})),
            on("POST /v1/agents/{id}/revoke", self.agent(), json!({})),
            change("POST /v1/capabilities/grant", self.grant()),
            change("POST /v1/capabilities/revoke", json!({"token_id": self.token()})),
            on(
                "PUT /v1/action-registry/{action_type}",
                "email.send".to_owned(),
                json!({"reversible": round.is_multiple_of(2), "zone_required": "sandbox",
                    "requires_pre_approval": false, "post_review_required": false}),
            ),
            change(
                "PUT /v1/policy/mode",
                json!({"mode": if round == 0 { "shadow" } else { "enforce" }, "reason": "r"}),
            ),
            change("PUT /v1/policy/kill-switch", json!({"active": round == 0, "reason": "r"})),
            change("PUT /v1/policy/settings", json!({"egress_max_requests_per_hour": 10_000 + round})),
            change("PUT /v1/policies", json!({"files": rules("published")})),
            change("PUT /v1/policies/candidate", json!({"files": rules("candidate")})),
            change("DELETE /v1/policies/candidate", Value::Null),
            change("POST /v1/policies/rollback", json!({})),
            change("POST /v1/shadow/review", json!({"groups": ["wb_0123456789abcdef0123456789abcdef"]})),
        ]
    }

    fn quarantined(&self) -> String {
        let id = self.agent();
        let path = format!("/v1/agents/{id}/quarantine");
        self.bed.owner().post(&path, &json!({"quarantine_reason": "r"})).unwrap().expect(200).unwrap();
        id
    }
}

impl Change {
    fn send(&self, bed: &Bed) -> Response {
        let (method, path) = self.route.split_once(' ').unwrap();
        let path = match path.split_once('{') {
            Some((before, rest)) => format!("{before}{}{}", self.id, rest.split_once('}').unwrap().1),
            None => path.to_owned(),
        };
        let headers = [("content-type", "application/json"), ("if-match", "*")];
        let body = if self.body.is_null() { String::new() } else { self.body.to_string() };
        bed.owner().send(method, &path, &headers, body.as_bytes()).unwrap()
    }
}

/// What is not written down as an event, so that a store without room for events does not stop it.
const WITHOUT_EVENTS: [&str; 1] =
    // The end of a lease is a matter of the clock; the row is the queue's.
    ["POST /v1/runs/{id}/lease/heartbeat"];

/// The tables that commands write, each as text: whatever changed would show.
/// How much is in each table, but for the one of signs of life: processes that are gone leave it by themselves.
fn contents(bed: &Bed) -> String {
    let python = "import sqlite3,sys\n\
        c=sqlite3.connect(sys.argv[1],timeout=20)\n\
        skip=('sqlite_','evt_stream_heads_tmp','egress_gateways')\n\
        names=[r[0] for r in c.execute(\"SELECT name FROM sqlite_master WHERE type='table' ORDER BY name\")]\n\
        [print(n,c.execute(f'SELECT count(*) FROM \"{n}\"').fetchone()[0]) for n in names if not n.startswith(skip)]";
    let output = std::process::Command::new("python3").args(["-c", python]).arg(bed.store.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

pub(super) fn all(bed: &Bed) {
    let made = bed.owner().post("/v1/principals", &json!({"principal_type": "user"})).unwrap().expect(201).unwrap();
    let things = Things { bed, principal: made["principal_id"].as_str().unwrap().to_owned() };
    let label = json!({"resource_type": "doc", "resource_id": "mine", "label": "confidential",
        "purpose_tags": ["own"]});
    bed.owner().post("/v1/resources/labels", &label).unwrap().expect(201).unwrap();
    // Two versions, so that there is one to go back to.
    let rules = json!({"files": [{"name": "r.toml", "text": "[[allow]]\nid = \"first\"\nhost = \"*\"\n"}]});
    let headers = [("content-type", "application/json"), ("if-match", "*")];
    for path in ["/v1/policies", "/v1/policies/candidate"] {
        bed.owner().send("PUT", path, &headers, rules.to_string().as_bytes()).unwrap().expect(200).unwrap();
    }

    let changes = things.changes(0);
    let document = bed.server.client().get("/openapi.json").unwrap().expect(200).unwrap();
    let live: BTreeSet<String> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, methods)| methods.as_object().unwrap().keys().map(move |m| (m.to_uppercase(), path)))
        .filter(|(method, _)| ["POST", "PUT", "PATCH", "DELETE"].contains(&method.as_str()))
        .map(|(method, path)| format!("{method} {path}"))
        .collect();
    let known: BTreeSet<String> = changes.iter().map(|change| change.route).chain(ANSWERS).map(str::to_owned).collect();
    assert_eq!(live, known, "every route that is no read is tried");

    // What comes to rest by itself has done so.
    std::thread::sleep(std::time::Duration::from_millis(1_200));
    let before = contents(bed);
    let broken = Broken::all(bed);
    let mut cases = 0;
    for change in changes.iter().filter(|change| !WITHOUT_EVENTS.contains(&change.route)) {
        let answer = change.send(bed);
        let problem = answer.json().unwrap_or_default();
        assert!(matches!(answer.status, 500 | 503), "{}: {} {}", change.route, answer.status, answer.text());
        assert_eq!(problem["error"], "event_log_failure", "{}", change.route);
        assert!(!answer.text().contains("disk on fire"), "{} shows the inside", change.route);
        cases += 1;
    }
    std::thread::sleep(std::time::Duration::from_millis(1_200));
    assert_eq!(contents(bed), before, "nothing has changed");
    // Those that are said to write no event indeed do not.
    for change in changes.iter().filter(|change| WITHOUT_EVENTS.contains(&change.route)) {
        let answer = change.send(bed);
        assert!(answer.status < 300, "{} writes an event: {}", change.route, answer.text());
    }
    drop(broken);
    for change in changes.iter().filter(|change| !WITHOUT_EVENTS.contains(&change.route)) {
        let answer = change.send(bed);
        assert!(answer.status < 300, "the control: {} {}: {}", change.route, answer.status, answer.text());
    }
    assert_ne!(contents(bed), before, "the control changes something");
    println!("event-log-fail-closed: {cases} routes of {WORKSPACE}, {} that write no event", WITHOUT_EVENTS.len());
}
