//! Rooms.

use gate::rooms::CreateRoomInput;
use gate::{GateError, RefusalKind};
use model::Role;

use crate::bed::{Bed, assert_sound, caller, data_of, events, first, head, once, refusal};

mod both {
    use crate::bed::on_both;
    on_both!(begins_the_stream_of_a_room, refuses_what_is_not_a_room, answers_the_same_key_the_same, keeps_no_secret);
}

fn titled(title: &str) -> CreateRoomInput {
    CreateRoomInput { title: Some(title.to_owned()), ..CreateRoomInput::default() }
}

async fn begins_the_stream_of_a_room(bed: &Bed) {
    let gate = bed.gate().await;
    let caller = caller(&gate, Role::Operator, None).await;
    let before = head(&gate).await;
    let room = first(gate.create_room(&caller, titled("  Support "), None).await);
    let row = gate.store().room(&caller.workspace_id, &room.room_id).await.unwrap().unwrap();
    assert_eq!((row.title.as_str(), row.room_mode.as_str(), row.default_lang.as_str()), ("Support", "default", "en"));
    let event = events(&gate).await.pop().unwrap();
    assert_eq!((event.event_type.as_str(), event.stream_type.as_str(), event.stream_seq), ("room.created", "room", 1));
    assert_eq!((event.actor_type.as_str(), event.actor_id.as_str()), ("service", "api"));
    assert_eq!(event.actor_principal_id, Some(caller.principal_id.clone()));
    assert_eq!(head(&gate).await, before, "no decision rests on a room");
    assert_sound(bed, &gate).await;
}

async fn refuses_what_is_not_a_room(bed: &Bed) {
    let gate = bed.gate().await;
    let caller = caller(&gate, Role::Operator, None).await;
    let mode = |mode: &str| CreateRoomInput { room_mode: Some(mode.to_owned()), ..titled("a") };
    let lang = |lang: &str| CreateRoomInput { default_lang: Some(lang.to_owned()), ..titled("a") };
    for (input, code, field) in [
        (CreateRoomInput::default(), "missing_title", "/title"),
        (titled("  "), "missing_title", "/title"),
        (titled(&"x".repeat(301)), "invalid_request", "/title"),
        (mode("a b"), "invalid_request", "/room_mode"),
        (lang("en_US"), "invalid_request", "/default_lang"),
    ] {
        let refusal = refusal(gate.create_room(&caller, input, None).await);
        assert_eq!((refusal.kind, refusal.code, refusal.field.as_deref()), (RefusalKind::Invalid, code, Some(field)));
    }
    assert!(data_of(&gate, "room.created").await.is_empty());
}

async fn answers_the_same_key_the_same(bed: &Bed) {
    let gate = bed.gate().await;
    let caller = caller(&gate, Role::Operator, None).await;
    let room = first(gate.create_room(&caller, titled("a"), once(&caller, "k", "b1")).await);
    let again = gate.create_room(&caller, titled("a"), once(&caller, "k", "b1")).await.unwrap();
    assert!(again.replayed);
    assert_eq!(again.value, room);
    let other = gate.create_room(&caller, titled("b"), once(&caller, "k", "b2")).await;
    assert!(matches!(other, Err(GateError::KeyReused)), "{other:?}");
    assert_eq!(data_of(&gate, "room.created").await.len(), 1);
}

async fn keeps_no_secret(bed: &Bed) {
    let gate = bed.gate().await;
    let caller = caller(&gate, Role::Operator, None).await;
    let secret = "Bearer abcdefghijklmnopqrstuvwxyz0123456789";
    first(gate.create_room(&caller, titled(&format!("see {secret}")), None).await);
    let event = events(&gate).await.pop().unwrap();
    assert!(event.contains_secrets && event.data.as_str().contains("[redacted]"), "{}", event.data);
    assert!(!event.data.as_str().contains("abcdefghij"), "{}", event.data);
    first(gate.create_room(&caller, titled("see nothing"), None).await);
    assert!(!events(&gate).await.pop().unwrap().contains_secrets);
}
