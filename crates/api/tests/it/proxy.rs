//! What the API has to do with the proxy: credentials for it, and asks for tunnels.

use model::Role;
use serde_json::{Value, json};

use crate::app::{App, problem};

#[test]
fn a_credential_is_for_the_proxy_and_nothing_else() {
    let app = App::start();
    let mut gateway = app.client(Role::Gateway);
    let made = gateway.post("/v1/proxy/credentials", &json!({"expires_in_s": 600})).unwrap().expect(201).unwrap();
    let text = made["credential"].as_str().unwrap();
    assert!(text.starts_with("exp1."));
    assert!(model::Time::parse(made["expires_at"].as_str().unwrap()).is_ok());
    let who = gateway.get("/v1/whoami").unwrap().json().unwrap();
    assert_eq!((&made["principal_id"], made.get("run_id")), (&who["principal_id"], None));
    // The control: a good credential of another kind is let in.
    assert_eq!(app.stranger().bearer(&app.token(None, None).token).get("/v1/whoami").unwrap().status, 200);
    for path in ["/v1/whoami", "/v1/egress/requests", "/v1/reason-codes"] {
        let refused = app.stranger().bearer(text).get(path).unwrap();
        assert_eq!((refused.status, problem(&refused).unwrap().as_str()), (401, "authentication_required"), "{path}");
    }
    let again = app.stranger().bearer(text).post("/v1/proxy/credentials", &json!({})).unwrap();
    assert_eq!(again.status, 401);
}

#[test]
fn a_credential_is_never_given_again() {
    let app = App::start();
    let mut gateway = app.client(Role::Gateway);
    let mut post = |body: &str| {
        let headers = [("content-type", "application/json"), ("idempotency-key", "k1")];
        gateway.send("POST", "/v1/proxy/credentials", &headers, body.as_bytes()).unwrap()
    };
    let (one, two) = (post(r#"{"expires_in_s": 600}"#), post(r#"{"expires_in_s": 601}"#));
    assert_eq!((one.status, two.status), (201, 201));
    assert_eq!((one.header("idempotency-replayed"), two.header("idempotency-replayed")), (None, None));
    assert_ne!(one.json().unwrap()["credential"], two.json().unwrap()["credential"]);
}

#[test]
fn refuses_what_is_no_credential_to_make() {
    let app = App::start();
    let mut agent = app.client(Role::Agent);
    let mut gateway = app.client(Role::Gateway);
    for (body, status, code) in [
        (json!({"expires_in_s": 0}), 400, "invalid_request"),
        (json!({"expires_in_s": 86_401}), 400, "invalid_request"),
        (json!({"expires_in_s": "600"}), 400, "invalid_request"),
        (json!({"principal_id": "nobody"}), 404, "principal_not_found"),
        (json!({"run_id": "run_none"}), 404, "run_not_found"),
        (json!({"step_id": "step_none"}), 404, "step_not_found"),
    ] {
        let refused = gateway.post("/v1/proxy/credentials", &body).unwrap();
        assert_eq!((refused.status, problem(&refused).unwrap().as_str()), (status, code), "{body}");
    }
    let other = gateway.get("/v1/whoami").unwrap().json().unwrap()["principal_id"].clone();
    for body in [json!({"principal_id": other}), json!({"run_id": "run_none"})] {
        let refused = agent.post("/v1/proxy/credentials", &body).unwrap();
        assert_eq!((refused.status, problem(&refused).unwrap().as_str()), (403, "identity_not_permitted"), "{body}");
    }
    // Nothing at all is a body, too.
    assert_eq!(agent.send("POST", "/v1/proxy/credentials", &[], b"").unwrap().status, 201);
    // A capability token is shown to the proxy itself.
    let refused =
        app.stranger().bearer(&app.token(None, None).token).post("/v1/proxy/credentials", &json!({})).unwrap();
    assert_eq!((refused.status, problem(&refused).unwrap().as_str()), (403, "forbidden"));
}

#[test]
fn a_connect_asks_for_a_tunnel() {
    let app = App::start();
    let mut gateway = app.client(Role::Gateway);
    let mut ask = |method: &str| -> Value {
        let body = json!({"target_url": "https://example.com/x", "method": method, "action": "internal.read"});
        let id = gateway.post("/v1/egress/requests", &body).unwrap().expect(201).unwrap()["egress_request_id"].clone();
        let path = format!("/v1/egress/requests/{}", id.as_str().unwrap());
        app.client(Role::Auditor).get(&path).unwrap().expect(200).unwrap()["request"].clone()
    };
    let (tunnel, one) = (ask("connect"), ask("GET"));
    assert_eq!((&tunnel["method"], &tunnel["tunnel"]), (&json!("CONNECT"), &json!("tls")));
    assert_eq!((&one["method"], &one["tunnel"]), (&json!("GET"), &Value::Null));
}

#[test]
fn error_codes_are_told_beside_reason_codes() {
    let app = App::start();
    let codes = app.client(Role::Agent).get("/v1/reason-codes").unwrap().expect(200).unwrap();
    let errors = codes["error_codes"].as_array().unwrap();
    assert!(errors.len() > 30 && errors.iter().any(|each| each["error_code"] == "sni_mismatch"));
    assert!(errors.iter().all(|each| each["sentence"].is_string() && each["remedy"].is_string()));
    let reasons = codes["reason_codes"].as_array().unwrap();
    assert!(reasons.iter().any(|each| each["reason_code"] == "dlp_secret_detected"));
}
