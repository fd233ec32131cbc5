//! The rules people write, over HTTP.

use model::Role;
use serde_json::{Value, json};
use testkit::http::{Client, Response};

use crate::app::{App, problem};

fn files(text: &str) -> Value {
    json!({"files": [{"name": "main.toml", "text": text}]})
}

fn put(client: &mut Client, if_match: Option<&str>, body: &Value) -> Response {
    let mut headers = vec![("content-type", "application/json")];
    headers.extend(if_match.map(|tag| ("if-match", tag)));
    client.send("PUT", "/v1/policies", &headers, body.to_string().as_bytes()).unwrap()
}

const DENY: &str = "[[deny]]\nid = \"no-a\"\nhost = \"a.test\"\nreason = \"not there\"\n";

#[test]
fn a_set_lives_from_its_first_version_to_its_rollback() {
    let app = App::start();
    let mut client = app.client(Role::Operator);
    let empty = client.get("/v1/policies").unwrap();
    assert_eq!((empty.status, empty.header("etag")), (200, Some("\"0\"")));
    let first = put(&mut client, None, &files(DENY));
    assert_eq!((first.status, first.header("etag")), (200, Some("\"1\"")), "{}", first.text());
    let published = first.json().unwrap()["policy_set"].clone();
    assert_eq!(
        (&published["version"], &published["rules"], &published["unchanged"]),
        (&json!(1), &json!(1), &json!(false))
    );
    let other = files("[[ask]]\nid = \"a\"\nhost = \"a.test\"\n");
    let missing = put(&mut client, None, &other);
    assert_eq!((missing.status, problem(&missing).unwrap().as_str()), (428, "precondition_required"));
    let stale = put(&mut client, Some("\"0\""), &other);
    assert_eq!((stale.status, problem(&stale).unwrap().as_str()), (412, "policy_version_mismatch"));
    assert_eq!(stale.json().unwrap()["version"], 1);
    for bad in ["W/\"1\"", "\"one\"", "1, 2", ""] {
        assert_eq!(put(&mut client, Some(bad), &other).status, 400, "{bad}");
    }
    assert_eq!(put(&mut client, Some("\"1\""), &other).status, 200);
    let bad = put(&mut client, Some("2"), &files("[[deny]]\nid = \"a\"\nhots = \"a.test\"\n"));
    assert_eq!((bad.status, problem(&bad).unwrap().as_str()), (422, "invalid_policy"));
    let told = &bad.json().unwrap()["problems"][0];
    assert_eq!((&told["file"], &told["line"]), (&json!("main.toml"), &json!(3)), "{told}");
    assert!(told["hint"].as_str().is_some_and(|hint| hint.contains("host")), "{told}");
    let back = client.post("/v1/policies/rollback", &json!({"reason": "oops"})).unwrap().expect(200).unwrap();
    assert_eq!((&back["policy_set"]["version"], &back["policy_set"]["restores"]), (&json!(3), &json!(1)));
    let now = client.get("/v1/policies").unwrap().expect(200).unwrap();
    assert_eq!(now["policy_set"]["files"][0]["text"], DENY);
    let listed = client.get("/v1/policies/versions?limit=2").unwrap().expect(200).unwrap();
    assert_eq!(listed["versions"][0]["version"], 3);
    let cursor = listed["next_cursor"].as_str().unwrap();
    let rest = client.get(&format!("/v1/policies/versions?limit=2&cursor={cursor}")).unwrap().expect(200).unwrap();
    assert_eq!((&rest["versions"][0]["version"], &rest["next_cursor"]), (&json!(1), &Value::Null));
    let second = client.get("/v1/policies/versions/2").unwrap().expect(200).unwrap();
    assert_eq!(second["version"]["files"][0]["name"], "main.toml");
    for unknown in ["9", "x", "-1"] {
        assert_eq!(client.get(&format!("/v1/policies/versions/{unknown}")).unwrap().status, 404);
    }
}

