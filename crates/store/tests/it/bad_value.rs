//! One bad value fails alone; a store that refuses to write says so and changes nothing.

use model::event::EventType;
use store::SubmitError;

use crate::harness::{Append, Bed};

mod cases {
    use crate::harness::on_both;
    on_both!(only_the_bad_item_of_a_batch_fails, a_store_that_refuses_fails_every_waiter);
}

async fn only_the_bad_item_of_a_batch_fails(bed: &Bed) {
    let store = bed.open().await;
    let check = if bed.is_sqlite() {
        "CREATE TRIGGER bad BEFORE INSERT ON proj_rooms WHEN NEW.title = 'bad' BEGIN SELECT RAISE(FAIL, 'x') ; END"
    } else {
        "ALTER TABLE proj_rooms ADD CONSTRAINT bad CHECK (title <> 'bad')"
    };
    // On SQLite a CHECK cannot be added later; a unique index on the title does as well.
    let check = if bed.is_sqlite() { "CREATE UNIQUE INDEX one_title ON proj_rooms (title)" } else { check };
    bed.sql(check).unwrap();
    let room = |id: &str, title: &str| {
        let mut command = Append::one(Some(id));
        command.event_type = EventType::RoomCreated;
        command.data = serde_json::json!({"title": title, "room_mode": "default", "default_lang": "en"});
        command
    };
    store.submit(room("room_0", if bed.is_sqlite() { "bad" } else { "good" })).await.unwrap();
    let mut tasks = Vec::new();
    for n in 1..=20 {
        let store = store.clone();
        let title = if n == 7 { "bad".to_owned() } else { format!("t{n}") };
        let command = room(&format!("room_{n}"), &title);
        tasks.push((n, tokio::spawn(async move { store.submit(command).await.map(|_| ()) })));
    }
    for (n, task) in tasks {
        let outcome = task.await.unwrap();
        assert_eq!(outcome.is_err(), n == 7, "item {n}: {outcome:?}");
    }
    assert!(store.verify_all(&[]).await.unwrap().valid);
}

async fn a_store_that_refuses_fails_every_waiter(bed: &Bed) {
    let store = bed.open().await;
    store.submit(Append::one(None)).await.unwrap();
    let (on, off) = if bed.is_sqlite() {
        (
            "CREATE TRIGGER broken BEFORE INSERT ON evt_events BEGIN SELECT RAISE(ABORT, 'disk on fire'); END",
            "DROP TRIGGER broken",
        )
    } else {
        (
            "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN RAISE EXCEPTION 'disk on fire'; END $$; \
             CREATE TRIGGER broken BEFORE INSERT ON evt_events FOR EACH ROW EXECUTE FUNCTION broken()",
            "DROP TRIGGER broken ON evt_events",
        )
    };
    bed.sql(on).unwrap();
    assert!(matches!(store.submit(Append::one(None)).await, Err(SubmitError::Failed(_))));
    bed.sql(off).unwrap();
    store.submit(Append::one(None)).await.unwrap();
    let report = store.verify_all(&[]).await.unwrap();
    assert!(report.valid);
    assert_eq!(report.events, 2, "what was refused left nothing behind");
}
