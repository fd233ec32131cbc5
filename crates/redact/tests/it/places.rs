//! Exact results where the extent of the replacement matters.

use redact::Scanner;

fn check(text: &str, expected: &str) {
    assert_eq!(Scanner::standard().text(text), expected, "{text:?}");
}

#[test]
fn replaces_whatever_follows_the_schemes() {
    check("Bearer of good news", "Bearer [redacted] good news");
    check("Authorization: Bearer a.b-c_d~e+f/g==", "Authorization: Bearer [redacted]");
    check("Bearer a, Basic b; end", "Bearer [redacted], Basic [redacted]; end");
    check("Bearer Bearer abc", "Bearer Bearer [redacted]");
    check("(see Bearer abc)", "(see Bearer [redacted])");
    check("Bearer%20abc", "Bearer%20[redacted]");
    check(r#"{\"h\":\"Bearer abc\"}"#, r#"{\"h\":\"Bearer [redacted]\"}"#);
    check("Bearer <token>", "Bearer [redacted]>");
    check("BEARER abc123", "BEARER [redacted]");
    check("VisualBasic code", "VisualBasic code");
    check("Bearer", "Bearer");
    check("Bearer ", "Bearer ");
}

#[test]
fn replaces_only_the_value_of_a_field() {
    check("?a=1&token=abc1&b=2", "?a=1&token=[redacted]&b=2");
    check("password=hunter2&user=me", "password=[redacted]&user=me");
    check("Server=a;Password=p 1;User=b", "Server=a;Password=[redacted] 1;User=b");
    check(r#"{"password":"a\"b","user":"me"}"#, r#"{"password":"[redacted]","user":"me"}"#);
    check(r#"{"token_id":"abc","token":"abc"}"#, r#"{"token_id":"abc","token":"[redacted]"}"#);
    check(r#"{"token":null,"secret":true}"#, r#"{"token":null,"secret":true}"#);
    check("https://u:p@h.test/x?y", "https://u:[redacted]@h.test/x?y");
    check("Cookie: a=b; c=d\r\nHost: x", "Cookie: [redacted]\r\nHost: x");
}

#[test]
fn keeps_text_around_a_key_block() {
    let body = crate::noise::base64(64);
    let block = ["-----BEGIN ", "PRIVATE KEY-----\n", &body, "\nabc=\n-----END ", "PRIVATE KEY-----"];
    check(&format!("a\n{}\nb", block.concat()), "a\n[redacted]\nb");
    let cut = ["-----BEGIN ", "PRIVATE KEY-----\n", &body].concat();
    check(&format!("a\n{cut}... and so on"), "a\n[redacted]... and so on");
}
