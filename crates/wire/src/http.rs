//! Heads of HTTP/1 requests, strictly by RFC 9112 and RFC 9110.
//!
//! Choices where the RFCs leave one, each the one that two readers cannot read differently:
//! lines end in CR LF only; one empty line before a request is skipped (some clients send it after a body), a
//! second one is a fault; a method has no lower-case letter; bytes from 0x80 are allowed in field values and
//! nowhere else; equal duplicates of Content-Length are refused too; an `Expect` or `Upgrade` that HTTP/1.0 sends
//! is ignored, as the RFCs ask.
//!
//! Wider than RFC 3986 in one place: path and query may hold `"<>[]^{|}` and the back quote, and a `%` that no
//! two digits follow. Browsers, curl and Node send them, the API takes them, and nothing splits on them. They are
//! passed on byte for byte.
//!
//! A connection option may nominate a field away (RFC 9110, 7.6.1), but not one that frames the body, says who
//! asks or whom, or keeps loops visible: see [`Fault::ConnectionOption`]. Nominating a field that is hop-by-hop
//! anyway changes nothing.

mod field;
mod lines;
mod name;
mod target;
#[cfg(test)]
mod tests;

use std::fmt;

use bytes::{Bytes, BytesMut};

use crate::{Authority, Fault};

pub use field::Field;
pub(crate) use field::{Span, read_line as read_field_line};
pub(crate) use name::Known;
pub use target::RequestTarget;

/// How large a head may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadLimits {
    /// Bytes from the request line to the empty line, both included.
    pub head_bytes_max: usize,
    /// Header fields.
    pub fields_max: usize,
    /// Bytes of the request target.
    pub target_bytes_max: usize,
}

impl HeadLimits {
    /// 64 KiB, 128 fields, a target of 16 KiB.
    pub const DEFAULT: Self = Self { head_bytes_max: 64 * 1024, fields_max: 128, target_bytes_max: 16 * 1024 };
}

/// Where a request is read, which decides the target forms that are legal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// At the proxy: an absolute `http` target, or CONNECT.
    Proxy,
    /// Inside a tunnel to an origin: a path with Host, `*`, or an absolute target that agrees with Host.
    Origin,
}

/// The versions spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
}

/// How the body of a request ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Body {
    /// There is none: the next byte begins another request.
    None,
    /// After this many bytes. A Content-Length of 0 is this, with 0.
    Length(u64),
    /// In chunks: see [`crate::chunk`].
    Chunked,
}

/// Reads the heads of one connection, one after another, from a buffer that grows.
///
/// What was searched is not searched again, so a head that comes byte by byte costs linear time.
#[derive(Debug, Clone)]
pub struct HeadReader {
    mode: Mode,
    limits: HeadLimits,
    /// Bytes of the buffer before which no end of the head is.
    searched: usize,
    /// Start of the line that is being searched.
    line: usize,
    /// Start of the request line: after the empty line that is skipped, if there is one.
    start: usize,
}

impl HeadReader {
    /// A reader that stands at the first byte of a request.
    #[must_use]
    pub fn new(mode: Mode, limits: HeadLimits) -> Self {
        Self { mode, limits, searched: 0, line: 0, start: 0 }
    }

    /// Takes one head off the front of `buffer`, or `None` while it is not complete.
    ///
    /// Between two calls bytes may only be appended. After a head the reader stands at the first byte of the body
    /// or the next request; take the body off before reading again.
    ///
    /// # Errors
    /// The rule that was broken; the connection cannot be read further.
    pub fn read(&mut self, buffer: &mut BytesMut) -> Result<Option<Head>, Fault> {
        let Some(end) = self.find_end(buffer)? else { return Ok(None) };
        let (start, mode, limits) = (self.start, self.mode, self.limits);
        *self = Self::new(mode, limits);
        let raw = buffer.split_to(end).freeze();
        lines::read(raw.slice(start..), mode, &limits).map(Some)
    }

