use std::net::TcpListener;

use serde_json::{Value, json};

use crate::fake::Fake;
use crate::program::{against, exeat, exeat_with};

/// The error object that `--json` leaves as the last line of standard error.
fn told(stderr: &str) -> Value {
    serde_json::from_str(stderr.lines().last().unwrap()).unwrap()
}

#[test]
fn every_status_has_its_exit_code_and_leaves_standard_output_alone() {
    for (status, exit) in [(400, 2), (401, 5), (403, 5), (404, 6), (409, 7), (429, 1), (500, 1), (503, 1)] {
        let body = json!({ "title": "Refused", "status": status, "detail": "because", "error": "some_code", "request_id": "req_9" }).to_string();
        let fake = Fake::always(status, "application/problem+json", &body);
        let ran = against(&fake, &["approvals", "list"]).exits(exit);
        assert!(
            ran.stdout.is_empty() && ran.stderr.starts_with("error: Refused") && ran.stderr.contains("req_9"),
            "{ran:?}"
        );
        let ran = against(&fake, &["approvals", "list", "--json"]).exits(exit);
        assert_eq!(ran.stdout, "");
        let error = told(&ran.stderr);
        assert_eq!(
            (&error["error"], &error["detail"], &error["exit_code"]),
            (&json!("some_code"), &json!("because"), &json!(exit))
        );
    }
}

#[test]
fn without_a_key_it_says_how_to_get_one() {
    let fake = Fake::always(
        401,
        "application/problem+json",
        r#"{"title":"Authentication required","error":"authentication_required"}"#,
    );
    let ran = exeat_with(&[("EXEAT_URL", &fake.url)], &["agents", "list"]).exits(5);
    assert!(ran.stderr.contains("no key was found") && ran.stderr.contains("exeat keys create"), "{ran:?}");
    assert!(!fake.asked()[0].headers.contains_key("authorization"));
    let ran = against(&fake, &["agents", "list"]).exits(5);
    assert!(ran.stderr.contains("the key was refused") && !ran.stderr.contains("exk_test_secret"), "{ran:?}");
}

#[test]
fn sends_key_workspace_and_request_id() {
    let fake = Fake::new(&[("GET /v1/rooms", 200, json!({ "rooms": [] }))]);
    let ran = against(&fake, &["rooms", "list", "--workspace", "ws_a"]).exits(0);
    assert!(ran.stdout.is_empty() && ran.stderr.contains("no rooms"), "{ran:?}");
    let headers = fake.only("GET /v1/rooms").headers;
    assert_eq!(
        (headers["authorization"].as_str(), headers["x-workspace-id"].as_str()),
        ("Bearer exk_test_secret", "ws_a")
    );
    assert!(headers["x-request-id"].starts_with("cli_"));
    assert!(!headers.contains_key("idempotency-key"));
}

#[test]
fn a_server_that_is_not_there_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let ran = exeat_with(&[("EXEAT_URL", &url)], &["status"]).exits(8);
    assert!(ran.stderr.contains(&url) && ran.stderr.contains("exeat dev"), "{ran:?}");
    exeat_with(&[("EXEAT_URL", &url)], &["egress", "tail"]).exits(8);
}

#[test]
fn a_server_that_keeps_silent_is_unreachable_after_the_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let ran = exeat(&["rooms", "list", "--server", &url, "--timeout", "200ms"]).exits(8);
    assert!(ran.stderr.contains("no answer within"), "{ran:?}");
}

#[test]
fn something_else_on_the_port_is_told_apart() {
    let fake = Fake::always(200, "text/html", "<html>hello</html>");
    let ran = against(&fake, &["rooms", "list"]).exits(1);
    assert!(ran.stderr.contains("not JSON"), "{ran:?}");
}

#[test]
fn bad_usage_says_what_was_meant() {
    let cases: [(&[&str], &str); 8] = [
        (&["aprovals", "list"], "no command `aprovals`\n  next: did you mean `approvals`?"),
        (&["approvals", "lst"], "did you mean `list`?"),
        (&["approvals", "list", "--stats", "x"], "did you mean `--status`?"),
        (&["approvals", "list", "--status", "pendin"], "did you mean `pending`?"),
        (&["approvals", "approve"], "error: the following required arguments were not provided: <ID>"),
        (&["approvals", "approve", "x", "--for", "10"], "expected a span"),
        (&["rooms", "list", "--limit", "0"], "--limit"),
        (&["rooms", "list", "--server", "ftp://x"], "flag --server"),
    ];
    for (words, text) in cases {
        let ran = exeat(words).exits(2);
        assert!(ran.stdout.is_empty() && ran.stderr.contains(text), "{words:?}: {ran:?}");
    }
    let ran = exeat(&["aprovals", "--json"]).exits(2);
    assert_eq!(told(&ran.stderr)["error"], "usage");
}

#[test]
fn a_key_is_never_taken_from_a_flag() {
    for flag in ["--key", "--token", "--api-key"] {
        exeat(&["rooms", "list", flag, "exk_x"]).exits(2);
    }
}

#[test]
fn colour_is_only_where_it_is_wanted() {
    let fake = Fake::new(&[("GET /v1/rooms", 200, json!({ "rooms": [{ "room_id": "room_1" }] }))]);
    let coloured = |variables: &[(&str, &str)], words: &[&str]| {
        let variables = [&[("EXEAT_URL", fake.url.as_str())], variables].concat();
        exeat_with(&variables, &[&["rooms", "list"], words].concat()).exits(0).stdout.contains('\u{1b}')
    };
    assert!(!coloured(&[], &[]));
    assert!(coloured(&[], &["--color", "always"]));
    assert!(coloured(&[("FORCE_COLOR", "1")], &[]));
    assert!(!coloured(&[("FORCE_COLOR", "1"), ("NO_COLOR", "1")], &[]));
    assert!(!coloured(&[("FORCE_COLOR", "1")], &["--color", "never"]));
    assert!(!coloured(&[("FORCE_COLOR", "1")], &["--json"]));
}
