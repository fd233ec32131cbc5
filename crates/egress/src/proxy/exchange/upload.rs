//! The body of a request on its way to the origin: one piece at a time, handed over by whoever reads the
//! client.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::proxy::live::Live;
use crate::proxy::scan::{BodyScan, Stray};

/// The body will not come to its end.
#[derive(Debug, thiserror::Error)]
#[error("the client did not send the whole body")]
pub(in crate::proxy) struct Aborted;

/// The body of a request.
pub(in crate::proxy) enum Upload {
    /// There is none.
    None,
    /// From a client, by way of a [`Slot`].
    Client {
        /// Where the pieces come.
        slot: Arc<Slot>,
        /// How long it is, when the client said.
        length: Option<u64>,
    },
    /// A stream of HTTP/2.
    Stream {
        /// Its body.
        body: Incoming,
        /// What counts its bytes.
        live: Arc<Live>,
        /// What looks at them.
        scan: Box<BodyScan>,
        /// What was read behind the bytes that the scan still had.
        after: Option<Frame<Bytes>>,
    },
}

impl Upload {
    /// The body of a stream of HTTP/2.
    pub(in crate::proxy) fn of_stream(body: Incoming, live: Arc<Live>, scan: BodyScan) -> Self {
        if body.is_end_stream() { Self::None } else { Self::Stream { body, live, scan: Box::new(scan), after: None } }
    }
}

/// Room for one piece.
#[derive(Default)]
pub(in crate::proxy) struct Slot(Mutex<State>);

#[derive(Default)]
struct State {
    piece: Option<Bytes>,
    trailers: Option<HeaderMap>,
    end: bool,
    failed: bool,
    taken: bool,
}

impl Slot {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether another piece may be put.
    pub(in crate::proxy) fn is_free(&self) -> bool {
        self.state().piece.is_none()
    }

    /// Whether anything was sent on, so that the request cannot be sent again.
    pub(in crate::proxy) fn was_taken(&self) -> bool {
        self.state().taken
    }

    pub(in crate::proxy) fn put(&self, piece: Bytes) {
        self.state().piece = Some(piece);
    }

    pub(in crate::proxy) fn end(&self, trailers: Option<HeaderMap>) {
        let mut state = self.state();
        state.trailers = trailers;
        state.end = true;
    }

    pub(in crate::proxy) fn fail(&self) {
        self.state().failed = true;
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = Aborted;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Aborted>>> {
        let slot = match &mut *self {
            Self::None => return Poll::Ready(None),
            Self::Client { slot, .. } => slot,
            Self::Stream { body, live, scan, after } => return poll_stream(cx, body, live, scan, after),
        };
        let mut state = slot.state();
        if state.failed {
            return Poll::Ready(Some(Err(Aborted)));
        }
        if let Some(piece) = state.piece.take() {
            state.taken = true;
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        if state.end {
            return Poll::Ready(state.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))));
        }
        // Whoever puts a piece drives the connection afterwards, in this very task: nobody is to be woken.
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::None => true,
            Self::Client { slot, .. } => {
                let state = slot.state();
                state.end && state.piece.is_none() && state.trailers.is_none()
            }
            // What the scan has kept back may still be to come.
            Self::Stream { .. } => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::None => SizeHint::with_exact(0),
            Self::Client { length: Some(length), .. } => SizeHint::with_exact(*length),
            Self::Client { length: None, .. } => SizeHint::default(),
            Self::Stream { body, .. } => body.size_hint(),
        }
    }
}

/// The next frame of a stream that may go.
fn poll_stream(
    cx: &mut Context<'_>,
    body: &mut Incoming,
    live: &Live,
    scan: &mut BodyScan,
    after: &mut Option<Frame<Bytes>>,
) -> Poll<Option<Result<Frame<Bytes>, Aborted>>> {
    loop {
        if let Some(frame) = after.take() {
            return Poll::Ready(Some(Ok(frame)));
        }
        let free = match ready!(Pin::new(&mut *body).poll_frame(cx)) {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(piece) => scan.pass(piece),
                Err(trailers) => {
                    *after = Some(trailers);
                    scan.finish()
                }
            },
            Some(Err(_)) => return Poll::Ready(Some(Err(Aborted))),
            None => match scan.finish() {
                Ok(rest) if rest.is_empty() => return Poll::Ready(None),
                rest => rest,
            },
        };
        if scan.found {
            live.note();
        }
        match free {
            Err(Stray) => {
                // Whoever drives this is woken, and ends it for the reason that it finds.
                live.stray();
                return Poll::Pending;
            }
            Ok(piece) if piece.is_empty() => {}
            Ok(piece) => {
                live.add_up(piece.len());
                return Poll::Ready(Some(Ok(Frame::data(piece))));
            }
        }
    }
}