#[test]
fn whoever_reads_may_try_things_out_and_change_nothing() {
    let app = App::start();
    let (mut auditor, mut operator) = (app.client(Role::Auditor), app.client(Role::Operator));
    put(&mut operator, None, &files(DENY)).expect(200).unwrap();
    let good = auditor.post("/v1/policies/validate", &files(DENY)).unwrap().expect(200).unwrap();
    assert_eq!((&good["validation"]["valid"], &good["validation"]["rules"]), (&json!(true), &json!(1)));
    let bad = auditor.post("/v1/policies/validate", &files("x")).unwrap().expect(200).unwrap();
    assert_eq!(bad["validation"]["valid"], false);
    assert_eq!(bad["validation"]["problems"][0]["line"], 1);
    let case = "[[case]]\nname = \"a\"\nask = { url = \"https://a.test\" }\nexpect = \"allow\"\n";
    let tested = json!({"files": [{"name": "main.toml", "text": DENY}, {"name": "main.test.toml", "text": case}]});
    let report = auditor.post("/v1/policies/test", &tested).unwrap().expect(200).unwrap();
    assert_eq!((&report["report"]["passed"], &report["report"]["failed"]), (&json!(0), &json!(1)));
    assert_eq!(report["report"]["results"][0]["rules"], json!(["no-a"]));
    assert_eq!(auditor.post("/v1/policies/test", &json!({})).unwrap().status, 200);
    let diff = auditor.post("/v1/policies/diff", &files("")).unwrap().expect(200).unwrap();
    assert_eq!(diff["diff"]["same"], false);
    assert!(diff["diff"]["regions"][0]["statement"].is_string(), "{diff}");
    assert_eq!(put(&mut auditor, Some("*"), &files("")).status, 403);
    let failing = put(&mut operator, Some("*"), &tested);
    assert_eq!((failing.status, problem(&failing).unwrap().as_str()), (422, "policy_tests_failed"));
    assert_eq!(failing.json().unwrap()["results"][0]["name"], "a");
}

#[test]
fn policies_may_be_large_and_nothing_else() {
    let app = App::start();
    let mut client = app.client(Role::Operator);
    let comment = format!("# {}\n", "x".repeat(98)).repeat(30_000);
    assert!(comment.len() > 2 << 20);
    assert_eq!(put(&mut client, None, &files(&comment)).status, 200);
    assert_eq!(client.post("/v1/rooms", &json!({"title": "t", "topic": comment})).unwrap().status, 413);
    let huge = files(&"#".repeat(13 << 20));
    let refused = put(&mut client, Some("*"), &huge);
    assert_eq!(refused.status, 413);
    assert!(refused.text().contains("12 MiB"), "{}", refused.text());
}

#[test]
fn a_candidate_and_why_are_told() {
    let app = App::start();
    let mut client = app.client(Role::Operator);
    put(&mut client, None, &files(DENY)).expect(200).unwrap();
    let json_type = [("content-type", "application/json")];
    let tried = files("[[allow]]\nid = \"a\"\nhost = \"a.test\"\n").to_string();
    let set = client.send("PUT", "/v1/policies/candidate", &json_type, tried.as_bytes()).unwrap().expect(200).unwrap();
    assert_eq!((&set["candidate"]["candidate_version"], &set["candidate"]["rules"]), (&json!(1), &json!(1)));
    let asked = json!({"target_url": "https://a.test/x", "action": "internal.read", "method": "GET"});
    let answer = client.post("/v1/egress/requests", &asked).unwrap().expect(201).unwrap();
    let id = answer["egress_request_id"].as_str().unwrap();
    let why = client.get(&format!("/v1/decisions/{id}")).unwrap().expect(200).unwrap()["decision"].clone();
    assert_eq!(
        (&why["decision"], &why["policy_version"], &why["rules"]),
        (&json!("deny"), &json!(1), &json!(["no-a"]))
    );
    assert_eq!(
        why["determined_by"],
        json!([{"id": "no-a", "effect": "deny", "reason": "not there", "file": "main.toml", "line": 1}])
    );
    assert_eq!(why["candidate"], json!({"outcome": "allow", "reason_code": "policy_allows", "rules": ["a"]}));
    assert_eq!((&why["facts"], &why["nearest"]), (&json!("kept"), &Value::Null));
    let cleared = client.send("DELETE", "/v1/policies/candidate", &[], b"").unwrap().expect(200).unwrap();
    assert_eq!(cleared, json!({"ok": true}));
    let ready = app.stranger().get("/readyz").unwrap().expect(200).unwrap();
    assert_eq!(ready["policies"], json!({"ok": true, "unreadable_sets": 0, "problems": []}));
}
