//! Allows that record nothing else: kept for `why` and for replay, within a second, without making
//! anybody wait. When the store cannot follow, rows are dropped and counted.

use std::sync::OnceLock;
use std::time::Duration;

use store::rows::DecisionRow;
use store::{Command, Reads, Store, Tx};
use tokio::sync::{mpsc, oneshot};

use crate::Refusal;

/// LIMIT: how many rows wait.
const QUEUE_MAX: usize = 16_384;
/// LIMIT: how many rows one command writes.
const ROWS_MAX: usize = 1_024;
/// How long rows are gathered.
const GATHER: Duration = Duration::from_millis(200);

/// The handle to the task that writes allows. The task starts with the first one and ends with the
/// last handle, after writing what waits.
pub(crate) struct AllowLog {
    store: Store,
    queue: OnceLock<mpsc::Sender<Waiting>>,
}

enum Waiting {
    Row(Box<DecisionRow>),
    /// Told once everything before it is kept, or lost.
    Flush(oneshot::Sender<()>),
}

impl AllowLog {
    pub(crate) fn new(store: Store) -> Self {
        Self { store, queue: OnceLock::new() }
    }

    /// Keeps a row soon.
    pub(crate) fn keep(&self, row: DecisionRow) {
        let queue = self.queue.get_or_init(|| {
            let (send, receive) = mpsc::channel(QUEUE_MAX);
            tokio::spawn(write(self.store.clone(), receive));
            send
        });
        if queue.try_send(Waiting::Row(Box::new(row))).is_err() {
            metrics::counter!("exeat_allow_log_dropped_total").increment(1);
        }
    }

    /// Waits until what was kept before is written.
    pub(crate) async fn flush(&self) {
        let Some(queue) = self.queue.get() else { return };
        let (told, done) = oneshot::channel();
        if queue.send(Waiting::Flush(told)).await.is_ok() {
            let _ = done.await;
        }
    }
}

async fn write(store: Store, mut queue: mpsc::Receiver<Waiting>) {
    let mut waiting = Vec::new();
    while queue.recv_many(&mut waiting, ROWS_MAX).await > 0 {
        // Gathers, but does not wait any longer than that.
        let until = tokio::time::Instant::now() + GATHER;
        while waiting.len() < ROWS_MAX && !waiting.iter().any(|each| matches!(each, Waiting::Flush(_))) {
            match tokio::time::timeout_at(until, queue.recv()).await {
                Ok(Some(each)) => waiting.push(each),
                Ok(None) | Err(_) => break,
            }
        }
        let (mut rows, mut told) = (Vec::new(), Vec::new());
        for each in waiting.drain(..) {
            match each {
                Waiting::Row(row) => rows.push(*row),
                Waiting::Flush(done) => told.push(done),
            }
        }
        let count = rows.len() as u64;
        if count > 0
            && let Err(error) = store.submit(KeepAllows { rows }).await
        {
            metrics::counter!("exeat_allow_log_dropped_total").increment(count);
            tracing::warn!(%error, rows = count, "allows could not be kept");
        }
        for done in told {
            let _ = done.send(());
        }
    }
}

struct KeepAllows {
    rows: Vec<DecisionRow>,
}

impl Command for KeepAllows {
    type Output = ();
    type Refusal = Refusal;

    fn reads(&self, _: &mut Reads) {}

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<(), Refusal> {
        for row in &self.rows {
            tx.insert_decision(row.clone());
        }
        Ok(())
    }
}
