//! Each row of the tables is one spelling; a refused row names the rule, so that it cannot be
//! refused for another reason than the one meant.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;

mod accepted;
mod refused;

fn normal(text: &str) -> Result<String, InvalidTarget> {
    TargetUrl::parse(text).map(String::from)
}

#[test]
fn normalises_every_accepted_spelling() {
    for (text, want) in accepted::TARGETS {
        assert_eq!(normal(text).as_deref(), Ok(*want), "{text:?}");
        assert_eq!(normal(want).as_deref(), Ok(*want), "the normal form of {text:?} is not stable");
    }
}

#[test]
fn refuses_and_names_the_rule() {
    for (text, rule) in refused::TARGETS {
        assert_eq!(normal(text).as_ref(), Err(rule), "{text:?}");
    }
}

#[test]
fn every_refused_host_is_refused_alone() {
    for (text, _) in refused::HOSTS {
        assert!(normalise_host(text).is_err(), "{text:?}");
        let target = format!("http://{text}/");
        assert!(TargetUrl::parse(&target).is_err(), "{target:?}");
    }
}

#[test]
fn lengths_are_refused_only_above_their_limit() {
    let base = "https://example.com/";
    let path = |n: usize| format!("{base}{}", "a".repeat(n));
    assert!(TargetUrl::parse(&path(TARGET_BYTES_MAX - base.len())).is_ok());
    assert_eq!(normal(&path(TARGET_BYTES_MAX - base.len() + 1)), Err(rule::TOO_LONG));
    // Each of these becomes `%20`, so the normal form is too long although the text is not.
    assert_eq!(normal(&format!("{base}{}x", " ".repeat(TARGET_BYTES_MAX / 2))), Err(rule::TOO_LONG));

    let label = "a".repeat(63);
    assert!(TargetUrl::parse(&format!("http://{label}.com/")).is_ok());
    assert_eq!(normal(&format!("http://a{label}.com/")), Err(rule::LABEL_LONG));

    let name = format!("{label}.{label}.{label}.{}", "b".repeat(61));
    assert_eq!(name.len(), 253);
    assert!(TargetUrl::parse(&format!("http://{name}/")).is_ok());
    assert!(TargetUrl::parse(&format!("http://{name}./")).is_ok());
    assert_eq!(normal(&format!("http://{name}b/")), Err(rule::NAME_LONG));
    assert_eq!(normal(&format!("http://{name}:80/")), Err(rule::AUTHORITY_LONG));
}

#[test]
fn gives_the_parts() {
    let target = TargetUrl::parse("HTTPS://[2001:DB8::1]:8443/a/b?c=d#e").unwrap();
    assert_eq!(target.scheme(), "https");
    assert_eq!(target.domain(), "2001:db8::1");
    assert_eq!(target.ip(), Some("2001:db8::1".parse().unwrap()));
    assert_eq!(target.port(), 8443);
    assert_eq!(target.path(), "/a/b");
    assert_eq!(target.query(), Some("c=d"));

    let plain = TargetUrl::parse("http://Example.COM.").unwrap();
    assert_eq!((plain.domain(), plain.port(), plain.path(), plain.query()), ("example.com", 80, "/", None));
    assert_eq!(plain.ip(), None);
    assert_eq!(TargetUrl::parse("https://h").unwrap().port(), 443);
}

#[test]
fn an_error_never_repeats_the_input() {
    for (text, _) in refused::TARGETS {
        let message = TargetUrl::parse(text).unwrap_err().to_string();
        assert!(!message.contains("s3cret"), "{message}");
    }
    assert!(refused::TARGETS.iter().any(|(text, _)| text.contains("s3cret")));
}

#[test]
fn reads_from_json_only_what_is_a_target() {
    let target: TargetUrl = serde_json::from_str("\"http://EXAMPLE.com:80\"").unwrap();
    assert_eq!(serde_json::to_string(&target).unwrap(), "\"http://example.com/\"");
    assert!(serde_json::from_str::<TargetUrl>("\"http://u@example.com\"").is_err());
}

