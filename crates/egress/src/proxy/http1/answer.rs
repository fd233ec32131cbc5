//! What goes to the client: heads written by us, bodies as they come, many pieces in one write.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, TRAILER, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use hyper::ext::ReasonPhrase;
use tokio::io::AsyncWrite;
use wire::http::{Head, Version};

use crate::proxy::exchange::ends_here;

/// How many pieces one write takes.
const SLICES: usize = 16;
/// How much is gathered before it is written, in bytes.
const GATHER_BYTES: usize = 64 * 1024;

/// How the body of an answer is framed for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// There is none.
    None,
    /// As long as its Content-Length says.
    Length,
    /// In chunks.
    Chunked,
    /// Until the connection closes.
    Close,
}

/// Bytes on their way to the client.
#[derive(Default)]
pub(super) struct Out {
    queue: VecDeque<Bytes>,
    length: usize,
    head: BytesMut,
    unflushed: bool,
}

impl Out {
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.length >= GATHER_BYTES
    }

    pub(super) fn push(&mut self, piece: Bytes) {
        self.length += piece.len();
        self.queue.push_back(piece);
    }

    /// A piece of a body.
    pub(super) fn push_body(&mut self, piece: Bytes, framing: Framing) {
        if piece.is_empty() || framing == Framing::None {
            return;
        }
        if framing != Framing::Chunked {
            return self.push(piece);
        }
        let mut size = [0; 18];
        let size = hex_line(piece.len(), &mut size);
        self.head.put_slice(size);
        let line = self.head.split().freeze();
        self.push(line);
        self.push(piece);
        self.push(Bytes::from_static(b"\r\n"));
    }

    /// The end of a body.
    pub(super) fn push_end(&mut self, framing: Framing, trailers: Option<&HeaderMap>) {
        if framing != Framing::Chunked {
            return;
        }
        let Some(trailers) = trailers else { return self.push(Bytes::from_static(b"0\r\n\r\n")) };
        self.head.put_slice(b"0\r\n");
        for (name, value) in trailers.iter().filter(|(name, _)| may_trail(name)) {
            put_field(&mut self.head, name, value);
        }
        self.head.put_slice(b"\r\n");
        let line = self.head.split().freeze();
        self.push(line);
    }

    /// The head of an origin's answer, without what ends at this hop and without what only we may say.
    pub(super) fn push_head(&mut self, response: &Response<()>, framing: Framing, via: &HeaderValue, connection: &str) {
        let fields = response.headers();
        self.head.reserve(256 + fields.len() * 48);
        self.put_status(response);
        for (name, value) in fields {
            let is_framing = name == CONTENT_LENGTH && framing == Framing::Chunked;
            if !is_framing && !ends_here(name, fields) {
                put_field(&mut self.head, name, value);
            }
        }
        put_field(&mut self.head, &http::header::VIA, via);
        if framing == Framing::Chunked {
            self.head.put_slice(b"transfer-encoding: chunked\r\n");
        }
        if !connection.is_empty() {
            self.head.put_slice(b"connection: ");
            self.head.put_slice(connection.as_bytes());
            self.head.put_slice(b"\r\n");
        }
        self.head.put_slice(b"\r\n");
        let head = self.head.split().freeze();
        self.push(head);
    }

    /// The head of an answer that changes the protocol.
    pub(super) fn push_switch(&mut self, response: &Response<()>, via: &HeaderValue) {
        self.put_status(response);
        for (name, value) in response.headers() {
            if name == UPGRADE || !ends_here(name, response.headers()) {
                put_field(&mut self.head, name, value);
            }
        }
        put_field(&mut self.head, &http::header::VIA, via);
        self.head.put_slice(b"connection: upgrade\r\n\r\n");
        let head = self.head.split().freeze();
        self.push(head);
    }

    /// An answer before the answer.
    pub(super) fn push_informational(&mut self, status: StatusCode, fields: &HeaderMap) {
        self.head.put_slice(b"HTTP/1.1 ");
        self.head.put_slice(status.as_str().as_bytes());
        self.head.put_u8(b' ');
        self.head.put_slice(status.canonical_reason().unwrap_or_default().as_bytes());
        self.head.put_slice(b"\r\n");
        for (name, value) in fields.iter().filter(|(name, _)| !ends_here(name, fields)) {
            put_field(&mut self.head, name, value);
        }
        self.head.put_slice(b"\r\n");
        let head = self.head.split().freeze();
        self.push(head);
    }

    fn put_status(&mut self, response: &Response<()>) {
        let status = response.status();
        self.head.put_slice(b"HTTP/1.1 ");
        self.head.put_slice(status.as_str().as_bytes());
        self.head.put_u8(b' ');
        match response.extensions().get::<ReasonPhrase>() {
            Some(phrase) => self.head.put_slice(phrase.as_bytes()),
            None => self.head.put_slice(status.canonical_reason().unwrap_or_default().as_bytes()),
        }
        self.head.put_slice(b"\r\n");
    }

    /// Writes what is queued.
    pub(super) fn poll_write<S: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut S,
    ) -> Poll<io::Result<()>> {
        while !self.queue.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let mut count = 0;
            for (slice, piece) in slices.iter_mut().zip(&self.queue) {
                *slice = IoSlice::new(piece);
                count += 1;
            }
            let slices = slices.get(..count).unwrap_or_default();
            let written = ready!(Pin::new(&mut *stream).poll_write_vectored(cx, slices))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.unflushed = true;
            self.advance(written);
        }
        if self.unflushed {
            ready!(Pin::new(stream).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn advance(&mut self, mut written: usize) {
        self.length -= written.min(self.length);
        while let Some(front) = self.queue.front_mut() {
            if front.len() > written {
                front.advance(written);
                return;
            }
            written -= front.len();
            self.queue.pop_front();
        }
    }
}

/// How the body of an answer to `head` is framed.
pub(super) fn framing(head: &Head, response: &Response<()>, length: Option<u64>) -> Framing {
    let status = response.status();
    if head.method() == "HEAD" || status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED {
        Framing::None
    } else if length.is_some() && response.headers().contains_key(CONTENT_LENGTH) {
        Framing::Length
    } else if head.version() == Version::Http11 {
        Framing::Chunked
    } else {
        Framing::Close
    }
}

fn may_trail(name: &HeaderName) -> bool {
    let of_proxy = name.as_str().starts_with("proxy-") || name.as_str().starts_with("exeat-");
    !of_proxy && ![CONNECTION, TRANSFER_ENCODING, CONTENT_LENGTH, UPGRADE, TRAILER].contains(name)
}

fn put_field(out: &mut BytesMut, name: &HeaderName, value: &HeaderValue) {
    out.put_slice(name.as_str().as_bytes());
    out.put_slice(b": ");
    out.put_slice(value.as_bytes());
    out.put_slice(b"\r\n");
}

/// `n` in hexadecimal digits and a line end.
fn hex_line(n: usize, room: &mut [u8; 18]) -> &[u8] {
    let mut at = 16;
    let mut rest = n;
    loop {
        at -= 1;
        let digit = u32::try_from(rest & 0xf).unwrap_or_default();
        if let Some(byte) = room.get_mut(at) {
            *byte = char::from_digit(digit, 16).map_or(b'0', |c| c as u8);
        }
        rest >>= 4;
        if rest == 0 || at == 0 {
            break;
        }
    }
    room[16] = b'\r';
    room[17] = b'\n';
    room.get(at..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_hexadecimal() {
        for (n, want) in [(0, "0\r\n"), (9, "9\r\n"), (255, "ff\r\n"), (65_536, "10000\r\n")] {
            assert_eq!(hex_line(n, &mut [0; 18]), want.as_bytes());
        }
        assert_eq!(hex_line(usize::MAX, &mut [0; 18]), b"ffffffffffffffff\r\n");
    }
}