    /// Whether nothing of a next request has come yet, so that a close is clean. `buffer` as in [`Self::read`].
    #[must_use]
    pub fn is_between_requests(&self, buffer: &[u8]) -> bool {
        matches!(buffer, [] | b"\r" | b"\r\n")
    }

    fn find_end(&mut self, buffer: &[u8]) -> Result<Option<usize>, Fault> {
        loop {
            let limit = self.start.saturating_add(self.limits.head_bytes_max);
            let unsearched = buffer.get(self.searched..buffer.len().min(limit)).unwrap_or_default();
            let Some(at) = lines::find_lf(unsearched) else {
                self.searched += unsearched.len();
                return if buffer.len() < limit { Ok(None) } else { Err(self.too_long()) };
            };
            let lf = self.searched + at;
            let line = buffer.get(self.line..lf).unwrap_or_default();
            if line.last() != Some(&b'\r') {
                return Err(Fault::BareLineBreak);
            }
            self.searched = lf + 1;
            let is_empty = line.len() == 1;
            match (is_empty, self.line) {
                (true, 0) => self.start = self.searched,
                (true, line) if line == self.start => return Err(Fault::EmptyLines),
                (true, _) => return Ok(Some(self.searched)),
                (false, _) => {}
            }
            self.line = self.searched;
        }
    }

    fn too_long(&self) -> Fault {
        // No line end at all: it is the request line that is too long.
        if self.line == self.start { Fault::TargetLong } else { Fault::HeadLong }
    }
}

/// Reads one head from the front of `bytes` and says how long it is, or `None` while it is not complete.
///
/// For callers that have all bytes at hand; a connection uses [`HeadReader`].
///
/// # Errors
/// The rule that was broken.
pub fn read_head(bytes: &[u8], mode: Mode, limits: &HeadLimits) -> Result<Option<(Head, usize)>, Fault> {
    let mut buffer = BytesMut::from(bytes);
    let head = HeadReader::new(mode, *limits).read(&mut buffer)?;
    Ok(head.map(|head| (head, bytes.len() - buffer.len())))
}

/// One request head. Slices of the received bytes, which are kept as they are.
#[derive(Clone)]
pub struct Head {
    raw: Bytes,
    method_length: u8,
    version: Version,
    body: Body,
    target: RequestTarget,
    fields: Vec<field::Span>,
    facts: field::Facts,
}

impl Head {
    /// The method: a token without lower-case letters, at most 32 bytes.
    #[must_use]
    pub fn method(&self) -> &str {
        std::str::from_utf8(self.raw.get(..usize::from(self.method_length)).unwrap_or_default()).unwrap_or_default()
    }

    /// The version.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// The target as it was written.
    #[must_use]
    pub fn target(&self) -> &RequestTarget {
        &self.target
    }

