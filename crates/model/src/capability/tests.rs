//! The text of a token: what verifies, what does not, and that nothing can be taken off again.

use std::collections::BTreeSet;

use data_encoding::BASE64URL_NOPAD;
use proptest::prelude::*;

use super::*;
use crate::{RunId, Time, TokenId, Zone};

const SECRET: [u8; KEY_BYTES] = [7; KEY_BYTES];
const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

fn whole() -> String {
    mint(&TokenId::parse(ID).unwrap(), &SECRET)
}

fn narrowed(token: &str, caveat: &Caveat) -> String {
    Bearer::parse(token).unwrap().attenuate(caveat).unwrap()
}

fn verified(token: &str) -> Option<Verified> {
    Bearer::parse(token).ok()?.verify(&SECRET)
}

fn set(entries: &[&str]) -> Option<BTreeSet<String>> {
    Some(entries.iter().map(|entry| (*entry).to_owned()).collect())
}

fn tools(entries: &[&str]) -> Caveat {
    Caveat { tools: set(entries), ..Caveat::default() }
}

/// A token whose one caveat has these bytes, made by somebody who holds the whole one.
fn with_bytes(caveats: &[&str]) -> String {
    let start = super::mac::start(&SECRET, ID);
    let last = caveats.iter().fold(start, |key, caveat| super::mac::next(&key, caveat.as_bytes()));
    let list = format!("[{}]", caveats.join(","));
    format!("cap1.{ID}.{}.{}", BASE64URL_NOPAD.encode(list.as_bytes()), BASE64URL_NOPAD.encode(&last))
}

#[test]
fn a_token_verifies_and_says_what_is_left() {
    let token = whole();
    let seen = verified(&token).unwrap();
    assert_eq!((seen.narrowing, seen.links.len()), (None, 0));
    let first = narrowed(&token, &tools(&["search"]));
    let second = narrowed(&first, &Caveat { zone: Some(Zone::Sandbox), uses: Some(3), ..Caveat::default() });
    let seen = verified(&second).unwrap();
    let narrowing = seen.narrowing.unwrap();
    assert_eq!((narrowing.caveats().len(), narrowing.zone()), (2, Some(Zone::Sandbox)));
    assert_eq!(narrowing.caveats()[0], tools(&["search"]));
    // A link is the same whatever is added after it: what it counts is shared.
    assert_eq!(verified(&first).unwrap().links[0], seen.links[0]);
    assert_eq!(Bearer::parse(&second).unwrap().token_id(), ID);
    assert_eq!(format!("{:?}", seen.links[0]), "Link(..)");
}

