//! Allows that record nothing else: kept for `why` and for replay, within a second, without making
//! anybody wait. When the store cannot follow, rows are dropped and counted.

use std::sync::OnceLock;
use std::time::Duration;

use store::rows::DecisionRow;
use store::{Command, Reads, Store, Tx};
use tokio::sync::mpsc;

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
    queue: OnceLock<mpsc::Sender<DecisionRow>>,
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
        if queue.try_send(row).is_err() {
            metrics::counter!("exeat_allow_log_dropped_total").increment(1);
        }
    }
}

async fn write(store: Store, mut queue: mpsc::Receiver<DecisionRow>) {
    let mut rows = Vec::new();
    while queue.recv_many(&mut rows, ROWS_MAX).await > 0 {
        let room = ROWS_MAX.saturating_sub(rows.len());
        if room > 0 {
            // Gathers, but does not wait any longer than that.
            let until = tokio::time::Instant::now() + GATHER;
            while rows.len() < ROWS_MAX {
                match tokio::time::timeout_at(until, queue.recv()).await {
                    Ok(Some(row)) => rows.push(row),
                    Ok(None) | Err(_) => break,
                }
            }
        }
        let count = rows.len() as u64;
        if let Err(error) = store.submit(KeepAllows { rows: std::mem::take(&mut rows) }).await {
            metrics::counter!("exeat_allow_log_dropped_total").increment(count);
            tracing::warn!(%error, rows = count, "allows could not be kept");
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
