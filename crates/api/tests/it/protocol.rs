//! HTTP manners: problems, bodies, negotiation, request ids, HEAD, health, shutdown.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use model::Role;
use serde_json::json;

use crate::app::{App, problem};

#[test]
fn bodies_are_strict_json_objects_of_at_most_1_mib() {
    let app = App::start();
    let mut client = app.client(Role::Owner);
    let huge = format!("{{\"title\":\"{}\"}}", "a".repeat(1 << 20));
    let deep = format!("{}{}", "{\"a\":".repeat(100), "1");
    for (name, kind, body, status, code, field) in [
        ("good", "application/json", r#"{"title":"t"}"#, 201, "", None),
        ("good with charset", "application/json; charset=utf-8", r#"{"title":"t"}"#, 201, "", None),
        ("good +json", "application/merge-patch+json", r#"{"title":"t"}"#, 201, "", None),
        ("no type", "", r#"{"title":"t"}"#, 415, "unsupported_media_type", None),
        ("text", "text/plain", r#"{"title":"t"}"#, 415, "unsupported_media_type", None),
        ("form", "application/x-www-form-urlencoded", "title=t", 415, "unsupported_media_type", None),
        ("too large", "application/json", huge.as_str(), 413, "payload_too_large", None),
        ("empty", "application/json", "", 400, "invalid_request", Some("")),
        ("not JSON", "application/json", "{", 400, "invalid_request", Some("")),
        ("trailing", "application/json", r#"{"title":"t"} x"#, 400, "invalid_request", Some("")),
        ("array", "application/json", r#"["t"]"#, 400, "invalid_request", Some("")),
        ("null", "application/json", "null", 400, "invalid_request", Some("")),
        ("wrong type", "application/json", r#"{"title":1}"#, 400, "invalid_request", Some("/title")),
        ("twice", "application/json", r#"{"title":"t","title":"u"}"#, 400, "invalid_request", Some("/title")),
        ("NUL", "application/json", r#"{"title":"a\u0000b"}"#, 400, "invalid_request", Some("/title")),
        ("lone surrogate", "application/json", r#"{"title":"\ud800"}"#, 400, "invalid_request", None),
        ("too deep", "application/json", deep.as_str(), 400, "invalid_request", None),
        (
            "inexact number",
            "application/json",
            r#"{"title":"t","x":9007199254740993}"#,
            400,
            "invalid_request",
            Some("/x"),
        ),
    ] {
        let headers: Vec<(&str, &str)> = if kind.is_empty() { vec![] } else { vec![("content-type", kind)] };
        let response = client.send("POST", "/v1/rooms", &headers, body.as_bytes()).unwrap();
        assert_eq!(response.status, status, "{name}: {}", response.text());
        if status >= 400 {
            assert_eq!(problem(&response).unwrap(), code, "{name}");
            if let Some(field) = field {
                assert_eq!(response.json().unwrap()["field"], field, "{name}");
            }
        }
    }
    let response =
        client.send("POST", "/v1/rooms", &[("content-type", "application/json")], b"{\"title\":\"\xff\"}").unwrap();
    assert_eq!(response.status, 400);
}

#[test]
fn an_optional_body_may_be_missing() {
    let app = App::start();
    let mut client = app.client(Role::Owner);
    let agent = client.post("/v1/agents", &json!({ "display_name": "a" })).unwrap().expect(201).unwrap();
    let path = format!("/v1/agents/{}/quarantine", agent["agent_id"].as_str().unwrap());
    assert_eq!(client.send("POST", &path, &[], b"").unwrap().status, 200);
    assert_eq!(client.send("POST", &path, &[("content-type", "application/json")], b"{}").unwrap().status, 200);
    assert_eq!(client.send("POST", &path, &[("content-type", "application/json")], b"{").unwrap().status, 400);
}

#[test]
fn request_ids_come_back_and_are_made() {
    let app = App::start();
    let mut client = app.client(Role::Owner);
    for (given, kept) in [("mine-1", true), ("", false), ("with space", false), (&"x".repeat(129), false)] {
        let response = client.send("GET", "/v1/whoami", &[("x-request-id", given)], b"").unwrap();
        let id = response.header("x-request-id").unwrap();
        assert_eq!(id == given, kept, "{given}");
        assert!(!id.is_empty());
    }
    let refused = app.stranger().send("GET", "/v1/whoami", &[("x-request-id", "mine-2")], b"").unwrap();
    assert_eq!((refused.header("x-request-id"), refused.status), (Some("mine-2"), 401));
    assert_eq!(refused.json().unwrap()["request_id"], "mine-2");
}

#[test]
fn answers_are_json_unless_that_is_refused() {
    let app = App::start();
    let mut client = app.client(Role::Owner);
    for (accept, status) in [("*/*", 200), ("application/json", 200), ("text/html", 406), ("application/json;q=0", 406)]
    {
        let response = client.send("GET", "/v1/rooms", &[("accept", accept)], b"").unwrap();
        assert_eq!(response.status, status, "{accept}");
    }
    assert_eq!(client.send("GET", "/metrics", &[("accept", "text/plain")], b"").unwrap().status, 200);
    let head = client.send("HEAD", "/v1/rooms", &[], b"").unwrap();
    assert_eq!((head.status, head.body.len()), (200, 0));
}

#[test]
fn lists_page_by_opaque_cursors() {
    let app = App::start();
    let mut client = app.client(Role::Owner);
    let made: Vec<String> = (0..5)
        .map(|n| client.post("/v1/rooms", &json!({ "title": n.to_string() })).unwrap().expect(201).unwrap())
        .map(|room| room["room_id"].as_str().unwrap().to_owned())
        .collect();
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("/v1/rooms?limit=2&cursor={cursor}")).unwrap().expect(200).unwrap();
        let rooms = page["rooms"].as_array().unwrap();
        assert!(rooms.len() <= 2);
        seen.extend(rooms.iter().map(|room| room["room_id"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    seen.sort();
    let mut all = made;
    all.sort();
    assert_eq!(seen, all);
    for bad in ["limit=0", "limit=-1", "limit=1.5", "limit=x", "limit=1&limit=2", "cursor=x", "cursor=AAAA"] {
        let response = client.get(&format!("/v1/rooms?{bad}")).unwrap();
        assert_eq!((response.status, problem(&response).unwrap().as_str()), (400, "invalid_request"), "{bad}");
    }
    // A cursor of one list is none of another.
    let page = client.get("/v1/rooms?limit=1").unwrap().json().unwrap();
    let cursor = page["next_cursor"].as_str().unwrap();
    assert_eq!(client.get(&format!("/v1/agents?cursor={cursor}")).unwrap().status, 400);
}

#[test]
fn health_tells_and_closing_is_not_ready() {
    let mut app = App::start();
    let mut client = app.stranger();
    assert_eq!(client.get("/livez").unwrap().text(), "ok\n");
    let ready = client.get("/readyz").unwrap().expect(200).unwrap();
    let policies = json!({ "ok": true, "unreadable_sets": 0, "problems": [] });
    let all_ok = json!({ "ready": true, "store": "ok", "recorder": "ok", "recorder_waiting": 0, "server": "ok", "policies": policies });
    assert_eq!(ready, all_ok);
    let version = client.get("/version").unwrap().expect(200).unwrap();
    assert_eq!(version, json!({ "name": "exeat", "version": "0.0.0-test", "commit": null }));
    app.api.close();
    assert_eq!(client.get("/readyz").unwrap().expect(503).unwrap()["server"], "closing");
    app.stop();
}

#[test]
fn a_request_in_flight_is_answered_before_the_server_ends() {
    let mut app = App::start();
    let key = app.secret(Role::Owner);
    let mut socket = TcpStream::connect(app.address).unwrap();
    let head = format!(
        "POST /v1/rooms HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n\
         content-length: 13\r\n\r\n{{\"title\""
    );
    socket.write_all(head.as_bytes()).unwrap();
    let address = app.address;
    let rest = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        // Nothing new is taken while the old is waited for.
        let refused = TcpStream::connect(address).is_err();
        socket.write_all(b":\"t\"}").unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        (refused, answer)
    });
    std::thread::sleep(Duration::from_millis(100));
    app.stop();
    let (refused, answer) = rest.join().unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    assert!(refused);
}

#[test]
fn metrics_are_for_those_who_read_everything() {
    let app = App::start();
    assert_eq!(app.client(Role::Auditor).get("/metrics").unwrap().status, 200);
    assert_eq!(app.client(Role::Gateway).get("/metrics").unwrap().status, 403);
}
