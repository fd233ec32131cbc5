//! Redaction inside JSON values.

use redact::{Scanner, is_secret_name};
use serde_json::{Value, json};

use crate::noise::{alnum, hex, uuid};

fn check(mut value: Value, expected: &Value) {
    let changes = value != *expected;
    assert_eq!(Scanner::standard().value(&mut value), changes, "{expected}");
    assert_eq!(value, *expected);
    assert!(!Scanner::standard().value(&mut value), "a second time: {value}");
}

#[test]
fn replaces_values_under_secret_names_whole() {
    for name in [
        "authorization",
        "Authorization",
        "cookie",
        "set-cookie",
        "Set_Cookie",
        "password",
        "PASSWD",
        "secret",
        "token",
        "api_key",
        "api-key",
        "apiKey",
        "APIKEY",
        "private_key",
        "Private-Key",
        "client_secret",
        "clientSecret",
        "Proxy-Authorization",
        "x-api-key",
    ] {
        assert!(is_secret_name(name), "{name}");
        check(json!({ name: "a" }), &json!({ name: "[redacted]" }));
        check(json!([{ name: { "deep": [1] } }]), &json!([{ name: "[redacted]" }]));
        check(json!({ name: 7 }), &json!({ name: "[redacted]" }));
        check(json!({ name: null }), &json!({ name: null }));
        check(json!({ name: "" }), &json!({ name: "" }));
    }
}

#[test]
fn leaves_values_under_names_that_only_contain_a_secret_name() {
    for name in [
        "capability_token_id",
        "token_id",
        "max_tokens",
        "token_count",
        "tokens",
        "secret_name",
        "password_policy",
        "cookie_consent",
        "authorization_mode",
        "key",
        "keys",
        "",
    ] {
        assert!(!is_secret_name(name), "{name}");
        for value in [json!("a"), json!(12), json!(uuid()), json!({ "x": true })] {
            check(json!({ name: value }), &json!({ name: value }));
        }
    }
}

#[test]
fn judges_a_value_together_with_its_name() {
    let value = alnum(32);
    check(json!({ "access_token": value }), &json!({ "access_token": "[redacted]" }));
    check(json!({ "dbPassword": value }), &json!({ "dbPassword": "[redacted]" }));
    check(json!({ "twilio_auth_token": hex(32) }), &json!({ "twilio_auth_token": "[redacted]" }));
    check(json!({ "public_key": value }), &json!({ "public_key": value }));
    check(json!({ "note": value }), &json!({ "note": value }));
}

#[test]
fn scans_strings_and_names_at_any_depth() {
    let secret = ["gh", "p_", &alnum(36)].concat();
    check(json!({ "a": [1, { "b": format!("x {secret} y") }] }), &json!({ "a": [1, { "b": "x [redacted] y" }] }));
    let other = ["gh", "o_", &alnum(36)].concat();
    check(json!({ secret: 1, other: 2, "z": 3 }), &json!({ "[redacted]": 2, "[redacted] 2": 1, "z": 3 }));
}

#[test]
fn replaces_the_value_of_a_header_pair() {
    check(
        json!([{ "name": "Authorization", "value": "abc" }, { "name": "accept", "value": "abc" }]),
        &json!([{ "name": "Authorization", "value": "[redacted]" }, { "name": "accept", "value": "abc" }]),
    );
}

#[test]
fn walks_values_of_any_depth() {
    let mut deep = json!({ "password": "a" });
    for _ in 0..500 {
        deep = Value::Array(vec![deep]);
    }
    assert!(Scanner::standard().value(&mut deep));
}
