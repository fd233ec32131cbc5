//! Streams have no gaps, the chain verifies, and tampering is found and named.

use model::event::EventType;
use serde_json::json;
use store::MismatchKind;
use store::query::EventFilter;

use crate::harness::{Append, Bed, context, workspace};

mod cases {
    use crate::harness::on_both;
    on_both!(
        appends_without_gaps_under_concurrency,
        refusal_writes_nothing,
        finds_a_flipped_byte,
        finds_a_removed_row,
        finds_a_swapped_pair,
        finds_a_cut_tail_against_a_kept_head,
        feed_gives_every_event_once,
        survives_reopening,
    );
}

async fn appends_without_gaps_under_concurrency(bed: &Bed) {
    let store = bed.open().await;
    let mut tasks = Vec::new();
    for n in 0..40 {
        let store = store.clone();
        tasks.push(tokio::spawn(async move {
            let room = if n % 2 == 0 { Some("room_a") } else { None };
            for _ in 0..10 {
                let mut command = Append::one(room);
                command.count = 2;
                store.submit(command).await.unwrap();
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let report = store.verify_all(&[]).await.unwrap();
    assert!(report.valid, "{report:?}");
    assert_eq!((report.streams, report.events), (2, 800));
    store.settled().await.unwrap();
    let events = store.events(&workspace(), &EventFilter::default(), 0, 1_000).await.unwrap();
    assert_eq!(events.len(), 800);
    assert!(events.windows(2).all(|w| w[0].position < w[1].position), "positions rise");
    let principals: std::collections::BTreeSet<_> = events.iter().map(|e| e.actor_principal_id.clone()).collect();
    assert_eq!(principals.len(), 1, "one actor has one principal, made once");
}

async fn refusal_writes_nothing(bed: &Bed) {
    struct Refuses;
    impl store::Command for Refuses {
        type Output = ();
        type Refusal = &'static str;
        fn reads(&self, reads: &mut store::Reads) {
            Append::one(Some("room_a")).reads(reads);
        }
        fn settle(&mut self, tx: &mut store::Tx<'_>) -> Result<(), &'static str> {
            Append::one(Some("room_a")).settle(tx).map(|_| ())?;
            Err("no")
        }
    }
    let store = bed.open().await;
    let (good, bad) = tokio::join!(store.submit(Append::one(Some("room_a"))), store.submit(Refuses));
    assert!(good.is_ok());
    assert!(matches!(bad, Err(store::SubmitError::Refused("no"))));
    let report = store.verify_all(&[]).await.unwrap();
    assert!(report.valid, "{report:?}");
    assert_eq!(report.events, 1);
}

async fn prepared(bed: &Bed) -> store::Store {
    let store = bed.open().await;
    for n in 0..5 {
        let mut command = Append::one(None);
        command.data = json!({"n": n});
        store.submit(command).await.unwrap();
    }
    assert!(store.verify_all(&[]).await.unwrap().valid, "the control: it verifies before");
    store
}

/// Somebody who owns the database switches its protection off first.
fn tamper(bed: &Bed, text: &str) {
    let off = if bed.is_sqlite() {
        "DROP TRIGGER evt_events_no_update; DROP TRIGGER evt_events_no_delete;"
    } else {
        "ALTER TABLE evt_events DISABLE TRIGGER ALL;"
    };
    bed.sql(&format!("{off} {text}")).unwrap();
}

async fn finds_a_flipped_byte(bed: &Bed) {
    let store = prepared(bed).await;
    tamper(bed, "UPDATE evt_events SET data = '{\"n\":9}' WHERE stream_seq = 3");
    let fault = store.verify_all(&[]).await.unwrap().faults.remove(0).first_mismatch.unwrap();
    assert_eq!((fault.stream_seq, fault.kind), (3, MismatchKind::EventHashMismatch));
}

async fn finds_a_removed_row(bed: &Bed) {
    let store = prepared(bed).await;
    tamper(bed, "DELETE FROM evt_events WHERE stream_seq = 3");
    let fault = store.verify_all(&[]).await.unwrap().faults.remove(0).first_mismatch.unwrap();
    assert_eq!((fault.stream_seq, fault.kind), (3, MismatchKind::Gap));
}

async fn finds_a_swapped_pair(bed: &Bed) {
    let store = prepared(bed).await;
    tamper(
        bed,
        "UPDATE evt_events SET stream_seq = 99 WHERE stream_seq = 2; \
         UPDATE evt_events SET stream_seq = 2 WHERE stream_seq = 3; \
         UPDATE evt_events SET stream_seq = 3 WHERE stream_seq = 99;",
    );
    let fault = store.verify_all(&[]).await.unwrap().faults.remove(0).first_mismatch.unwrap();
    assert_eq!(fault.stream_seq, 2);
}

async fn finds_a_cut_tail_against_a_kept_head(bed: &Bed) {
    let store = prepared(bed).await;
    let kept = store.stream_heads().await.unwrap();
    assert!(store.verify_all(&kept).await.unwrap().valid, "the control: the kept head fits");
    store.settled().await.unwrap();
    let four = store.events(&workspace(), &EventFilter::default(), 0, 10).await.unwrap()[3].event_hash.clone();
    tamper(
        bed,
        &format!(
            "DELETE FROM evt_events WHERE stream_seq = 5; \
             UPDATE evt_stream_heads SET next_seq = 5, last_event_hash = '{four}';"
        ),
    );
    assert!(store.verify_all(&[]).await.unwrap().valid, "without the kept head a careful cut cannot be seen");
    let fault = store.verify_all(&kept).await.unwrap().faults.remove(0).first_mismatch.unwrap();
    assert_eq!((fault.stream_seq, fault.kind), (5, MismatchKind::TailMissing));
}

async fn feed_gives_every_event_once(bed: &Bed) {
    let store = bed.open().await;
    store.submit(Append::one(None)).await.unwrap();
    store.settled().await.unwrap();
    let (_, mut receiver) = store.subscribe().await.unwrap();
    let writer = store.clone();
    let writing = tokio::spawn(async move {
        for _ in 0..50 {
            writer.submit(Append::one(None)).await.unwrap();
        }
    });
    let mut seqs = Vec::new();
    while seqs.len() < 50 {
        let event = tokio::time::timeout(std::time::Duration::from_secs(60), receiver.recv()).await.unwrap().unwrap();
        seqs.push(event.stream_seq);
    }
    writing.await.unwrap();
    assert_eq!(seqs, (2..=51).collect::<Vec<i64>>());
}

async fn survives_reopening(bed: &Bed) {
    let store = bed.open().await;
    let mut room = Append::one(Some("room_b"));
    room.event_type = EventType::RoomCreated;
    room.data = json!({"title": "B", "room_mode": "default", "default_lang": "en"});
    store.submit(room).await.unwrap();
    drop(store);
    let store = bed.open().await;
    store.submit(Append::one(Some("room_b"))).await.unwrap();
    let report = store.verify_all(&[]).await.unwrap();
    assert!(report.valid);
    assert_eq!(report.events, 2);
    let rooms = store.rooms(&workspace(), None, 10).await.unwrap();
    assert_eq!(rooms[0].title, "B");
    assert_eq!(context(Some("room_b")).room_id, Some(rooms[0].room_id.clone()));
}
