//! What runs beside the hot path: wake-ups between processes, and removing what has run out.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_postgres::AsyncMessage;

use crate::Store;
use crate::clock_now;
use crate::db::postgres::{PgTarget, classify};
use crate::db::{DbError, Param};
use crate::feed::Feed;
use crate::refresh::Refresher;

const CHANNEL: &str = "exeat";
/// The first wake-up goes out at once, then at most one per interval.
const COALESCE: Duration = Duration::from_millis(50);
const RECONNECT: Duration = Duration::from_secs(1);

/// Sends this process's wake-ups to the others, and pokes feed and refresher on theirs. Returns
/// what to notify after a commit.
pub(crate) fn remote_wake_ups(target: PgTarget, feed: Feed, refresher: Refresher) -> Arc<Notify> {
    let wake = Arc::new(Notify::new());
    let sender = (target.clone(), Arc::clone(&wake));
    tokio::spawn(async move {
        let (target, wake) = sender;
        loop {
            if let Err(error) = send(&target, &wake).await {
                tracing::debug!(%error, "wake-ups cannot be sent; polling goes on");
            }
            tokio::time::sleep(RECONNECT).await;
        }
    });
    tokio::spawn(async move {
        loop {
            if let Err(error) = listen(&target, &feed, &refresher).await {
                tracing::debug!(%error, "wake-ups cannot be heard; polling goes on");
            }
            tokio::time::sleep(RECONNECT).await;
        }
    });
    wake
}

async fn send(target: &PgTarget, wake: &Notify) -> Result<(), DbError> {
    let client = target.connect().await?;
    loop {
        wake.notified().await;
        client.batch_execute(&format!("NOTIFY {CHANNEL}")).await.map_err(|e| classify(&e))?;
        tokio::time::sleep(COALESCE).await;
    }
}

async fn listen(target: &PgTarget, feed: &Feed, refresher: &Refresher) -> Result<(), DbError> {
    let (client, mut connection) = target.config().connect(target.tls()).await.map_err(|e| classify(&e))?;
    let (heard, mut notices) = tokio::sync::mpsc::unbounded_channel();
    let driver = tokio::spawn(async move {
        while let Some(message) = poll_fn(|cx| connection.poll_message(cx)).await {
            match message {
                Ok(AsyncMessage::Notification(_)) => {
                    if heard.send(()).is_err() {
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
        while notices.recv().await.is_some() {
            feed.poke();
            refresher.poke();
        }
    }
    driver.abort();
    outcome
}

impl Store {
    /// Removes idempotency answers and quota uses that no longer matter. Nothing that is evidence.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be written.
    pub async fn remove_expired(&self) -> Result<(), DbError> {
        let now = clock_now();
        // An hour is what a quota looks back; a minute more for clocks that disagree.
        for (text, kept) in [
            ("DELETE FROM api_idempotency WHERE expires_at < $1", Duration::from_secs(60)),
            ("DELETE FROM quota_uses WHERE at < $1", Duration::from_secs(3_660)),
        ] {
            self.reader().execute(text, vec![Param::Time(now.minus(kept))]).await?;
        }
        Ok(())
    }
}
