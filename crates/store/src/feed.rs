//! The change feed: what was appended, pushed to whoever listens.
//!
//! A wake-up (from this process's recorder, or from another through `NOTIFY`) is only a hint;
//! reading by position is the truth, and a poll makes up for every hint that was lost.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::{Notify, broadcast};

use crate::db::read::Reader;
use crate::db::{ColumnType, DbError, Dialect, Param, Value};
use crate::rows::EventRow;

/// LIMIT: events a slow listener may lag behind before it has to read them from the store.
const BACKLOG: usize = 1_024;
/// LIMIT: events read at once.
const CHUNK: i64 = 500;
const IDLE: i64 = -1;

/// The handle to the feed.
#[derive(Clone)]
pub(crate) struct Feed {
    /// Made for the first who listens: its backlog is reserved at once.
    events: Arc<OnceLock<broadcast::Sender<Arc<EventRow>>>>,
    wake: Arc<Notify>,
    reader: Reader,
    last: Arc<AtomicI64>,
}

impl Feed {
    pub(crate) fn start(reader: Reader, poll: Duration) -> Self {
        let feed = Self {
            events: Arc::default(),
            wake: Arc::new(Notify::new()),
            reader,
            last: Arc::new(AtomicI64::new(IDLE)),
        };
        let task = feed.clone();
        tokio::spawn(async move {
            loop {
                let _ = tokio::time::timeout(poll, task.wake.notified()).await;
                if let Err(error) = task.push().await {
                    tracing::debug!(%error, "the change feed cannot read");
                }
            }
        });
        feed
    }

    pub(crate) fn poke(&self) {
        self.wake.notify_one();
    }

    /// What is appended from now on, and the position it begins after.
    pub(crate) async fn subscribe(&self) -> Result<(i64, broadcast::Receiver<Arc<EventRow>>), DbError> {
        let receiver = self.events.get_or_init(|| broadcast::Sender::new(BACKLOG)).subscribe();
        let head = head_position(&self.reader).await?;
        let _ = self.last.compare_exchange(IDLE, head, Ordering::SeqCst, Ordering::SeqCst);
        self.poke();
        Ok((head, receiver))
    }

    async fn push(&self) -> Result<(), DbError> {
        loop {
            let Some(events) = self.events.get().filter(|events| events.receiver_count() > 0) else {
                self.last.store(IDLE, Ordering::SeqCst);
                return Ok(());
            };
            let last = self.last.load(Ordering::SeqCst);
            if last == IDLE {
                return Ok(());
            }
            let rows = after(&self.reader, last, CHUNK).await?;
            let Some(end) = rows.last().map(|r| r.position) else { return Ok(()) };
            let full = rows.len() >= usize::try_from(CHUNK).unwrap_or(usize::MAX);
            for row in rows {
                let _ = events.send(Arc::new(row));
            }
            self.last.store(end, Ordering::SeqCst);
            if !full {
                return Ok(());
            }
        }
    }
}

/// The condition that keeps a reader below the oldest running transaction.
pub(crate) fn settled(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => "",
        Dialect::Postgres => " AND t.position < (pg_snapshot_xmin(pg_current_snapshot())::text::bigint << 20)",
    }
}

/// The position of the last settled event, 0 when there is none.
pub(crate) async fn head_position(reader: &Reader) -> Result<i64, DbError> {
    let text = format!(
        "SELECT coalesce(max(t.position), 0) FROM evt_events t WHERE t.position >= 0{}",
        settled(reader.dialect())
    );
    let rows = reader.values(&text, Vec::new(), &[ColumnType::Int]).await?;
    match rows.into_iter().next().and_then(|r| r.into_iter().next()) {
        Some(Value::Int(position)) => Ok(position),
        _ => Ok(0),
    }
}

async fn after(reader: &Reader, position: i64, limit: i64) -> Result<Vec<EventRow>, DbError> {
    let tail = format!("WHERE t.position > $1{} ORDER BY t.position LIMIT $2", settled(reader.dialect()));
    reader.rows(&tail, vec![Param::Int(position), Param::Int(limit)]).await
}
