//! A store of an earlier version is brought up to date, and keeps what it has.

use model::run::RunStatus;
use store::query::RunFilter;
use store::{OpenError, Store, StoreConfig};

use crate::harness::{Append, Bed, defaults, workspace};

mod cases {
    use crate::harness::on_both;
    on_both!(a_store_without_the_queue_gets_one);
}

const FIRST: [&str; 2] =
    [include_str!("../../migrations/0001_gate.sqlite.sql"), include_str!("../../migrations/0001_gate.postgres.sql")];

/// The schema as it was before there was a queue, with a run in it.
fn first(bed: &Bed) {
    let schema = FIRST[usize::from(!bed.is_sqlite())];
    bed.sql(schema).unwrap();
    bed.sql(
        "CREATE TABLE schema_migrations (number bigint PRIMARY KEY, name text NOT NULL); \
         INSERT INTO schema_migrations (number, name) VALUES (1, 'gate'); \
         INSERT INTO proj_runs (run_id, workspace_id, status, correlation_id, created_at, updated_at, last_event_id) \
         VALUES ('run_old', 'ws_test', 'queued', 'c', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z', 'e')",
    )
    .unwrap();
}

async fn a_store_without_the_queue_gets_one(bed: &Bed) {
    first(bed);
    let missing = |table: &str| bed.sql(&format!("SELECT count(*) FROM {table}")).is_err();
    assert!(missing("run_queue") && !missing("proj_runs"));
    let status = store::schema_status(&bed.location).await.unwrap();
    assert_eq!((status.applied, status.pending.first().copied()), (1, Some("runs")));
    assert!(status.known >= 2);

    // Who is not told to migrate does not.
    let mut config = StoreConfig::new(bed.location.clone(), defaults());
    config.migrate = false;
    let refused = Store::open(config.clone()).await.err().unwrap();
    assert!(matches!(refused, OpenError::TooOld { applied: 1, known } if known == status.known), "{refused:?}");
    assert!(missing("run_queue"));

    // Several at once: one does the work.
    let moved = tokio::join!(store::migrate(&bed.location, None), store::migrate(&bed.location, None));
    for moved in [moved.0.unwrap(), moved.1.unwrap()] {
        assert_eq!((moved.applied, moved.known, moved.pending.len()), (status.known, status.known, 0));
    }
    for table in ["run_queue", "run_leases", "run_waits", "run_attempts"] {
        assert!(!missing(table), "{table}");
    }
    let store = Store::open(config).await.unwrap();
    let runs = store.runs(&workspace(), &RunFilter::default(), None, 10).await.unwrap();
    assert_eq!(runs.len(), 1, "what was there is still there");
    assert_eq!((runs[0].run_id.as_str(), runs[0].status, runs[0].attempt_no), ("run_old", RunStatus::Queued, 0));
    let backlog = store.run_backlog(10).await.unwrap();
    assert_eq!((backlog.queued, backlog.leased, backlog.waiting), (0, 0, 0));
    store.submit(Append::one(None)).await.unwrap();
    assert!(store.verify_all(&[]).await.unwrap().valid);
}
