use proptest::prelude::*;

use super::*;

fn pattern(text: &str) -> DomainPattern {
    DomainPattern::parse(text).unwrap()
}

#[test]
fn normalises_patterns() {
    let check = |text: &str, want: &str| {
        assert_eq!(pattern(text).to_string(), want, "{text:?}");
        assert_eq!(pattern(want), pattern(text), "{text:?}");
    };
    check("*", "*");
    check(" * ", "*");
    check("Example.COM", "example.com");
    check("example.com.", "example.com");
    check("*.Example.COM.", "*.example.com");
    check(" *.example.com ", "*.example.com");
    check("*.com", "*.com");
    check("bücher.example", "xn--bcher-kva.example");
    check("*.BÜCHER.example", "*.xn--bcher-kva.example");
    check("*.xn--bcher-kva.example", "*.xn--bcher-kva.example");
    check("ｅｘａｍｐｌｅ．com", "example.com");
    check("0x7f.1", "127.0.0.1");
    check("2130706433", "127.0.0.1");
    check("::1", "::1");
    check("[::1]", "::1");
    check("2001:DB8:0::1", "2001:db8::1");
    check("[::ffff:10.0.0.1]", "10.0.0.1");
    check("localhost", "localhost");
}

#[test]
fn refuses_what_is_no_pattern() {
    for text in [
        "",
        " ",
        ".",
        "*.",
        "*..",
        "**",
        "*.*",
        "*.*.com",
        "a.*",
        "a.*.com",
        "ex*.com",
        "*example.com",
        ".example.com",
        "*..example.com",
        "a..b",
        "example.com..",
        "example.com:443",
        "https://example.com",
        "example.com/",
        "u@example.com",
        "a b",
        "a,b",
        "%2a.com",
        "*.127.0.0.1",
        "*.1",
        "*.0x7f.1",
        "*.[::1]",
        "*.::1",
        "＊.example.com",
        "a\0.com",
    ] {
        assert_eq!(DomainPattern::parse(text), Err(InvalidPattern), "{text:?}");
    }
}

#[test]
fn matches_the_truth_table() {
    let check = |text: &str, host: &str, want: bool| {
        assert_eq!(pattern(text).matches(host), want, "{text} on {host}");
        assert_eq!(DomainSet::from_iter([pattern(text)]).covers(host), want, "the set of {text} on {host}");
    };
    check("*", "example.com", true);
    check("*", "::1", true);
    check("example.com", "example.com", true);
    check("EXAMPLE.com.", "example.com", true);
    check("example.com", "a.example.com", false);
    check("example.com", "example.org", false);
    check("*.example.com", "example.com", true);
    check("*.example.com", "a.example.com", true);
    check("*.example.com", "a.b.example.com", true);
    check("*.example.com", "badexample.com", false);
    check("*.example.com", "example.com.evil.org", false);
    check("*.example.com", "com", false);
    check("*.com", "example.com", true);
    check("*.bücher.example", "a.xn--bcher-kva.example", true);
    check("127.0.0.1", "127.0.0.1", true);
    check("[::1]", "::1", true);
    check("*.example.com", "127.0.0.1", false);
}

#[test]
fn an_empty_set_covers_nothing() {
    let empty = DomainSet::default();
    assert!(empty.is_empty());
    assert!(!empty.covers("example.com"));
    assert!(!empty.covers_pattern(&DomainPattern::Any));
    assert!(!DomainSet::from_iter([DomainPattern::Any]).is_empty());
}

#[test]
fn reads_from_json_only_what_is_a_pattern() {
    assert_eq!(serde_json::from_str::<DomainPattern>("\"*.A.com\"").unwrap(), pattern("*.a.com"));
    assert!(serde_json::from_str::<DomainPattern>("\"a.*\"").is_err());
}

/// Few labels, so that patterns and hosts meet.
fn host() -> impl Strategy<Value = String> {
    prop_oneof![
        9 => prop::collection::vec(prop::sample::select(vec!["a", "b", "ab", "x"]), 1..5).prop_map(|l| l.join(".")),
        1 => prop::sample::select(vec!["127.0.0.1", "::1"]).prop_map(str::to_owned),
    ]
}

fn any_pattern() -> impl Strategy<Value = DomainPattern> {
    prop_oneof![
        1 => Just(DomainPattern::Any),
        4 => host().prop_map(|h| pattern(&h)),
        4 => host().prop_filter_map("an address", |h| DomainPattern::parse(&format!("*.{h}")).ok()),
    ]
}

/// The meaning of a pattern, label by label.
fn reference_matches(pattern: &str, host: &str) -> bool {
    let labels = |text: &str| text.split('.').rev().map(str::to_owned).collect::<Vec<_>>();
    match pattern.strip_prefix("*.") {
        _ if pattern == "*" => true,
        Some(suffix) => labels(host).starts_with(&labels(suffix)),
        None => pattern == host,
    }
}

proptest! {
    #[test]
    fn matching_agrees_with_the_reference(pattern in any_pattern(), host in host()) {
        prop_assert_eq!(pattern.matches(&host), reference_matches(&pattern.to_string(), &host));
    }

    #[test]
    fn what_both_match_is_what_the_intersection_matches(a in any_pattern(), b in any_pattern(), host in host()) {
        let both = a.intersect(&b);
        prop_assert_eq!(both.as_ref().is_some_and(|p| p.matches(&host)), a.matches(&host) && b.matches(&host));
        prop_assert_eq!(both, b.intersect(&a));
        prop_assert_eq!(a.intersect(&a), Some(a));
    }

    #[test]
    fn a_set_is_all_its_patterns(
        a in prop::collection::vec(any_pattern(), 0..6),
        b in prop::collection::vec(any_pattern(), 0..6),
        host in host(),
    ) {
        let (x, y): (DomainSet, DomainSet) = (a.iter().cloned().collect(), b.iter().cloned().collect());
        prop_assert_eq!(x.covers(&host), a.iter().any(|p| p.matches(&host)));
        let both = x.intersect(&y);
        prop_assert_eq!(both.covers(&host), x.covers(&host) && y.covers(&host));
        prop_assert_eq!(&both, &y.intersect(&x));
        prop_assert_eq!(&both, &both.intersect(&y));
        let pairs: DomainSet = a.iter().flat_map(|p| b.iter().filter_map(|q| p.intersect(q))).collect();
        prop_assert_eq!(both, pairs);
    }
}
