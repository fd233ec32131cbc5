//! Bytes between a client and an origin, both ways, until both have finished.
//!
//! What one side sends is read into a buffer of the thread and written on at once. Only what the other
//! side does not take is kept, and then nothing more is read: at most one buffer for each direction, and none
//! while nothing moves.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use gate::{Ending, ExecutionOutcome, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::watch::{Pass, Watch};
use crate::proxy::live::{Live, Phase};
use crate::proxy::stream::{ClientStream, poll_read_with};

/// A relay between two connections.
pub(super) struct Relay {
    client: ClientStream,
    origin: TcpStream,
    up: Flow,
    down: Flow,
    watch: Option<Box<Watch>>,
    live: Arc<Live>,
}

/// One direction.
struct Flow {
    rest: Bytes,
    state: State,
    unflushed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// No more comes; what is left is still to be written.
    Ended,
    Shut,
}

/// Why a direction stopped.
enum Stop {
    Read,
    Write,
    Cut(&'static str),
}

impl Flow {
    fn new(rest: Bytes) -> Self {
        Self { rest, state: State::Open, unflushed: false }
    }
}

impl Relay {
    /// A relay that begins with bytes read before: `up` of the client, `down` of the origin.
    pub(super) fn new(
        client: ClientStream,
        origin: TcpStream,
        up: Bytes,
        down: Bytes,
        watch: Option<Box<Watch>>,
        live: Arc<Live>,
    ) -> Self {
        let mut watch = watch;
        if let Some(watch) = watch.as_deref_mut()
            && let Watch::Noting { .. } = watch
        {
            watch.client(&up);
        }
        Self { client, origin, up: Flow::new(up), down: Flow::new(down), watch, live }
    }

    /// What the first hello said, where that was only noted.
    pub(super) fn noted(&self) -> Option<ServerName> {
        self.watch.as_ref().and_then(|watch| watch.noted())
    }

    fn poll_up(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Stop>> {
        let Self { client, origin, up, down, watch, live } = self;
        let look = |bytes: &[u8]| match watch {
            Some(watch) if !watch.is_done() => watch.client(bytes),
            _ => Pass::These,
        };
        // The last one to end needs no word: closing says the same.
        let farewell = down.state != State::Shut;
        poll_flow(cx, client, origin, up, farewell, look, |n| live.add_up(n))
    }

    fn poll_down(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Stop>> {
        let Self { client, origin, up, down, watch, live } = self;
        let look = |bytes: &[u8]| {
            if let Some(watch) = watch {
                watch.server(bytes);
            }
            Pass::These
        };
        let farewell = up.state != State::Shut || !client.is_plain();
        poll_flow(cx, origin, client, down, farewell, look, |n| live.add_down(n))
    }
}

impl Future for &mut Relay {
    type Output = Ending;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Ending> {
        let this = &mut **self;
        if let Poll::Ready(cut) = this.live.poll_cut(cx) {
            return Poll::Ready(Ending::cut(cut.code()));
        }
        let up = this.poll_up(cx);
        if let Poll::Ready(Err(stop)) = up {
            return Poll::Ready(ended(&stop, "client_closed", "origin_closed"));
        }
        let down = this.poll_down(cx);
        if let Poll::Ready(Err(stop)) = down {
            return Poll::Ready(ended(&stop, "origin_closed", "client_closed"));
        }
        match (up.is_ready(), down.is_ready()) {
            (true, true) => Poll::Ready(Ending::of(ExecutionOutcome::Completed)),
            (false, false) => Poll::Pending,
            _ => {
                this.live.enter(Phase::HalfClosed);
                Poll::Pending
            }
        }
    }
}

fn ended(stop: &Stop, read: &'static str, write: &'static str) -> Ending {
    match stop {
        Stop::Read => Ending::failed(read),
        Stop::Write => Ending::failed(write),
        Stop::Cut(code) => Ending::cut(code),
    }
}

/// Moves bytes one way until nothing moves. Ready once no more come, and the other side was told so where
/// that is the `farewell` it needs.
fn poll_flow<R: AsyncRead + Unpin, W: AsyncWrite + Unpin>(
    cx: &mut Context<'_>,
    from: &mut R,
    to: &mut W,
    flow: &mut Flow,
    farewell: bool,
    mut look: impl FnMut(&[u8]) -> Pass,
    mut count: impl FnMut(usize),
) -> Poll<Result<(), Stop>> {
    loop {
        while !flow.rest.is_empty() {
            let written = ready!(Pin::new(&mut *to).poll_write(cx, &flow.rest)).map_err(|_| Stop::Write)?;
            if written == 0 {
                return Poll::Ready(Err(Stop::Write));
            }
            count(written);
            flow.unflushed = true;
            flow.rest.advance(written);
        }
        // What was written is given back.
        flow.rest = Bytes::new();
        match flow.state {
            State::Shut => return Poll::Ready(Ok(())),
            State::Ended if !farewell => {
                flow.state = State::Shut;
                return Poll::Ready(Ok(()));
            }
            State::Ended => {
                // A side that is gone already need not be told.
                let _: io::Result<()> = ready!(Pin::new(&mut *to).poll_shutdown(cx));
                flow.state = State::Shut;
                return Poll::Ready(Ok(()));
            }
            State::Open => {}
        }
        let moved = poll_read_with(from, cx, |cx, bytes| {
            if bytes.is_empty() {
                flow.state = State::Ended;
                return Ok(());
            }
            let bytes = match look(bytes) {
                Pass::These => bytes,
                Pass::Held(held) => {
                    flow.rest = held;
                    return Ok(());
                }
                Pass::None => return Ok(()),
                Pass::Cut(code) => return Err(Stop::Cut(code)),
            };
            let written = match Pin::new(&mut *to).poll_write(cx, bytes) {
                Poll::Ready(Ok(written)) => written,
                Poll::Ready(Err(_)) => return Err(Stop::Write),
                Poll::Pending => 0,
            };
            if written > 0 {
                count(written);
                flow.unflushed = true;
            }
            flow.rest = Bytes::copy_from_slice(bytes.get(written..).unwrap_or_default());
            Ok(())
        });
        match moved {
            Poll::Ready(Ok(moved)) => moved?,
            Poll::Ready(Err(_)) => return Poll::Ready(Err(Stop::Read)),
            Poll::Pending => {
                if flow.unflushed {
                    ready!(Pin::new(&mut *to).poll_flush(cx)).map_err(|_| Stop::Write)?;
                    flow.unflushed = false;
                }
                return Poll::Pending;
            }
        }
    }
}
