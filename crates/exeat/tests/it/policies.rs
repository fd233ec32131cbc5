//! A folder of policies: what lies there holds, what is bad does not, and both are told.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::TempStore;
use testkit::exeat::Setup;
use testkit::http::Client;

fn until(what: &str, mut look: impl FnMut() -> bool) {
    let started = Instant::now();
    while !look() {
        assert!(started.elapsed() < Duration::from_secs(60), "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn rule(effect: &str, host: &str) -> String {
    format!("[[{effect}]]\nid = \"r\"\nhost = \"{host}\"\n")
}

fn decided(client: &mut Client, host: &str) -> Value {
    let context = json!({"egress": {"target_url": format!("https://{host}/"), "method": "GET"}});
    let asked = json!({"category": "egress", "action": "internal.read", "context": context});
    client.post("/v1/authorize", &asked).unwrap().expect(200).unwrap()["decision"].clone()
}

#[test]
fn a_folder_is_watched() {
    let (store, dir) = (TempStore::create().unwrap(), tempfile::tempdir().unwrap());
    let file = dir.path().join("team.toml");
    fs::write(&file, rule("deny", "a.test")).unwrap();
    let setup = Setup::with_binary(env!("CARGO_BIN_EXE_exeat").into(), &store.url())
        .unwrap()
        .env("POLICY_ENFORCEMENT_MODE", "enforce")
        .env("EXEAT_POLICIES", dir.path().to_str().unwrap())
        .env("EXEAT_POLICIES_WORKSPACE", "ws_test");
    let process = setup.start().unwrap();
    let key = setup.key("owner", Some("ws_test")).unwrap();
    let mut client = process.client().bearer(&key);
    // It holds before the first request is answered.
    assert_eq!(decided(&mut client, "a.test"), "deny");
    assert_eq!(decided(&mut client, "b.test"), "allow", "the control");
    fs::write(&file, rule("deny", "b.test")).unwrap();
    until("the new rules hold", || decided(&mut client, "b.test") == "deny");
    let version = |client: &mut Client| {
        let answer = client.get("/v1/policies").unwrap().expect(200).unwrap()["policy_set"].clone();
        (answer["version"].clone(), answer["source"].clone(), answer["folder"]["ok"].clone())
    };
    assert_eq!(version(&mut client), (json!(2), json!("folder"), json!(true)));
    // A bad file keeps what holds, and is told.
    fs::write(&file, "[[deny]]\nid = \"r\"\nhots = \"c.test\"\n").unwrap();
    let ready = |client: &mut Client| client.get("/readyz").unwrap().expect(200).unwrap()["policies"].clone();
    until("the bad file is told", || ready(&mut client)["ok"] == false);
    assert_eq!(ready(&mut client)["problems"], json!([{"file": "team.toml", "line": 3, "column": 1}]));
    assert_eq!(decided(&mut client, "b.test"), "deny");
    let metrics = client.get("/metrics").unwrap().text().to_owned();
    assert!(metrics.contains("exeat_policy_folder_ok 0") && metrics.contains("exeat_policy_folder_version 2"));
    // Others edit the folder.
    let put = json!({"files": []}).to_string();
    let headers = [("content-type", "application/json"), ("if-match", "*")];
    let refused = client.send("PUT", "/v1/policies", &headers, put.as_bytes()).unwrap();
    assert_eq!((refused.status, refused.json().unwrap()["error"].clone()), (409, json!("policy_set_managed")));
    fs::write(&file, rule("ask", "b.test")).unwrap();
    until("the good file holds", || decided(&mut client, "b.test") == "require_approval");
    assert_eq!(ready(&mut client), json!({"ok": true, "unreadable_sets": 0, "problems": []}));
    // The same folder again makes no new version.
    process.sigterm().unwrap();
    let process = setup.start().unwrap();
    let mut client = process.client().bearer(&key);
    assert_eq!(version(&mut client), (json!(3), json!("folder"), json!(true)));
}
