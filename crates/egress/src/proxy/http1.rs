//! HTTP/1 with a client: one request after another, in order.
//!
//! The same loop serves the proxy's own port, and the inside of a tunnel to port 80.

mod answer;
mod body;
mod connect;
mod drain;
mod relay;
mod request;

use std::sync::Arc;

use bytes::Bytes;
use tokio::io::AsyncWriteExt as _;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use wire::Authority;
use wire::http::{Head, HeadReader, Mode};

use super::Inner;
use super::identity::Visitor;
use super::live::Live;
use super::refusal::{Form, Refusal};
use super::stream::Client;
use super::tunnel::{Open, Tunnel};

/// What becomes of a client's connection.
pub(super) enum After {
    /// It is over.
    Close,
    /// It is a tunnel now.
    Tunnel(Box<Tunnel>),
}

/// A client that speaks HTTP/1.
pub(super) struct Session {
    pub(super) inner: Arc<Inner>,
    pub(super) client: Client,
    pub(super) visitor: Visitor,
    pub(super) stop: CancellationToken,
    /// Where the tunnel leads that this is the inside of.
    pub(super) inside: Option<Authority>,
    live: Arc<Live>,
    out: answer::Out,
    /// Set while a request may become a tunnel.
    open: Option<Open>,
    /// Room to look for credentials in.
    room: Vec<u8>,
}

/// Whether the connection goes on after a request.
pub(super) enum Next {
    Go,
    Close,
    /// Close, but the client may still be sending: read that, or it never sees the answer.
    Linger,
    Tunnel(Box<Tunnel>),
    /// The same loop from here on, inside of a tunnel.
    Inside(Authority),
}

impl Session {
    pub(super) fn new(inner: Arc<Inner>, client: Client, visitor: Visitor, stop: CancellationToken) -> Self {
        let live = inner.live.open();
        Self {
            inner,
            client,
            visitor,
            stop,
            inside: None,
            live,
            out: answer::Out::default(),
            open: None,
            room: Vec::new(),
        }
    }

    /// Serves until the connection is over, or has become a tunnel.
    pub(super) async fn serve(mut self) -> (After, Option<Client>) {
        let mut reader = self.reader();
        loop {
            let head = match self.head(&mut reader).await {
                Ok(Some(head)) => head,
                Ok(None) => return (After::Close, None),
                Err(refusal) => {
                    self.inner.meters.turned_away(refusal.code);
                    if let Some(place) = &self.inside {
                        self.visitor.confined().tell_unasked(place, "CONNECT", &refusal).await;
                    }
                    let _ = self.say(refusal.answer_http1(Form::Problem, false, false)).await;
                    self.linger().await;
                    return (After::Close, None);
                }
            };
            let next = if head.is_connect() {
                Box::pin(self.connect(&head)).await
            } else {
                Box::pin(self.request(head)).await
            };
            match next {
                Next::Go if self.stop.is_cancelled() => return (After::Close, None),
                Next::Go => {}
                Next::Close => return (After::Close, None),
                Next::Linger => {
                    self.linger().await;
                    return (After::Close, None);
                }
                Next::Tunnel(tunnel) => return (After::Tunnel(tunnel), Some(self.client)),
                Next::Inside(authority) => {
                    self.inside = Some(authority);
                    reader = self.reader();
                }
            }
        }
    }

    fn reader(&self) -> HeadReader {
        let mode = if self.inside.is_some() { Mode::Origin } else { Mode::Proxy };
        HeadReader::new(mode, self.inner.config.head)
    }

    /// The next head; `None` when the client has gone, or said nothing for long, or all is to stop.
    async fn head(&mut self, reader: &mut HeadReader) -> Result<Option<Head>, Box<Refusal>> {
        let timeouts = self.inner.config.timeouts;
        let mut until: Option<Instant> = None;
        loop {
            if let Some(head) = reader.read(&mut self.client.buffer).map_err(Refusal::fault)? {
                return Ok(Some(head));
            }
            let between = reader.is_between_requests(&self.client.buffer);
            let filled = if between {
                tokio::select! {
                    biased;
                    filled = timeout(timeouts.keep_alive, self.client.fill()) => match filled {
                        Ok(filled) => filled,
                        Err(_) => return Ok(None),
                    },
                    () = self.stop.cancelled() => return Ok(None),
                }
            } else {
                let until = *until.get_or_insert_with(|| Instant::now() + timeouts.head);
                match timeout_at(until, self.client.fill()).await {
                    Ok(filled) => filled,
                    Err(_) => return Err(Refusal::head_timeout()),
                }
            };
            if !matches!(filled, Ok(1..)) {
                return Ok(None);
            }
        }
    }

    /// Writes an answer of ours.
    async fn say(&mut self, bytes: Bytes) -> std::io::Result<()> {
        self.client.stream.write_all(&bytes).await?;
        self.client.stream.flush().await
    }
}
