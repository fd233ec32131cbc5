use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn vector() -> EventBody<'static> {
    EventBody {
        event_id: "00000000-0000-4000-8000-000000000001",
        event_type: "egress.requested",
        event_version: 1,
        occurred_at: Time::parse("2026-01-02T03:04:05.678Z").unwrap(),
        workspace_id: "ws_a",
        room_id: Some("room_a"),
        thread_id: None,
        run_id: None,
        step_id: None,
        actor_type: "user",
        actor_id: "anon",
        actor_principal_id: Some("p1"),
        zone: "supervised",
        stream_type: "room",
        stream_id: "room_a",
        stream_seq: 7,
        correlation_id: "c1",
        causation_id: None,
        redaction_level: "none",
        contains_secrets: false,
        policy_context: "{}",
        model_context: "{}",
        display: "{}",
        data: r#"{"action":"internal.read","egress_request_id":"egr_1","target_domain":"example.com","target_url":"https://example.com/"}"#,
        idempotency_key: None,
    }
}

#[test]
fn matches_the_vector_of_the_contract() {
    let body = vector();
    assert_eq!(body.render().len(), 682);
    let hex = |h: Hash| data_encoding::HEXLOWER.encode(&h);
    assert_eq!(hex(body.leaf()), "5121adcd5c0923cd31392aec8d17c270a6bda6aba2078655a8a9171f928dd70d");
    let stream = Stream { kind: StreamType::Room, id: "room_a".into() };
    assert_eq!(
        hex(chain(&[0; 32], &stream, 7, &body.leaf())),
        "83480eddf4976fd4574149f5ffae9ebb72d766127487ed6e3cce94a343fc82e0"
    );
    assert_eq!(
        hex(chain(&[0x11; 32], &stream, 7, &body.leaf())),
        "182bd4bb30d575ba90a39f9d0dd70c0d12688b973f85995350888b926d60fdf1"
    );
}

#[test]
fn a_body_is_its_own_canonical_form() {
    let odd = "q\"\\\u{1}\u{8}\t\n\u{c}\r\u{7f}\u{20ac}😀";
    let body = EventBody { actor_id: odd, thread_id: Some(odd), contains_secrets: true, ..vector() };
    let value: serde_json::Value = serde_json::from_str(&body.render()).unwrap();
    assert_eq!(value["actor_id"], odd);
    assert_eq!(Canonical::from(&value).as_str(), body.render());
}

/// Texts with everything that JSON escapes, and beyond the basic plane.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![2 => "[a-z0-9_.:-]{1,20}", 1 => any::<String>(), 1 => "[\"\\\\/\u{0}-\u{1f}\u{7f}-\u{9f}\u{2028}é😀]{0,8}"]
}

fn column() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    let value = leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(text(), inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    });
    prop::collection::btree_map(text(), value, 0..4).prop_map(|map| Value::Object(map.into_iter().collect()))
}

proptest! {
    #[test]
    fn rendering_agrees_with_the_library(
        texts in prop::array::uniform12(text()),
        options in prop::array::uniform7(prop::option::of(text())),
        columns in prop::array::uniform4(column()),
        millis in 0_i64..253_402_300_799_999,
        stream_seq in 1_i64..=1 << 53,
        contains_secrets in any::<bool>(),
    ) {
        let [event_id, event_type, workspace_id, actor_type, actor_id, zone, stream_type, stream_id, correlation_id, redaction_level, ..] = &texts;
        let [room_id, thread_id, run_id, step_id, actor_principal_id, causation_id, idempotency_key] = &options;
        let [policy_context, model_context, display, data] = &columns;
        let canonical = columns.each_ref().map(Canonical::from);
        let [policy_text, model_text, display_text, data_text] = canonical.each_ref().map(Canonical::as_str);
        let occurred_at = Time::from_millis(millis);
        let body = EventBody {
            event_id,
            event_type,
            event_version: 1,
            occurred_at,
            workspace_id,
            room_id: room_id.as_deref(),
            thread_id: thread_id.as_deref(),
            run_id: run_id.as_deref(),
            step_id: step_id.as_deref(),
            actor_type,
            actor_id,
            actor_principal_id: actor_principal_id.as_deref(),
            zone,
            stream_type,
            stream_id,
            stream_seq,
            correlation_id,
            causation_id: causation_id.as_deref(),
            redaction_level,
            contains_secrets,
            policy_context: policy_text,
            model_context: model_text,
            display: display_text,
            data: data_text,
            idempotency_key: idempotency_key.as_deref(),
        };
        let value = json!({
            "hash_version": 1,
            "event_id": event_id,
            "event_type": event_type,
            "event_version": 1,
            "occurred_at": occurred_at.to_string(),
            "workspace_id": workspace_id,
            "room_id": room_id,
            "thread_id": thread_id,
            "run_id": run_id,
            "step_id": step_id,
            "actor_type": actor_type,
            "actor_id": actor_id,
            "actor_principal_id": actor_principal_id,
            "zone": zone,
            "stream_type": stream_type,
            "stream_id": stream_id,
            "stream_seq": stream_seq,
            "correlation_id": correlation_id,
            "causation_id": causation_id,
            "redaction_level": redaction_level,
            "contains_secrets": contains_secrets,
            "policy_context": policy_context,
            "model_context": model_context,
            "display": display,
            "data": data,
            "idempotency_key": idempotency_key,
        });
        let rendered = body.render();
        prop_assert_eq!(&rendered, &serde_json_canonicalizer::to_string(&value).unwrap());
        let leaf: Hash = Sha256::new_with_prefix([0]).chain_update(rendered).finalize().into();
        prop_assert_eq!(body.leaf(), leaf);
        prop_assert_eq!(parse_hash(&render_hash(&leaf)), Some(leaf));
    }
}

#[test]
fn every_part_of_the_place_changes_the_chain() {
    let stream = |kind, id: &str| Stream { kind, id: id.to_owned() };
    let room = stream(StreamType::Room, "a");
    let base = chain(&[0; 32], &room, 1, &[1; 32]);
    assert_eq!(base, chain(&[0; 32], &room, 1, &[1; 32]));
    for other in [
        chain(&[2; 32], &room, 1, &[1; 32]),
        chain(&[0; 32], &room, 2, &[1; 32]),
        chain(&[0; 32], &room, 1, &[3; 32]),
        chain(&[0; 32], &stream(StreamType::Room, "b"), 1, &[1; 32]),
        chain(&[0; 32], &stream(StreamType::Thread, "a"), 1, &[1; 32]),
    ] {
        assert_ne!(base, other);
    }
}

#[test]
fn reads_only_the_hashes_it_renders() {
    let hash = [0xab; 32];
    let text = render_hash(&hash);
    assert_eq!(parse_hash(&text), Some(hash));
    for bad in
        ["", "sha256:", &text.to_uppercase(), &text[7..], &text[..69], &format!("{text}00"), &text.replace("ab", "xy")]
    {
        assert_eq!(parse_hash(bad), None, "{bad:?}");
    }
}
