use serde_json::json;

use super::*;

#[expect(clippy::needless_pass_by_value, reason = "a case reads as what it is")]
fn read(input: Value) -> Wanted {
    Wanted::exec(&input).unwrap()
}

#[test]
fn what_is_left_out_has_a_default() {
    let wanted = read(json!({"argv": ["true"]}));
    assert_eq!(wanted.argv, ["true"]);
    assert_eq!((wanted.cwd, wanted.network, wanted.idempotent), (None, Need::None, false));
    assert!(wanted.env.is_empty() && wanted.stdin.is_empty() && wanted.writable.is_empty());
    assert_eq!((wanted.timeout, wanted.memory_bytes), (TIMEOUT, MEMORY_BYTES));
}

#[test]
fn everything_can_be_said() {
    let wanted = read(json!({
        "argv": ["sh", "-c", "cat; echo $A"], "cwd": "a/b", "env": {"A": "1", "_b": ""}, "stdin_base64": "AP8=",
        "timeout_ms": 1500, "network": {"allow": ["Example.com", "*.b.test"], "on_refused": "fail"}, "idempotent": true,
    }));
    assert_eq!(wanted.cwd, Some("a/b".into()));
    assert_eq!(wanted.env, [("A".to_owned(), "1".to_owned()), ("_b".to_owned(), String::new())]);
    assert_eq!((wanted.stdin.as_slice(), wanted.timeout), (&b"\x00\xff"[..], Duration::from_millis(1500)));
    let Need::Asks { allow: Some(allow), on_refused } = wanted.network else { panic!("it declared a network") };
    assert_eq!(on_refused, OnRefused::Fail);
    for (host, named) in [("example.com", true), ("x.b.test", true), ("b.test", true), ("evil.test", false)] {
        assert_eq!(allow.iter().any(|pattern| pattern.matches(host)), named, "{host}");
    }
    let asks = read(json!({"argv": ["true"], "network": {}})).network;
    assert_eq!(asks, Need::Asks { allow: None, on_refused: OnRefused::Continue });
}

#[test]
fn a_mistake_is_told() {
    let long = "x".repeat(WORD_BYTES_MAX + 1);
    let much = "x".repeat(STDIN_BYTES_MAX + 1);
    let bad = [
        json!(null),
        json!(["true"]),
        json!({}),
        json!({"argv": []}),
        json!({"argv": [""]}),
        json!({"argv": "true"}),
        json!({"argv": ["true", 1]}),
        json!({"argv": ["a\u{0}b"]}),
        json!({"argv": ["echo", long]}),
        json!({"argv": ["true"], "command": "true"}),
        json!({"argv": ["true"], "cwd": "../x"}),
        json!({"argv": ["true"], "cwd": "a/../../x"}),
        json!({"argv": ["true"], "cwd": ""}),
        json!({"argv": ["true"], "env": ["A=1"]}),
        json!({"argv": ["true"], "env": {"A=B": "1"}}),
        json!({"argv": ["true"], "env": {"1A": "1"}}),
        json!({"argv": ["true"], "env": {"": "1"}}),
        json!({"argv": ["true"], "env": {"A": 1}}),
        json!({"argv": ["true"], "env": {"EXEAT_KEY": "x"}}),
        json!({"argv": ["true"], "env": {"exeat_key": "x"}}),
        json!({"argv": ["true"], "stdin": "a", "stdin_base64": "YQ=="}),
        json!({"argv": ["true"], "stdin": 1}),
        json!({"argv": ["true"], "stdin": much}),
        json!({"argv": ["true"], "stdin_base64": "!"}),
        json!({"argv": ["true"], "timeout_ms": 0}),
        json!({"argv": ["true"], "timeout_ms": 86_400_001_u64}),
        json!({"argv": ["true"], "timeout_ms": "1s"}),
        json!({"argv": ["true"], "idempotent": "yes"}),
        json!({"argv": ["true"], "network": true}),
        json!({"argv": ["true"], "network": {"allow": "example.com"}}),
        json!({"argv": ["true"], "network": {"allow": ["ex ample"]}}),
        json!({"argv": ["true"], "network": {"on_refused": "ignore"}}),
        json!({"argv": ["true"], "network": {"contained": false}}),
        // Nothing switches the guard off.
        json!({"argv": ["true"], "unconfined": true}),
        json!({"argv": ["true"], "rung": "none"}),
    ];
    for input in bad {
        let failure = Wanted::exec(&input).expect_err(&input.to_string());
        assert_eq!(failure.error["code"], "invalid_process", "{input}");
    }
}

#[test]
fn what_is_not_kept_is_not_run() {
    for input in [
        json!({"argv": ["curl", "-H", format!("authorization: {MARKER}")]}),
        json!({"argv": ["true"], "env": {"TOKEN": MARKER}}),
        json!({"argv": ["sh"], "stdin": format!("a\n{MARKER}\n")}),
    ] {
        let failure = Wanted::exec(&input).unwrap_err();
        assert_eq!(failure.error["code"], "input_redacted", "{input}");
    }
}
