use proptest::prelude::*;
use serde_json::json;

use super::*;

#[test]
fn reads_what_is_json() {
    let check = |text: &str, want: Value| assert_eq!(parse_strict(text.as_bytes()), Ok(want), "{text}");
    check("null", json!(null));
    check(" \r\n\t true ", json!(true));
    check("[]", json!([]));
    check("{}", json!({}));
    check(r#"{"a":[1,-2,0.5,"x",null,{"b":false}]}"#, json!({"a": [1, -2, 0.5, "x", null, {"b": false}]}));
    check(r#"{"a":1,"A":2,"":3}"#, json!({"a": 1, "A": 2, "": 3}));
    check(r#"{"a":{"x":1},"b":{"x":1}}"#, json!({"a": {"x": 1}, "b": {"x": 1}}));
    check(r#""\ud83d\ude00\u0001\u007f\/""#, json!("😀\u{1}\u{7f}/"));
    check(r#""\\u0000""#, json!("\\u0000"));
    check("\"é€😀\"", json!("é€😀"));
}

#[test]
fn refuses_and_says_where() {
    use JsonFault as F;
    let check = |text: &[u8], fault: F, pointer: &str, offset: usize| {
        let want = StrictJsonError { fault, pointer: pointer.to_owned(), offset };
        assert_eq!(parse_strict(text), Err(want), "{}", String::from_utf8_lossy(text));
    };
    check(b"", F::Incomplete, "", 0);
    check(b"  ", F::Incomplete, "", 2);
    check(b"{\"a\":[1,2", F::Incomplete, "/a/2", 9);
    check(b"{\"a\":\"x", F::Incomplete, "/a", 7);
    check(b"[1,2]]", F::Trailing, "", 6);
    check(b"{} {}", F::Trailing, "", 4);
    check(b"1 2", F::Trailing, "", 3);
    check(b"null\0", F::Trailing, "", 5);
    check(b"{\"a\":1,}", F::Syntax, "", 8);
    check(b"[1,]", F::Syntax, "/1", 4);
    check(b"{\"a\" 1}", F::Syntax, "/a", 6);
    check(b"{a:1}", F::Syntax, "", 2);
    check(b"'a'", F::Syntax, "", 1);
    check(b"NaN", F::Syntax, "", 1);
    check(b"[Infinity]", F::Syntax, "/0", 2);
    check(b"[01]", F::Syntax, "/0", 3);
    check(b"[+1]", F::Syntax, "/0", 2);
    check(b"[1.]", F::Syntax, "/0", 4);
    check(b"// x\n1", F::Syntax, "", 1);
    check(b"\xef\xbb\xbf{}", F::Syntax, "", 1);
    check(b"\"\xff\"", F::Syntax, "", 2);
    check(b"\"a\nb\"", F::Syntax, "", 3);
    // Half a surrogate pair.
    check(br#"{"a":["\ud800"]}"#, F::Syntax, "/a/0", 14);
    check(br#"{"a":"\udc00"}"#, F::Syntax, "/a", 12);
    check(br#"["\ud800\ud800"]"#, F::Syntax, "/0", 14);
    check(br#"{"\ud800":1}"#, F::Syntax, "", 9);
    // Keys.
    check(br#"{"a":1,"a":1}"#, F::DuplicateKey, "/a", 13);
    check(br#"{"a":1,"b":2,"\u0061":3}"#, F::DuplicateKey, "/a", 24);
    check(br#"[{"x":{"k":1,"k":{}}}]"#, F::DuplicateKey, "/0/x/k", 20);
    check(br#"{"":1,"":2}"#, F::DuplicateKey, "/", 11);
    check(br#"{"a/b~":1,"a/b~":1}"#, F::DuplicateKey, "/a~1b~0", 19);
    check(br#"{"$serde_json::private::RawValue":"[1"}"#, F::ReservedKey, "", 33);
    check(br#"{"$serde_json::private::Number":"1"}"#, F::ReservedKey, "", 31);
    // NUL.
    check(br#"{"a":"x\u0000"}"#, F::Nul, "/a", 14);
    check(br#"{"a":[{"b\u0000":1}]}"#, F::Nul, "/a/0", 16);
}

#[test]
fn numbers_are_doubles() {
    let accepted = [
        "0",
        "-0",
        "1",
        "-1",
        "9007199254740991",
        "9007199254740992",
        "-9007199254740992",
        "9007199254740994",
        "9223372036854775808",
        "-9223372036854775808",
        "18446744073709549568",
        "18446744073709551616",
        "-18446744073709551616",
        "0.1",
        "1e-400",
        "1.5e300",
        "1E+2",
        "1.7976931348623157e308",
        "0.1000000000000000055511151231257827",
        "1e22",
        "4950760102240813.0000000000000000000000001",
    ];
    for text in accepted {
        let want = serde_json::from_str::<Value>(text).unwrap();
        assert_eq!(parse_strict(text.as_bytes()), Ok(want), "{text}");
    }
    let refused = [
        "9007199254740993",
        "-9007199254740993",
        "9223372036854775807",
        "-9223372036854775807",
        "18446744073709551615",
        "18446744073709551617",
        "-9223372036854775809",
        "100000000000000000000000",
        "123456789012345678901234567890",
        "1e309",
        "-1e400",
        "1e99999",
    ];
    for text in refused {
        let inside = format!("{{\"ok\":\"18446744073709551617\\\"\",\"n\":[1.0,-2,{text},1e22,3]}}");
        let error = parse_strict(inside.as_bytes()).unwrap_err();
        assert_eq!((error.fault, error.pointer.as_str()), (JsonFault::Number, "/n/2"), "{text}");
        assert!(inside.get(..error.offset).unwrap().contains("[1.0,-2,"), "{text}: {error}");
        let control = inside.replace(text, "1e21");
        assert!(parse_strict(control.as_bytes()).is_ok(), "{control}");
    }
    let huge = format!("1{}", "0".repeat(400));
    assert_eq!(parse_strict(huge.as_bytes()).unwrap_err().fault, JsonFault::Number);
    let exact = format!("{:.0}", 2_f64.powi(1000));
    assert!(parse_strict(exact.as_bytes()).is_ok());
}

#[test]
fn nesting_is_refused_only_above_its_limit() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let nested = |depth: usize| format!("{}1{}", open.repeat(depth), close.repeat(depth));
        assert!(parse_strict(nested(DEPTH_MAX).as_bytes()).is_ok());
        assert_eq!(parse_strict(nested(DEPTH_MAX + 1).as_bytes()).unwrap_err().fault, JsonFault::TooDeep);
        assert_eq!(parse_strict(nested(100_000).as_bytes()).unwrap_err().fault, JsonFault::TooDeep);
    }
    let wide = format!("[{}[]]", "[],".repeat(1_000));
    assert!(parse_strict(wide.as_bytes()).is_ok());
}

#[test]
fn an_error_shows_no_value_and_stays_short() {
    let key = "k".repeat(5_000);
    for text in [
        format!("{{\"{key}\":{{\"a\":\"s3cret\\u0000\"}}}}"),
        "{\"a\":s3cret}".to_owned(),
        "{\"a\":\"s3cret".to_owned(),
        "{\"a\":\"s3cret\\x\"}".to_owned(),
        "s3cret".to_owned(),
        format!("{}1,{}", "{\"some_longish_key_of_an_object\":".repeat(60), "}".repeat(60)),
    ] {
        let shown = parse_strict(text.as_bytes()).unwrap_err().to_string();
        assert!(!shown.contains("s3cret") && shown.len() < 700 && !shown.contains('\n'), "{shown}");
    }
}

#[test]
fn every_line_counts_into_the_offset() {
    let text = "{\n  \"a\": 1,\r\n  \"é\": [\n\n    1,\n    x\n]}";
    let error = parse_strict(text.as_bytes()).unwrap_err();
    assert_eq!((error.pointer.as_str(), text.get(error.offset - 1..error.offset)), ("/é/1", Some("x")));
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-(1_i64 << 53)..=1 << 53).prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map("[a-c\u{0}é\"]{0,2}", inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// The rules for values, stated on the value itself.
fn is_acceptable(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) => true,
        Value::Number(number) => {
            let integer = number.as_i64().map(i128::from).or(number.as_u64().map(i128::from));
            integer.is_none_or(|integer| integer as f64 as i128 == integer)
        }
        Value::String(text) => !text.contains('\0'),
        Value::Array(items) => items.iter().all(is_acceptable),
        Value::Object(map) => map.iter().all(|(key, value)| !key.contains('\0') && is_acceptable(value)),
    }
}

proptest! {
    #[test]
    fn accepts_exactly_the_acceptable_values(value in any_json(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let read = parse_strict(text.as_bytes());
        if is_acceptable(&value) {
            prop_assert_eq!(read.as_ref(), Ok(&serde_json::from_str::<Value>(&text).unwrap()));
        } else {
            prop_assert!(matches!(read.unwrap_err().fault, JsonFault::Nul | JsonFault::Number));
        }
    }

    #[test]
    fn never_accepts_what_the_library_refuses(value in any_json(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = serde_json::to_vec(&value).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        match (parse_strict(&bytes), serde_json::from_slice::<Value>(&bytes)) {
            (Ok(ours), theirs) => prop_assert_eq!(ours, theirs.unwrap()),
            (Err(error), theirs) => {
                prop_assert!(error.offset <= bytes.len());
                prop_assert!(theirs.is_err() || !matches!(error.fault, JsonFault::Syntax | JsonFault::Incomplete | JsonFault::Trailing));
            }
        }
    }

    #[test]
    fn exactness_agrees_with_casting(value in any::<u64>(), shift in 0_u32..64) {
        let value = value >> shift << (shift / 2);
        prop_assert_eq!(number::is_exact(value), value as f64 as u128 == u128::from(value));
    }

    #[test]
    fn any_bytes_get_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = parse_strict(&bytes);
    }
}
