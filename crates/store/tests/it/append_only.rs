//! Nobody changes or removes an event with the database's own tools.

use crate::harness::{Append, Bed};

mod cases {
    use crate::harness::on_both;
    on_both!(refuses_every_way_to_change_an_event);
}

async fn refuses_every_way_to_change_an_event(bed: &Bed) {
    let store = bed.open().await;
    store.submit(Append::one(None)).await.unwrap();
    let columns = "event_id, event_type, event_version, occurred_at, workspace_id, actor_type, actor_id, zone, \
                   stream_type, stream_id, stream_seq, correlation_id, redaction_level, contains_secrets, \
                   policy_context, model_context, display, data, position, event_leaf, event_hash";
    let copy =
        |id: &str, seq: &str| columns.replacen("event_id", id, 1).replace("stream_seq", seq).replace(" data", " '{}'");
    // The control: an insert of a new row is let through, so what refuses is not the statement's form.
    let fresh = format!("INSERT INTO evt_events ({columns}) SELECT {} FROM evt_events", copy("'e-new'", "77"));
    bed.sql(&fresh).unwrap();
    let mut attempts = vec![
        "UPDATE evt_events SET data = '{}'".to_owned(),
        "DELETE FROM evt_events".to_owned(),
        format!(
            "INSERT INTO evt_events ({columns}) SELECT {} FROM evt_events WHERE stream_seq = 1 \
             ON CONFLICT (event_id) DO UPDATE SET data = excluded.data",
            copy("event_id", "1")
        ),
    ];
    if bed.is_sqlite() {
        let by_id = format!(
            "INSERT OR REPLACE INTO evt_events ({columns}) SELECT {} FROM evt_events WHERE stream_seq = 1",
            copy("event_id", "5")
        );
        let by_place = format!(
            "REPLACE INTO evt_events ({columns}) SELECT {} FROM evt_events WHERE stream_seq = 1",
            copy("'e-other'", "1")
        );
        let by_rowid = "INSERT OR REPLACE INTO evt_events (rowid, event_id) VALUES (1, 'x')".to_owned();
        attempts.extend([by_id, by_place, by_rowid]);
    } else {
        attempts.push("TRUNCATE evt_events".to_owned());
    }
    for attempt in attempts {
        let error = bed.sql(&attempt).expect_err(&attempt);
        assert!(error.contains("append-only") || error.contains("rowid"), "{attempt}: {error}");
    }
    let workspace = crate::harness::workspace();
    let report = store.verify_stream(&workspace, &model::event::Stream::of(&workspace, None)).await.unwrap();
    assert_eq!(report.checked, 1);
}