#[test]
fn the_vectors_of_the_guide_are_what_comes_out() {
    let guide = include_str!("../../../../docs/guide/capabilities.md");
    let vectors = guide.split("### Test vectors").nth(1).unwrap().split("```json").nth(1).unwrap();
    let vectors: serde_json::Value = serde_json::from_str(vectors.split("```").next().unwrap()).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let hex = |value: &serde_json::Value| data_encoding::HEXLOWER.decode(text(value).as_bytes()).unwrap();
    let secret: [u8; KEY_BYTES] = hex(&vectors["secret_hex"]).try_into().unwrap();
    let id = text(&vectors["token_id"]);
    let mut token = mint(&TokenId::parse(&id).unwrap(), &secret);
    assert_eq!(token, text(&vectors["token"]));
    assert_eq!(super::mac::start(&secret, &id).to_vec(), hex(&vectors["mac_0_hex"]));
    let steps = vectors["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 3);
    for step in steps {
        let caveat: Caveat = serde_json::from_str(&text(&step["caveat"])).unwrap();
        assert_eq!(caveat.clone().checked().unwrap().to_bytes(), text(&step["caveat"]));
        token = narrowed(&token, &caveat);
        assert_eq!(token, text(&step["token"]));
        let seen = Bearer::parse(&token).unwrap().verify(&secret).unwrap();
        assert_eq!(seen.links.last().unwrap().mac.to_vec(), hex(&step["mac_hex"]));
        assert_eq!(seen.narrowing.unwrap().caveats().last(), Some(&caveat));
    }
    let refused = vectors["refused"].as_array().unwrap();
    assert_eq!(refused.len(), 4);
    for each in refused {
        let token = text(&each["token"]);
        let seen = Bearer::parse(&token).ok().and_then(|bearer| bearer.verify(&secret));
        assert_eq!(seen, None, "{}", each["why"]);
    }
}

#[test]
fn another_secret_or_id_verifies_nothing() {
    for token in [whole(), narrowed(&whole(), &tools(&["search"]))] {
        assert!(Bearer::parse(&token).unwrap().verify(&SECRET).is_some());
        assert!(Bearer::parse(&token).unwrap().verify(&[8; KEY_BYTES]).is_none());
    }
    let other = narrowed(&whole(), &tools(&["search"])).replace(ID, "01890a5d-ac96-774b-bcce-b302099a8058");
    assert!(verified(&other).is_none());
}

#[test]
fn a_caveat_cannot_be_taken_off_changed_or_moved() {
    let (a, b) = (tools(&["search"]), Caveat { uses: Some(1), ..Caveat::default() });
    let both = narrowed(&narrowed(&whole(), &a), &b);
    let mac = both.rsplit('.').next().unwrap();
    let with = |list: &str| format!("cap1.{ID}.{}.{mac}", BASE64URL_NOPAD.encode(list.as_bytes()));
    let (a, b) = (a.to_bytes(), b.to_bytes());
    assert!(verified(&with(&format!("[{a},{b}]"))).is_some(), "the control");
    for list in [
        format!("[{a}]"),
        format!("[{b}]"),
        format!("[{b},{a}]"),
        format!("[{a},{b},{b}]"),
        format!("[{a},{}]", b.replace('1', "9")),
        format!("[{}]", a.replace("search", "*")),
    ] {
        assert!(verified(&with(&list)).is_none(), "{list}");
    }
    // Nor is the MAC of a narrowed token the secret of a whole one.
    assert!(verified(&format!("cap1.{ID}.{mac}")).is_none());
}

#[test]
fn what_is_no_caveat_is_no_token_even_from_a_holder() {
    assert!(verified(&with_bytes(&[r#"{"tools":["a","b"]}"#])).is_some(), "the control");
    for bytes in [
        r#"{"tools":["b","a"]}"#,
        r#"{"tools":["a","a"]}"#,
        r#"{"tools":["a"],"tools":["b"]}"#,
        r#"{"uses":1,"tools":["a"]}"#,
        r#"{"tools":["\u0061"]}"#,
        r#"{"tools": ["a"]}"#,
        r#"{"tools":null}"#,
        r#"{"tools":"a"}"#,
        r#"{"uses":1.0}"#,
        r#"{"uses":-1}"#,
        r#"{"uses":1000000001}"#,
        r#"{"zone":"nowhere"}"#,
        r#"{"expires_at":"2026-01-02T03:04:05Z"}"#,
        r#"{"run":""}"#,
        r#"{"add_tools":["a"]}"#,
        r#"{"data_access":{"read":["a"],"list":[]}}"#,
        "[]",
        "1",
        "null",
    ] {
        assert!(verified(&with_bytes(&[bytes])).is_none(), "{bytes}");
    }
    // An entry that means nothing is a caveat that leaves nothing.
    let odd = verified(&with_bytes(&[r#"{"egress_domains":["a b","exa*mple.com"]}"#])).unwrap();
    assert!(!odd.narrowing.unwrap().scopes()[0].covers_domain("example.com"));
}

#[test]
fn text_that_is_no_token_is_refused() {
    let (whole, narrow) = (whole(), narrowed(&whole(), &tools(&["search"])));
    let secret = whole.rsplit('.').next().unwrap();
    let empty = BASE64URL_NOPAD.encode(b"[]");
    for text in [
        String::new(),
        "cap1".to_owned(),
        "cap1.".to_owned(),
        format!("cap1.{ID}"),
        format!("cap1.{ID}."),
        format!("cap1..{secret}"),
        format!("cap1.a b.{secret}"),
        format!("cap2.{ID}.{secret}"),
        format!("CAP1.{ID}.{secret}"),
        format!("{whole}="),
        format!("{whole}A"),
        format!("{whole} "),
        format!(" {whole}"),
        format!("{narrow}.{secret}"),
        format!("cap1.{ID}.{empty}.{secret}"),
        format!("cap1.{ID}.{}.{secret}", BASE64URL_NOPAD.encode(b"[{}, {}]")),
        format!("cap1.{ID}.{}.{secret}", BASE64URL_NOPAD.encode(b" [{}]")),
        format!("cap1.{ID}.{}.{secret}", BASE64URL_NOPAD.encode(b"[\xff]")),
        format!("cap1.{ID}.{}.{secret}", BASE64URL_NOPAD.encode(b"{}")),
        whole.get(..whole.len() - 1).unwrap().to_owned(),
    ] {
        assert!(Bearer::parse(&text).is_err(), "{text}");
    }
    assert!(Bearer::parse(&whole).is_ok() && Bearer::parse(&narrow).is_ok(), "the control");
}

#[test]
fn the_limits_are_the_limits() {
    let mut token = whole();
    for _ in 0..LINKS_MAX {
        token = narrowed(&token, &Caveat { uses: Some(9), ..Caveat::default() });
    }
    assert_eq!(verified(&token).unwrap().links.len(), LINKS_MAX);
    let one_more = Bearer::parse(&token).unwrap().attenuate(&tools(&["a"]));
    assert_eq!(one_more, Err(AttenuateError::TooManyLinks));
    assert!(verified(&with_bytes(&[r#"{"uses":9}"#; LINKS_MAX + 1])).is_none());

    let entry = "a".repeat(190);
    let long = |count: usize| {
        let list = (0..count).map(|n| format!("{entry}{n}")).collect();
        Caveat { tools: Some(list), ..Caveat::default() }
    };
    assert!(verified(&narrowed(&whole(), &long(15))).is_some(), "the control");
    assert_eq!(Bearer::parse(&whole()).unwrap().attenuate(&long(16)), Err(AttenuateError::TooLong));
    let by_hand = with_bytes(&[&long(16).to_bytes()]);
    assert!(by_hand.len() > TOKEN_BYTES_MAX && verified(&by_hand).is_none());
}

#[test]
fn a_caveat_is_checked_and_normalised_before_it_is_written() {
    let given = Caveat {
        egress_domains: set(&[" *.Example.COM ", "b.example.net."]),
        action_types: set(&["External.Write"]),
        ..Caveat::default()
    };
    let checked = given.checked().unwrap();
    assert_eq!(
        checked.to_bytes(),
        r#"{"action_types":["external.write"],"egress_domains":["*.example.com","b.example.net"]}"#
    );
    let nothing_left = Caveat { rooms: set(&[]), ..Caveat::default() }.checked().unwrap();
    assert_eq!(nothing_left.to_bytes(), r#"{"rooms":[]}"#);
    let refused = |caveat: Caveat| caveat.checked().unwrap_err();
    assert_eq!(refused(Caveat::default()), InvalidCaveat::Empty);
    assert_eq!(refused(Caveat { data_access: Some(DataCaveat::default()), ..Caveat::default() }), InvalidCaveat::Empty);
    assert_eq!(refused(Caveat { uses: Some(USES_MAX + 1), ..Caveat::default() }), InvalidCaveat::Uses);
    for id in ["", "a b", "\u{e9}", &"x".repeat(CAVEAT_ID_BYTES_MAX + 1)] {
        assert_eq!(refused(Caveat { id: Some(id.to_owned()), ..Caveat::default() }), InvalidCaveat::Id);
    }
    for list in [&["a*"][..], &[""], &["a\u{1}"]] {
        assert!(matches!(refused(tools(list)), InvalidCaveat::Scopes(_)), "{list:?}");
    }
}

#[test]
fn two_runs_leave_none_and_the_lowest_zone_and_first_end_hold() {
    let run = |text: &str| RunId::parse(text).unwrap();
    let in_run = |text: &str| Caveat { run: Some(run(text)), ..Caveat::default() };
    let one = Narrowing::from(vec![in_run("run_a"), in_run("run_a")]);
    assert!(one.covers_run(Some(&run("run_a"))));
    assert!(!one.covers_run(Some(&run("run_b"))) && !one.covers_run(None));
    let two = Narrowing::from(vec![in_run("run_a"), in_run("run_b")]);
    assert!(!two.covers_run(Some(&run("run_a"))) && !two.covers_run(Some(&run("run_b"))));
    assert!(Narrowing::default().covers_run(None));
    let at = |millis| Some(Time::from_millis(millis));
    let ends = |end, zone| Caveat { expires_at: end, zone: Some(zone), ..Caveat::default() };
    let both = Narrowing::from(vec![ends(at(9), Zone::Sandbox), ends(at(5), Zone::HighStakes)]);
    assert_eq!((both.expires_at(), both.zone()), (at(5), Some(Zone::Sandbox)));
    assert!(both.expired(Time::from_millis(5)) && !both.expired(Time::from_millis(4)));
    let text = serde_json::to_string(&both).unwrap();
    assert_eq!(serde_json::from_str::<Narrowing>(&text).unwrap(), both);
}

fn names() -> impl Strategy<Value = Option<BTreeSet<String>>> {
    proptest::option::of(proptest::collection::btree_set("[a-z\"\\\\\u{e9}/]{1,8}", 0..4))
}

prop_compose! {
    fn caveat()(
        tools in names(),
        rooms in names(),
        read in names(),
        uses in proptest::option::of(0..=USES_MAX),
        millis in proptest::option::of(0_i64..4_000_000_000_000),
        zone in proptest::option::of(proptest::sample::select(Zone::ALL)),
    ) -> Caveat {
        let data_access = read.map(|read| DataCaveat { read: Some(read), write: None });
        Caveat { tools, rooms, data_access, uses, zone, expires_at: millis.map(Time::from_millis), ..Caveat::default() }
    }
}

proptest! {
    #[test]
    fn what_was_appended_is_read_back(caveats in proptest::collection::vec(caveat(), 1..6)) {
        let token = caveats.iter().fold(whole(), |token, caveat| narrowed(&token, caveat));
        let seen = verified(&token).unwrap().narrowing.unwrap();
        prop_assert_eq!(seen.caveats(), &caveats[..]);
        for caveat in &caveats {
            let value: serde_json::Value = serde_json::from_str(&caveat.to_bytes()).unwrap();
            let canonical = crate::Canonical::from(&value);
            prop_assert_eq!(canonical.as_str(), caveat.to_bytes());
        }
    }

    #[test]
    fn no_changed_byte_verifies(caveats in proptest::collection::vec(caveat(), 1..4), at in any::<prop::sample::Index>(), to in 33_u8..127) {
        let token = caveats.iter().fold(whole(), |token, caveat| narrowed(&token, caveat));
        let mut bytes = token.clone().into_bytes();
        let at = at.index(bytes.len());
        prop_assume!(bytes[at] != to);
        bytes[at] = to;
        prop_assert!(verified(std::str::from_utf8(&bytes).unwrap()).is_none());
    }

    #[test]
    fn plain_reading_is_thorough_reading(caveat in caveat(), at in any::<prop::sample::Index>(), to in "[ -~\u{1}\u{e9}]{0,2}", cut in 0_usize..3) {
        let text = caveat.to_bytes();
        prop_assert_eq!(Caveat::read_thoroughly(&text), Some(caveat.clone()));
        if !text.contains('\\') {
            prop_assert_eq!(super::read::plain(&text), Some(caveat));
        }
        // The same with something else in its place.
        let from = (0..=at.index(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap();
        let until = (from + cut..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
        let changed = format!("{}{to}{}", &text[..from], &text[until..]);
        if let Some(read) = super::read::plain(&changed) {
            prop_assert_eq!(Caveat::read_thoroughly(&changed), Some(read), "{}", changed);
        }
    }

    #[test]
    fn plain_domains_are_what_the_thorough_reader_makes_of_them(
        entry in "([*][.])?([a-z0-9-]{1,4}[.]){0,3}(com|x1|1x|0x7f|9|xn--a|[a-z]{1,3}|[.]|-a|a-)"
    ) {
        prop_assert!(super::narrowing::reads_domains_alike(&entry), "{}", entry);
    }

    #[test]
    fn no_text_makes_it_panic(text in "(cap1\\.)?[ -~]{0,200}") {
        let _ = verified(&text);
    }
}