    /// The host and port asked for: of the target, else of the Host field.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        self.target.authority()
    }

    /// How the body ends.
    #[must_use]
    pub fn body(&self) -> Body {
        self.body
    }

    /// Whether this is CONNECT.
    #[must_use]
    pub fn is_connect(&self) -> bool {
        matches!(self.target, RequestTarget::Authority(_))
    }

    /// The value of the Host field as it came, if there was one.
    #[must_use]
    pub fn host_field(&self) -> Option<&[u8]> {
        self.first(Known::Host)
    }

    /// Whether the client wants to keep the connection after the answer.
    ///
    /// `close` wins, also in the legacy Proxy-Connection; HTTP/1.0 needs `Connection: keep-alive`.
    #[must_use]
    pub fn is_keep_alive(&self) -> bool {
        !self.facts.close && (self.version == Version::Http11 || self.facts.keep_alive)
    }

    /// Whether the client waits for `100 Continue` before it sends the body.
    #[must_use]
    pub fn expect_continue(&self) -> bool {
        self.facts.expect_continue && self.version == Version::Http11 && self.has_body()
    }

    /// The protocol the client would switch to: exactly one, with the connection option `upgrade`, in HTTP/1.1,
    /// without a body.
    ///
    /// Only WebSocket is safe to pass on: after `h2c` the same connection would carry requests that nobody reads.
    #[must_use]
    pub fn upgrade(&self) -> Option<&str> {
        if !self.facts.upgrade_option || self.version != Version::Http11 || self.has_body() {
            return None;
        }
        let mut values = self.known(Known::Upgrade);
        let value = values.next()?;
        let is_one = values.next().is_none() && name::is_protocol(value.value());
        if is_one { std::str::from_utf8(value.value()).ok() } else { None }
    }

    /// Whether [`Self::upgrade`] is to WebSocket.
    #[must_use]
    pub fn upgrades_to_websocket(&self) -> bool {
        self.upgrade().is_some_and(|protocol| protocol.eq_ignore_ascii_case("websocket"))
    }

    /// The value of Proxy-Authorization; there is at most one. Never log it.
    #[must_use]
    pub fn proxy_authorization(&self) -> Option<&[u8]> {
        self.first(Known::ProxyAuthorization)
    }

    /// The values of all Via fields in order.
    pub fn via(&self) -> impl Iterator<Item = &[u8]> {
        self.known(Known::Via).map(|field| field.value())
    }

    /// All fields in order, hop-by-hop ones too.
    pub fn fields(&self) -> impl Iterator<Item = Field<'_>> {
        self.fields.iter().map(|span| Field::new(&self.raw, span))
    }

    /// The values of one field, in order; `name` in any case.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.fields().filter(move |field| field.name().eq_ignore_ascii_case(name)).map(|field| field.value())
    }

    /// The fields to pass on, in order: without those that end at this hop (Connection and what it nominates,
    /// Keep-Alive, Proxy-*, TE, Trailer, Transfer-Encoding, Upgrade, HTTP2-Settings), and without Host, which is
    /// to be written anew from [`Self::authority`].
    ///
    /// Content-Length and Expect are among them, Upgrade is not: write it again where it is honoured.
    pub fn end_to_end(&self) -> impl Iterator<Item = Field<'_>> {
        self.fields.iter().filter(|span| self.is_end_to_end(span)).map(|span| Field::new(&self.raw, span))
    }

    /// The path and query to send to an origin: begins with `/`, or is `*`; empty for CONNECT.
    #[must_use]
    pub fn path_and_query(&self) -> &str {
        self.target.path_and_query()
    }

    /// The target as an absolute URL, to be normalised and asked about; for CONNECT that of the origin's root.
    /// The scheme's own port is left out.
    ///
    /// With a path near the limit its normal form can be too long for [`model::TargetUrl`]; that is the one way in
    /// which it can refuse this.
    #[must_use]
    pub fn url(&self) -> String {
        self.target.url()
    }

    /// Bytes of the head as received, without an empty line before it.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.raw.len()
    }

    fn has_body(&self) -> bool {
        !matches!(self.body, Body::None | Body::Length(0))
    }

    fn first(&self, known: Known) -> Option<&[u8]> {
        self.fields.iter().find(|span| span.known() == known).map(|span| span.value(&self.raw))
    }

    fn known(&self, known: Known) -> impl Iterator<Item = Field<'_>> {
        self.fields.iter().filter(move |span| span.known() == known).map(|span| Field::new(&self.raw, span))
    }

    fn is_end_to_end(&self, span: &field::Span) -> bool {
        match span.known() {
            known if known.is_hop_by_hop() || known == Known::Host => false,
            _ => !(self.facts.nominates && self.nominated(span.name(&self.raw))),
        }
    }

    fn nominated(&self, name: &[u8]) -> bool {
        self.known(Known::Connection)
            .any(|connection| name::options(connection.value()).any(|option| option.eq_ignore_ascii_case(name)))
    }
}

/// Names no value: fields carry credentials.
impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Head")
            .field("method", &self.method())
            .field("version", &self.version)
            .field("authority", self.authority())
            .field("body", &self.body)
            .field("fields", &self.fields.len())
            .finish_non_exhaustive()
    }
}
