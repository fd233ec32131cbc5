//! The first answer again.

use model::Role;
use serde_json::json;

use crate::app::{App, problem};

#[test]
fn the_same_request_gives_the_first_answer_again() {
    let app = App::start();
    let mut client = app.client(Role::Owner);
    let json = "application/json";
    let mut post = |key: &str, path: &str, body: &str| {
        client.send("POST", path, &[("content-type", json), ("idempotency-key", key)], body.as_bytes()).unwrap()
    };
    let first = post("k1", "/v1/rooms", r#"{"title":"t"}"#);
    assert_eq!((first.status, first.header("idempotency-replayed")), (201, None));
    let again = post("k1", "/v1/rooms", r#"{"title":"t"}"#);
    assert_eq!((again.status, again.header("idempotency-replayed")), (201, Some("true")));
    assert_eq!(first.json().unwrap(), again.json().unwrap());
    let other = post("k1", "/v1/rooms", r#"{"title":"u"}"#);
    assert_eq!((other.status, problem(&other).unwrap().as_str()), (409, "idempotency_key_reused"));
    // Another route and another key of the caller are another request.
    assert_eq!(post("k1", "/v1/agents", r#"{"display_name":"t"}"#).status, 201);
    for bad in ["", "with space", &"x".repeat(256)] {
        let response = post(bad, "/v1/rooms", r#"{"title":"t"}"#);
        assert_eq!((response.status, problem(&response).unwrap().as_str()), (400, "invalid_request"), "{bad}");
    }
    let mut somebody = app.client(Role::Owner);
    let headers = [("content-type", json), ("idempotency-key", "k1")];
    let theirs = somebody.send("POST", "/v1/rooms", &headers, br#"{"title":"t"}"#).unwrap();
    assert_eq!((theirs.status, theirs.header("idempotency-replayed")), (201, None));
    let rooms = client.get("/v1/rooms").unwrap().json().unwrap();
    assert_eq!(rooms["rooms"].as_array().unwrap().len(), 2);
    assert_eq!(rooms["next_cursor"], json!(null));
}
