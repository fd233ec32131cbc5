//! Events as they happen, as server-sent events: pushed from the change feed, resumed by position.
//!
//! The feed is subscribed to before the log is read, and everything up to the place the log was read
//! to is dropped from the feed: so nothing is skipped and nothing comes twice. A listener that is too
//! slow for the feed reads what it missed from the log.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures::stream::unfold;
use gate::{AuthError, Caller};
use http::{HeaderValue, Response, StatusCode};
use store::query::EventFilter;
use store::rows::EventRow;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use crate::api::Api;
use crate::call::{Call, with_type};
use crate::problem::{Problem, Reply};
use crate::query::Query;
use crate::view::Event;

/// How often a silent stream says that it is alive.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How often a stream looks whether its key is still good.
const KEY_CHECK: Duration = Duration::from_secs(2);
/// LIMIT: events read from the log at once.
const CHUNK: i64 = 200;

/// Where a stream begins.
pub(crate) enum Start {
    /// After this position of the log.
    After(i64),
    /// With what happens from now on.
    Now,
}

/// Reads `Last-Event-ID`, which wins over everything else that says where to begin.
///
/// # Errors
/// 400 when it is none that this server gave.
pub(crate) fn last_event_id(call: &Call) -> Result<Option<i64>, Problem> {
    let Some(text) = call.header("last-event-id").map(str::trim).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let plain = text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<i64>().ok()).flatten();
    plain.map(Some).ok_or_else(|| Problem::invalid("last-event-id", "not an id of this stream"))
}

/// Whether the query says where to begin, for streams that begin with now otherwise.
pub(crate) fn says_where(query: &Query<'_>) -> Result<bool, Problem> {
    Ok(query.one("from_seq")?.is_some() || query.one("after")?.is_some())
}

/// Opens the stream.
///
/// # Errors
/// 503 when the log cannot be read.
pub(crate) async fn open(call: &Call, filter: EventFilter, start: Start) -> Reply {
    let (head, feed) = call.store().subscribe().await?;
    let (position, catching_up) = match start {
        Start::After(position) => (position, true),
        Start::Now => (head, false),
    };
    let now = Instant::now();
    let stream = Stream {
        api: call.api.clone(),
        caller: Caller::clone(&call.caller),
        filter,
        feed,
        position,
        catching_up,
        ready: VecDeque::new(),
        greeted: false,
        heartbeat: every(HEARTBEAT, now),
        key_check: every(KEY_CHECK, now),
    };
    let frames = unfold(stream, |mut stream| async move {
        let frame = stream.next().await?;
        Some((Ok::<Bytes, std::convert::Infallible>(frame), stream))
    });
    let mut response: Response<Body> = with_type(StatusCode::OK, "text/event-stream", Body::from_stream(frames));
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

fn every(period: Duration, now: Instant) -> Interval {
    let mut interval = interval_at(now + period, period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

struct Stream {
    api: Api,
    caller: Caller,
    filter: EventFilter,
    feed: Receiver<Arc<EventRow>>,
    /// Everything up to here was sent or not wanted.
    position: i64,
    /// Whether the log has more than was read of it.
    catching_up: bool,
    ready: VecDeque<Bytes>,
    greeted: bool,
    heartbeat: Interval,
    key_check: Interval,
}

/// What woke the stream.
enum Wake {
    Pushed(Result<Arc<EventRow>, RecvError>),
    Heartbeat,
    KeyCheck,
    Closing,
}

impl Stream {
    /// The next bytes to send; none at the end.
    async fn next(&mut self) -> Option<Bytes> {
        if !self.greeted {
            self.greeted = true;
            return Some(Bytes::from_static(b": open\n\n"));
        }
        loop {
            if let Some(frame) = self.ready.pop_front() {
                self.heartbeat.reset();
                return Some(frame);
            }
            if self.catching_up {
                self.read_log().await?;
                continue;
            }
            match self.wake().await {
                Wake::Closing => return None,
                Wake::Heartbeat => return Some(Bytes::from_static(b": alive\n\n")),
                Wake::KeyCheck => self.check_key().await?,
                Wake::Pushed(Ok(row)) => self.take(&row).await?,
                Wake::Pushed(Err(RecvError::Lagged(_))) => self.catching_up = true,
                Wake::Pushed(Err(RecvError::Closed)) => return None,
            }
        }
    }

    async fn wake(&mut self) -> Wake {
        let closing = self.api.closing().clone();
        tokio::select! {
            biased;
            () = closing.cancelled() => Wake::Closing,
            _ = self.key_check.tick() => Wake::KeyCheck,
            row = self.feed.recv() => Wake::Pushed(row),
            _ = self.heartbeat.tick() => Wake::Heartbeat,
        }
    }

    /// Takes one event of the feed, unless the log gave it already.
    async fn take(&mut self, row: &EventRow) -> Option<()> {
        if row.position <= self.position {
            return Some(());
        }
        if matches!(row.event_type.as_str(), "key.revoked" | "principal.revoked") {
            self.check_key().await?;
        }
        self.position = row.position;
        if row.workspace_id == self.caller.workspace_id && self.filter.wants(row) {
            self.ready.push_back(frame(row.clone()));
        }
        Some(())
    }

    /// Reads on in the log. A log that cannot be read ends the stream: the client comes back with
    /// the last id it saw.
    async fn read_log(&mut self) -> Option<()> {
        if self.api.closing().is_cancelled() {
            return None;
        }
        let store = self.api.gate().store();
        let rows = match store.events(&self.caller.workspace_id, &self.filter, self.position, CHUNK).await {
            Ok(rows) => rows,
            Err(error) => {
                tracing::warn!(%error, "an event stream cannot read the log");
                return None;
            }
        };
        self.catching_up = i64::try_from(rows.len()).is_ok_and(|rows| rows >= CHUNK);
        for row in rows {
            self.position = row.position;
            self.ready.push_back(frame(row));
        }
        self.check_key_when_due().await
    }

    /// A long catch-up does not outlive its key either.
    async fn check_key_when_due(&mut self) -> Option<()> {
        let due = tokio::time::timeout(Duration::ZERO, self.key_check.tick()).await.is_ok();
        if due { self.check_key().await } else { Some(()) }
    }

    /// Ends the stream when its key is no longer good. A store that cannot be read proves nothing.
    async fn check_key(&mut self) -> Option<()> {
        match self.api.gate().fresh(self.caller.clone()).await {
            Ok(caller) => {
                self.caller = caller;
                Some(())
            }
            Err(AuthError::Unavailable(_)) => Some(()),
            Err(_) => None,
        }
    }
}

fn frame(row: EventRow) -> Bytes {
    let position = row.position;
    let data = serde_json::to_string(&Event::from(row)).unwrap_or_default();
    Bytes::from(format!("id: {position}\ndata: {data}\n\n"))
}
