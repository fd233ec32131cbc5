//! A segment reads back as what it was made of.

use model::decision::{Ground, Other};
use model::*;
use policy::DefaultDecision;
use proptest::prelude::*;
use replay::entry::{INPUT_BYTES_MAX, Kept, Resource};
use replay::segment::DecodeError;
use replay::{Entry, Ids, Segment};
use serde_json::json;

use crate::log::{Asked, HIDES, Word, asked, encode, entries, id, set, snapshot, words};

proptest! {
    #[test]
    fn reads_back(asked in prop::collection::vec(asked(), 0..60), set in set(), odd in any::<[bool; 4]>()) {
        let mut entries = entries(&snapshot(DefaultDecision::Deny, Some(&set)), &asked, &HIDES);
        if let Some(entry) = entries.last_mut() {
            decorate(entry, odd);
        }
        let encoded = encode(&entries);
        let segment = Segment::decode(&encoded.facts).unwrap();
        let ids = Ids::decode(&encoded.ids).unwrap();
        prop_assert_eq!(segment.span(), encoded.span);
        prop_assert_eq!((encoded.span.rows, ids.rows()), (entries.len(), entries.len()));
        entries.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
        let read: Vec<Entry> = (0..entries.len()).map(|row| segment.entry(row, ids.get(row).unwrap()).unwrap()).collect();
        prop_assert_eq!(read, entries);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = Segment::decode(&bytes);
        let _ = Ids::decode(&bytes);
        let headed = [b"EXDS\x01".as_slice(), &bytes].concat();
        prop_assert!(Segment::decode(&headed).is_err());
    }

    #[test]
    fn damage_is_found(asked in prop::collection::vec(asked(), 1..10), place in any::<prop::sample::Index>(), by in 1..=255_u8) {
        let encoded = encode(&entries(&snapshot(DefaultDecision::Deny, None), &asked, &HIDES));
        for (bytes, read) in [(encoded.facts, false), (encoded.ids, true)] {
            let mut damaged = bytes.clone();
            let at = place.index(damaged.len());
            damaged[at] ^= by;
            let cut = &bytes[..at];
            if read {
                prop_assert!(Ids::decode(&damaged).is_err() && Ids::decode(cut).is_err() && Ids::decode(&bytes).is_ok());
            } else {
                prop_assert!(Segment::decode(&damaged).is_err() && Segment::decode(cut).is_err());
                prop_assert!(Segment::decode(&bytes).is_ok());
            }
        }
    }
}

fn decorate(entry: &mut Entry, [other, quota, room, version]: [bool; 4]) {
    let tried =
        Other { outcome: Outcome::Deny, reason_code: ReasonCode::PolicyDenies, rules: vec!["x".into(), "y".into()] };
    if other {
        entry.ruling.trial = Some(tried.clone());
        entry.ruling.candidate = Some(Other { rules: vec![], ..tried });
    }
    entry.ruling.by_quota = quota;
    entry.ruling.by_once = !quota;
    entry.ruling.policy_version = version.then_some(u64::MAX);
    entry.ruling.ground = Ground { fixed: Some((Outcome::Deny, ReasonCode::KillSwitchActive)), ..entry.ruling.ground };
    if room {
        entry.room_id = Some(id("room_1"));
        entry.caller.token_id = Some(id("tok_1"));
        entry.caller.token_required = true;
        entry.resource = Some(Resource {
            kind: "document".into(),
            id: "ü".into(),
            room: Some(id("room_2")),
            purposes: words(&["a", "b"]),
            justified: true,
        });
        entry.purposes = Kept::Seen(words(&["b", "c"]));
    }
    entry.at = Time::from_millis(-5);
}

fn tool_call(input: serde_json::Value) -> Asked {
    let subject = model::ask::Subject::ToolCall { tool_name: Some("pay".into()), input: Some(input.into()) };
    Asked {
        ask: Ask {
            workspace_id: id("ws_a"),
            action: Action::parse("tool.call.pay").unwrap(),
            actor: Actor::new(ActorType::User, "anna"),
            principal_id: None,
            capability_token_id: None,
            token_required: false,
            zone: None,
            room_id: None,
            thread_id: None,
            run_id: None,
            step_id: None,
            subject,
            narrowing: None,
            ask_digest: None,
        },
        at: Time::from_millis(0),
    }
}

#[test]
fn what_redaction_would_change_or_what_is_long_is_withheld() {
    let check = |input: serde_json::Value, want: Kept<String>| {
        let snapshot = snapshot(DefaultDecision::Deny, None);
        assert_eq!(entries(&snapshot, &[tool_call(input)], &Word("hush"))[0].input, want);
    };
    check(json!({ "b": 1, "a": [2] }), Kept::Seen(r#"{"a":[2],"b":1}"#.to_owned()));
    check(json!({ "a": "hush" }), Kept::Withheld);
    let quotes = 2;
    let longest = "x".repeat(INPUT_BYTES_MAX - quotes);
    check(json!(longest), Kept::Seen(format!("\"{longest}\"")));
    check(json!(format!("{longest}x")), Kept::Withheld);
}

#[test]
fn an_empty_segment_is_one() {
    let encoded = encode(&[]);
    assert_eq!(Segment::decode(&encoded.facts).unwrap().span().rows, 0);
    assert_eq!(Ids::decode(&encoded.ids).unwrap().rows(), 0);
    assert_eq!(Segment::decode(b"").unwrap_err(), DecodeError::Magic);
    let mut later = encoded.facts;
    later[4] = 2;
    assert_eq!(Segment::decode(&later).unwrap_err(), DecodeError::Version(2));
}
