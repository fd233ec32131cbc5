//! One plain request and its answer, on a connection to the origin.
//!
//! The connection is driven by whoever waits for the answer: there is no task per connection, and none is
//! woken for another's sake. While a connection is kept for later nobody drives it; whether the other side
//! has closed it is seen by driving it once.

mod message;
mod upload;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use gate::{Ending, ExecutionOutcome};
use http::{Request, Response};
use http_body::{Body as _, Frame};
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, Connection, Parts, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::Inner;
use super::live::Live;
use super::scan::CODE;
use crate::dial::pool::{Owner, Reusable};
use crate::dial::{Crossing, Dialer, EnterError};

pub(super) use message::{Message, ends_here};
pub(super) use upload::{Slot, Upload};

/// LIMIT: the largest head of an answer, and how much of an answer is read ahead, in bytes.
const READ_BYTES_MAX: usize = 128 * 1024;
/// LIMIT: how many fields an answer may have.
const FIELDS_MAX: usize = 256;

/// A connection to an origin that requests can be sent on.
pub(super) struct Carrier {
    sender: SendRequest<Upload>,
    connection: Connection<TokioIo<TcpStream>, Upload>,
    over: bool,
}

impl Carrier {
    pub(super) async fn open(stream: TcpStream) -> hyper::Result<Box<Self>> {
        let mut builder = Builder::new();
        builder.max_buf_size(READ_BYTES_MAX).max_headers(FIELDS_MAX);
        let (sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
        Ok(Box::new(Self { sender, connection, over: false }))
    }

    /// Drives the connection; true while it stands.
    fn drive(&mut self, cx: &mut Context<'_>) -> bool {
        // What went wrong is told by the request.
        self.over = self.over || self.connection.poll_without_shutdown(cx).is_ready();
        !self.over
    }
}

impl Reusable for Box<Carrier> {
    fn is_open(&mut self) -> bool {
        self.drive(&mut Context::from_waker(Waker::noop())) && self.sender.is_ready() && !self.sender.is_closed()
    }
}

type Sent = Pin<Box<dyn Future<Output = hyper::Result<Response<Incoming>>> + Send>>;

/// A request on its way, then its answer.
pub(super) struct Exchange {
    carrier: Box<Carrier>,
    crossing: Option<Crossing>,
    sent: Option<Sent>,
    body: Option<Incoming>,
    status: Option<u16>,
    ended: bool,
    pub(super) live: Arc<Live>,
}

impl Exchange {
    /// Sends a request.
    pub(super) fn begin(
        mut carrier: Box<Carrier>,
        crossing: Crossing,
        request: Request<Upload>,
        live: Arc<Live>,
    ) -> Self {
        let sent: Sent = Box::pin(carrier.sender.send_request(request));
        Self { carrier, crossing: Some(crossing), sent: Some(sent), body: None, status: None, ended: false, live }
    }

    /// Whether the connection had been kept, so that it may have been closed just now.
    pub(super) fn is_reused(&self) -> bool {
        self.crossing.as_ref().is_some_and(|crossing| crossing.reused)
    }

    /// Another connection in place of this one.
    pub(super) async fn renew(mut self, dialer: &Dialer) -> Option<Result<(TcpStream, Crossing), EnterError>> {
        let crossing = self.crossing.take()?;
        drop(self);
        Some(dialer.renew(crossing).await.map(crate::dial::Line::into_parts))
    }

    /// Waits for the head of the answer.
    pub(super) fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<hyper::Result<Response<()>>> {
        let Some(sent) = &mut self.sent else { return Poll::Pending };
        self.carrier.drive(cx);
        let response = ready!(sent.as_mut().poll(cx));
        self.sent = None;
        let (parts, body) = response?.into_parts();
        self.status = Some(parts.status.as_u16());
        if let Some(crossing) = &self.crossing {
            crossing.place.hear(parts.status, &parts.headers);
        }
        self.body = Some(body);
        Poll::Ready(Ok(Response::from_parts(parts, ())))
    }

    /// Waits for more of the answer's body; its last frame may be trailers.
    pub(super) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let Some(body) = &mut self.body else { return Poll::Pending };
        let mut frame = Pin::new(&mut *body).poll_frame(cx);
        if frame.is_pending() {
            self.carrier.drive(cx);
            frame = Pin::new(body).poll_frame(cx);
        }
        let frame = ready!(frame);
        match &frame {
            Some(Ok(frame)) => self.live.add_down(frame.data_ref().map_or(0, Bytes::len)),
            Some(Err(_)) | None => self.ended = true,
        }
        Poll::Ready(frame)
    }

    /// How long the body is, when that is known.
    pub(super) fn length(&self) -> Option<u64> {
        self.body.as_ref().and_then(|body| body.size_hint().exact())
    }

    /// Records a whole exchange and keeps the connection, when both sides can go on.
    pub(super) fn complete(mut self, inner: &Inner, owner: &Owner, uploaded: bool) {
        self.body = None;
        let Some(crossing) = self.crossing.take() else { return };
        let place = crossing.place.clone();
        self.record(inner, crossing, Ending::of(ExecutionOutcome::Completed));
        if uploaded && self.carrier.is_open() {
            inner.pool.keep(owner, &place, self.carrier);
        }
    }

    /// Records an end that is none.
    pub(super) fn fail(mut self, inner: &Inner, ending: Ending) {
        if let Some(crossing) = self.crossing.take() {
            self.record(inner, crossing, ending);
        }
    }

    /// Takes the connection over after its protocol has changed, with what was read of the new one.
    pub(super) fn into_upgraded(mut self) -> Option<(TcpStream, Bytes, Crossing)> {
        let crossing = self.crossing.take()?;
        self.carrier.drive(&mut Context::from_waker(Waker::noop()));
        let Parts { io, read_buf, .. } = self.carrier.connection.into_parts();
        Some((io.into_inner(), read_buf, crossing))
    }

    fn record(&self, inner: &Inner, crossing: Crossing, ending: Ending) {
        let (bytes_up, bytes_down) = self.live.bytes();
        inner.meters.moved(bytes_up, bytes_down);
        let noted = self.live.is_noted().then_some(CODE);
        let error_code = ending.error_code.or(noted);
        self.live.end();
        crossing.finish(Ending { status: self.status, bytes_up, bytes_down, error_code, ..ending });
    }
}