#[test]
fn redacts_values_and_keeps_names() {
    let digest = |value: &str| format!("<{value}>0123456789abcdef0123456789");
    let check = |text: &str, want: &str| {
        assert_eq!(TargetUrl::parse(text).unwrap().redacted(digest), want, "{text:?}");
    };
    check("http://h/", "http://h/");
    check("http://h:81/a/b?", "http://h:81/a/b?");
    check("https://h/a?q=1", "https://h/a?q=~<1>0123456789abc");
    check("https://h/a?q=1&q=2&r=", "https://h/a?q=~<1>0123456789abc&q=~<2>0123456789abc&r=");
    check("https://h/?bare", "https://h/?~<bare>0123456789");
    check("https://h/?a=b=c&&", "https://h/?a=~<b=c>0123456789a&&");
    check("https://h/?a=b?c", "https://h/?a=~<b?c>0123456789a");
    check("https://h/#frag", "https://h/#~<frag>0123456789");
    check("https://h/?a=1#b=2?c#d", "https://h/?a=~<1>0123456789abc#~<b=2?c#d>0123456");
    check("https://h/#", "https://h/#");
    check("https://h/?a=1;b=2", "https://h/?a=~<1;b=2>012345678");
}

#[test]
fn a_redacted_target_is_a_target_without_its_values() {
    let target = TargetUrl::parse("https://h/p?token=s3cret&x=s3cret#s3cret").unwrap();
    let redacted = target.redacted(|_| "3f9c0d1e2a4b5c6d7e8f".to_owned());
    assert_eq!(redacted, "https://h/p?token=~3f9c0d1e2a4b5c6d&x=~3f9c0d1e2a4b5c6d#~3f9c0d1e2a4b5c6d");
    assert_eq!(normal(&redacted).as_deref(), Ok(redacted.as_str()));
}

/// What a host means, written without regard to speed: only ASCII names and plain addresses.
fn reference_host(text: &str) -> Option<String> {
    if let Ok(address) = text.parse::<Ipv4Addr>() {
        return Some(address.to_string());
    }
    let name = text.to_ascii_lowercase();
    let name = name.strip_suffix('.').unwrap_or(&name);
    let labels: Vec<&str> = name.split('.').collect();
    let fits = labels.iter().all(|label| {
        (1..=63).contains(&label.len()) && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    });
    (fits && name.len() <= 253).then(|| name.to_owned())
}

/// Labels that leave no doubt: no punycode, no number at the end.
fn label() -> impl Strategy<Value = String> {
    "[a-zA-Z_][a-zA-Z0-9_-]{0,12}".prop_filter("punycode", |l| !l.to_ascii_lowercase().starts_with("xn--"))
}

