//! Projections are a function of the events.

use model::event::EventType;
use serde_json::json;

use crate::harness::{Append, Bed};

mod cases {
    use crate::harness::on_both;
    on_both!(a_rebuild_gives_the_same_rows_and_mends_changed_ones);
}

async fn a_rebuild_gives_the_same_rows_and_mends_changed_ones(bed: &Bed) {
    let store = bed.open().await;
    for n in 0..5 {
        let mut room = Append::one(Some(&format!("room_{n}")));
        room.event_type = EventType::RoomCreated;
        room.data = json!({"title": format!("t{n}"), "room_mode": "default", "default_lang": "en"});
        store.submit(room).await.unwrap();
    }
    let mut asked = Append::one(Some("room_1"));
    asked.event_type = EventType::ApprovalRequested;
    asked.data = json!({"approval_id": "appr_1", "action": "external.write",
        "scope": {"type": "once"}, "request": {"ask_digest": "d1", "target_domain": "example.com"}});
    store.submit(asked).await.unwrap();
    let clean = store::rebuild(&bed.location).await.unwrap();
    assert!(clean.tables.iter().all(|t| t.differing == 0), "{clean:?}");
    assert_eq!(clean.tables.iter().map(|t| t.rows).sum::<u64>(), 6);

    bed.sql("UPDATE proj_rooms SET title = 'x' WHERE room_id = 'room_2'").unwrap();
    bed.sql("DELETE FROM proj_rooms WHERE room_id = 'room_3'").unwrap();
    bed.sql("UPDATE proj_rooms SET room_id = 'room_z' WHERE room_id = 'room_4'").unwrap();
    let mended = store::rebuild(&bed.location).await.unwrap();
    let rooms = mended.tables.iter().find(|t| t.name == "proj_rooms").unwrap();
    assert_eq!((rooms.rows, rooms.differing), (5, 4));
    let again = store::rebuild(&bed.location).await.unwrap();
    assert!(again.tables.iter().all(|t| t.differing == 0), "{again:?}");
}
