use serde_json::json;

use super::*;

#[expect(clippy::needless_pass_by_value, reason = "a case reads as what it is")]
fn read(input: Value) -> HttpRequest {
    HttpRequest::read(&input).unwrap()
}

#[test]
fn what_is_left_out_has_a_default() {
    let request = read(json!({"url": "HTTPS://Example.com/a"}));
    assert_eq!((request.method.as_str(), request.target.as_str()), ("GET", "https://example.com/a"));
    assert!(request.body.is_empty() && request.follow_redirects && !request.idempotent && !request.fail_on_status);
    assert_eq!((request.timeout, request.bytes_max), (TIMEOUT, BYTES));
}

#[test]
fn a_body_is_text_json_or_bytes() {
    assert_eq!(&*read(json!({"url": "http://a.test/", "method": "post", "body": "x"})).body, b"x");
    let request = read(json!({"url": "http://a.test/", "method": "PUT", "json": {"a": null}}));
    assert_eq!(
        (&*request.body, request.headers["content-type"].to_str().unwrap()),
        (&br#"{"a":null}"#[..], "application/json")
    );
    assert_eq!(&*read(json!({"url": "http://a.test/", "body_base64": "AP8="})).body, b"\x00\xff");
}

#[test]
fn a_mistake_is_told() {
    let check = |input: Value, part: &str| {
        let failure = HttpRequest::read(&input).unwrap_err();
        assert!(failure.message.contains(part), "{input}: {}", failure.message);
        assert_eq!(failure.error["code"], "invalid_http_request");
    };
    read(json!({"url": "http://a.test/", "headers": {"accept": "x"}, "timeout_s": 1.5, "max_bytes": 0}));
    check(json!(null), "object");
    check(json!({}), "`url` is missing");
    check(json!({"url": "ftp://a.test/"}), "`url`");
    check(json!({"url": "http://u:p@a.test/"}), "`url`");
    check(json!({"url": "http://a.test/", "methd": "GET"}), "does not know");
    check(json!({"url": "http://a.test/", "method": "CONNECT"}), "CONNECT");
    check(json!({"url": "http://a.test/", "method": "trace"}), "TRACE");
    check(json!({"url": "http://a.test/", "method": "G T"}), "method");
    check(json!({"url": "http://a.test/", "headers": []}), "object of texts");
    check(json!({"url": "http://a.test/", "headers": {"a": 1}}), "object of texts");
    check(json!({"url": "http://a.test/", "headers": {"a b": "1"}}), "no field name");
    check(json!({"url": "http://a.test/", "headers": {"a": "1\r\nb: 2"}}), "control");
    for reserved in ["Host", "content-length", "Transfer-Encoding", "Proxy-Thing", "Idempotency-Key", "Connection"] {
        check(json!({"url": "http://a.test/", "headers": {reserved: "x"}}), "sets itself");
    }
    check(json!({"url": "http://a.test/", "body": 1}), "`json`");
    check(json!({"url": "http://a.test/", "body": "x", "json": 1}), "only one");
    check(json!({"url": "http://a.test/", "body_base64": "%"}), "base64");
    check(json!({"url": "http://a.test/", "timeout_s": 0}), "timeout_s");
    check(json!({"url": "http://a.test/", "timeout_s": 301}), "timeout_s");
    check(json!({"url": "http://a.test/", "max_bytes": -1}), "max_bytes");
    check(json!({"url": "http://a.test/", "idempotent": "yes"}), "idempotent");
}

#[test]
fn a_redirect_keeps_what_may_be_kept() {
    let post = read(json!({"url": "https://a.test/x", "method": "POST", "json": 1, "headers": {"authorization": "k"}}));
    let to = |status: u16, location: &str| match post.redirect(status, Some(location)) {
        Redirect::To(next) => Ok(*next),
        Redirect::None => Err("none"),
        Redirect::Refused(code, _) => Err(code),
    };
    let next = to(302, "/y").unwrap();
    assert_eq!((next.method.as_str(), next.target.as_str()), ("GET", "https://a.test/y"));
    assert!(
        next.body.is_empty()
            && !next.headers.contains_key("content-type")
            && next.headers.contains_key("authorization")
    );
    let next = to(307, "https://b.test/y").unwrap();
    assert_eq!((next.method.as_str(), &*next.body), ("POST", &b"1"[..]));
    assert!(!next.headers.contains_key("authorization"), "another origin gets no credentials");
    assert!(!to(308, "https://a.test:444/").unwrap().headers.contains_key("authorization"));
    assert_eq!(to(302, "http://a.test/").unwrap_err(), "redirect_downgrade");
    assert_eq!(to(302, "ftp://a.test/").unwrap_err(), "redirect_invalid");
    assert_eq!(to(302, "https://u:p@a.test/").unwrap_err(), "redirect_invalid");
    assert_eq!(to(200, "/y").unwrap_err(), "none");
    assert_eq!(to(304, "/y").unwrap_err(), "none");
    assert!(matches!(post.redirect(302, None), Redirect::None));
}

#[test]
fn only_what_does_no_harm_twice_is_repeated() {
    let check = |method: &str, idempotent: bool, want: bool| {
        let request = read(json!({"url": "http://a.test/", "method": method, "idempotent": idempotent}));
        assert_eq!(request.may_be_repeated(), want, "{method} {idempotent}");
    };
    for safe in ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"] {
        check(safe, false, true);
    }
    check("POST", false, false);
    check("PATCH", false, false);
    check("POST", true, true);
}