proptest! {
    #[test]
    fn hosts_agree_with_the_reference(
        labels in prop::collection::vec(prop_oneof![8 => label(), 1 => Just(String::new())], 1..6),
        dot in prop::sample::select(vec!["", ".", ".."]),
    ) {
        let host = format!("{}{dot}", labels.join("."));
        prop_assert_eq!(normalise_host(&host).ok(), reference_host(&host), "{}", host);
    }

    #[test]
    fn addresses_have_one_spelling(bits in any::<u32>(), spelling in 0..7) {
        let address = Ipv4Addr::from(bits);
        let [a, b, c, d] = address.octets();
        let text = match spelling {
            0 => address.to_string(),
            1 => bits.to_string(),
            2 => format!("{bits:#x}"),
            3 => format!("0{bits:o}"),
            4 => format!("{a}.{b}.{}", u16::from_be_bytes([c, d])),
            5 => format!("{a:#X}.{b}.0{c:o}.{d}."),
            _ => format!("[::ffff:{address}]"),
        };
        let target = TargetUrl::parse(&format!("http://{text}/")).unwrap();
        prop_assert_eq!(target.domain(), address.to_string());
        prop_assert_eq!(target.ip(), Some(IpAddr::V4(address)));
        prop_assert_eq!(normalise_host(&text).unwrap(), address.to_string());
    }

    #[test]
    fn ipv6_addresses_have_one_spelling(segments in any::<[u16; 8]>(), zeros in any::<[bool; 8]>()) {
        let mut segments = segments;
        for (segment, zero) in segments.iter_mut().zip(zeros) {
            if zero { *segment = 0; }
        }
        let address = Ipv6Addr::from(segments);
        let long = segments.map(|s| format!("{s:04X}")).join(":");
        let target = TargetUrl::parse(&format!("http://[{long}]:99/")).unwrap();
        prop_assert_eq!(target.domain().parse::<IpAddr>().unwrap(), IpAddr::V6(address).to_canonical());
        prop_assert_eq!(normalise_host(&long).unwrap(), target.domain());
        prop_assert_eq!(normalise_host(target.domain()).unwrap(), target.domain());
    }

    #[test]
    fn a_normal_form_is_stable(text in target_text()) {
        if let Ok(target) = TargetUrl::parse(&text) {
            let again = TargetUrl::parse(target.as_str());
            prop_assert_eq!(again.as_ref(), Ok(&target), "{}", text);
            prop_assert_eq!(normalise_host(target.domain()), Ok(target.domain().to_owned()));
            prop_assert!(target.as_str().is_ascii());
            prop_assert!(!target.domain().is_empty() && !target.domain().ends_with('.'));
            prop_assert!((1..=u16::MAX).contains(&target.port()));
        }
    }

    #[test]
    fn a_redacted_form_keeps_what_may_be_kept(text in target_text()) {
        if let Ok(target) = TargetUrl::parse(&text) {
            let redacted = TargetUrl::parse(&target.redacted(|_| "0".repeat(64))).unwrap();
            prop_assert_eq!(redacted.scheme(), target.scheme());
            prop_assert_eq!(redacted.domain(), target.domain());
            prop_assert_eq!(redacted.port(), target.port());
            prop_assert_eq!(redacted.path(), target.path());
        }
    }

    #[test]
    fn any_bytes_get_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let text = String::from_utf8_lossy(&bytes);
        for text in [text.to_string(), format!("http://{text}"), format!("https://h/{text}")] {
            let _ = TargetUrl::parse(&text);
            let _ = normalise_host(&text);
        }
    }

    #[test]
    fn case_and_width_do_not_make_another_host(name in "[a-z]{1,9}\\.[a-zà-öø-ÿа-я]{1,9}\\.example") {
        let wide: String = name
            .chars()
            .map(|c| if c.is_ascii_lowercase() { char::from_u32(u32::from(c) + 0xfee0).unwrap() } else { c })
            .collect();
        if let Ok(ascii) = normalise_host(&name) {
            prop_assert_eq!(normalise_host(&wide).unwrap(), ascii.clone());
            prop_assert_eq!(normalise_host(&ascii.to_ascii_uppercase()).unwrap(), ascii);
        }
    }
}

/// Texts near the edge between accepted and refused.
fn target_text() -> impl Strategy<Value = String> {
    let host = prop_oneof![
        4 => prop::collection::vec(label(), 1..4).prop_map(|l| l.join(".")),
        1 => any::<[u16; 8]>().prop_map(|s| format!("[{}]", Ipv6Addr::from(s))),
        1 => any::<u32>().prop_map(|b| Ipv4Addr::from(b).to_string()),
        1 => "[0-9a-fx.]{1,14}",
        1 => "[a-z.ß。０-９\u{ad}\u{200d}é-]{1,12}",
        1 => "\\PC{1,12}",
    ];
    let port =
        prop_oneof![3 => Just(String::new()), 2 => any::<u16>().prop_map(|p| format!(":{p}")), 1 => ":[0-9+]{0,6}"];
    let tail =
        prop_oneof![2 => "(/[a-z.%0-9é ]{0,8}){0,4}(\\?[a-z=&%'\"é ]{0,12})?(#[a-z\"`]{0,6})?", 1 => "[/?#]\\PC{0,20}"];
    ("(https?|HTTPS?)", host, port, tail)
        .prop_map(|(scheme, host, port, tail)| format!("{scheme}://{host}{port}{tail}"))
}
