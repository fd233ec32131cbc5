//! What runs beside the hot path: wake-ups between processes, and removing what has run out.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_postgres::AsyncMessage;

use crate::clock_now;
use crate::db::postgres::{PgTarget, classify};
use crate::db::{DbError, Param};
use crate::feed::Feed;
use crate::refresh::Refresher;
use crate::{RunsWake, Store};

const CHANNEL: &str = "exeat";
/// The first wake-up goes out at once, then at most one per interval.
const COALESCE: Duration = Duration::from_millis(50);
const RECONNECT: Duration = Duration::from_secs(1);

/// What this process tells the others.
pub(crate) struct Remote {
    wake: Notify,
    /// Whether one of the commits since the last wake-up made runs ready.
    runs: AtomicBool,
}

/// The payload of a wake-up after which there may be runs to take.
const RUNS: &str = "runs";

impl Remote {
    /// Sends this process's wake-ups to the others, and pokes what is here on theirs.
    pub(crate) fn start(target: PgTarget, feed: &Feed, refresher: &Refresher, runs: &RunsWake) -> Arc<Self> {
        let remote = Arc::new(Self { wake: Notify::new(), runs: AtomicBool::new(false) });
        let (sender, to) = (Arc::clone(&remote), target.clone());
        tokio::spawn(async move {
            loop {
                if let Err(error) = sender.send(&to).await {
                    tracing::debug!(%error, "wake-ups cannot be sent; polling goes on");
                }
                tokio::time::sleep(RECONNECT).await;
            }
        });
        let (feed, refresher, runs) = (feed.clone(), refresher.clone(), runs.clone());
        tokio::spawn(async move {
            loop {
                let heard = |payload: &str| {
                    feed.poke();
                    refresher.poke();
                    if payload == RUNS {
                        runs.wake();
                    }
                };
                if let Err(error) = listen(&target, heard).await {
                    tracing::debug!(%error, "wake-ups cannot be heard; polling goes on");
                }
                tokio::time::sleep(RECONNECT).await;
            }
        });
        remote
    }

    /// Tells the others of a commit.
    pub(crate) fn tell(&self, runs: bool) {
        if runs {
            self.runs.store(true, Ordering::Release);
        }
        self.wake.notify_one();
    }

    async fn send(&self, target: &PgTarget) -> Result<(), DbError> {
        let client = target.connect().await?;
        loop {
            self.wake.notified().await;
            let text = match self.runs.swap(false, Ordering::AcqRel) {
                true => format!("NOTIFY {CHANNEL}, '{RUNS}'"),
                false => format!("NOTIFY {CHANNEL}"),
            };
            client.batch_execute(&text).await.map_err(|e| classify(&e))?;
            tokio::time::sleep(COALESCE).await;
        }
    }
}

async fn listen(target: &PgTarget, on_notice: impl Fn(&str)) -> Result<(), DbError> {
    let (client, mut connection) = target.config().connect(target.tls()).await.map_err(|e| classify(&e))?;
    let (heard, mut notices) = tokio::sync::mpsc::unbounded_channel();
    let driver = tokio::spawn(async move {
        while let Some(message) = poll_fn(|cx| connection.poll_message(cx)).await {
            match message {
                Ok(AsyncMessage::Notification(notice)) => {
                    if heard.send(notice.payload().to_owned()).is_err() {
                        break;
                    }
                }
                Ok(_) => {}
                Err(_) => break,
            }
        }
    });
    let outcome = client.batch_execute(&format!("LISTEN {CHANNEL}")).await.map_err(|e| classify(&e));
    if outcome.is_ok() {
        while let Some(payload) = notices.recv().await {
            on_notice(&payload);
        }
    }
    driver.abort();
    outcome
}

impl Store {
    /// Removes idempotency answers and quota uses that no longer matter, and what of the decision log
    /// is older than `log_kept`. Nothing that is evidence.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be written.
    pub async fn remove_expired(&self, log_kept: Duration) -> Result<(), DbError> {
        let now = clock_now();
        // An hour is what a quota looks back; a minute more for clocks that disagree.
        for (text, kept) in [
            ("DELETE FROM api_idempotency WHERE expires_at < $1", Duration::from_secs(60)),
            ("DELETE FROM quota_uses WHERE at < $1", Duration::from_secs(3_660)),
            // A counter may go when nothing that it counts can be used again; a day for clocks that disagree.
            ("DELETE FROM capability_uses WHERE ends_at < $1", Duration::from_secs(24 * 3_600)),
            // A run takes 30 days at most.
            ("DELETE FROM tool_executions WHERE created_at < $1", Duration::from_secs(40 * 24 * 3_600)),
            // One that only slept looks its old name up when it wakes.
            ("DELETE FROM guard_marks WHERE event_id IS NOT NULL AND created_at < $1", Duration::from_secs(24 * 3_600)),
            ("DELETE FROM egress_gateways WHERE swept_at < $1", Duration::from_secs(24 * 3_600)),
        ] {
            self.reader().execute(text, vec![Param::Time(now.minus(kept))]).await?;
        }
        self.remove_decision_log(now.minus(log_kept)).await?;
        Ok(())
    }
}
