//! What a TLS ClientHello says in the clear, read strictly by RFC 8446, RFC 5246 and RFC 6066.
//!
//! A tunnel is bound to a name by its server name indication, so only one reading of it may exist. Lengths must
//! add up exactly, no extension may come twice, and the hello must fill its records: bytes after it in the same
//! record are refused. Unknown extensions, cipher suites and versions (GREASE among them) are passed over.
//!
//! SSL 2 and 3 are not TLS here. The name must be an ASCII host name without trailing dot, as RFC 6066 says; upper
//! case is folded. Of an encrypted ClientHello only the outer name can be seen, real and GREASE look the same: what
//! the inner one asks for stays between client and server.

mod body;
mod record;
#[cfg(test)]
mod tests;
mod watch;

pub use body::{Hello, Sni, SniMatch};
pub use watch::{TlsWatch, Verdict};

use record::{HANDSHAKE, Piece, Records};

/// The longest ClientHello in bytes, record headers included.
pub const HELLO_BYTES_MAX: usize = 64 * 1024;
const CLIENT_HELLO: u8 = 1;

/// Why bytes are not a ClientHello that can be trusted to say where it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum NotTls {
    /// Something else than a handshake record of TLS.
    #[error("the first bytes are not a TLS handshake")]
    Record,
    /// A handshake, but not one that begins with a ClientHello.
    #[error("the TLS handshake does not begin with a ClientHello")]
    Message,
    /// SSL 3 or older, or a version no client sends there.
    #[error("the protocol version of the ClientHello is not TLS 1.0 to 1.3")]
    Version,
    /// Longer than [`HELLO_BYTES_MAX`].
    #[error("the ClientHello has more than 64 KiB")]
    Long,
    /// Lengths that do not add up, an extension twice, bytes left over.
    #[error("the ClientHello is malformed")]
    Malformed,
}

impl NotTls {
    /// The name of the rule, for programs: lower snake, never changed once published.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Record => "tls_record",
            Self::Message => "tls_message",
            Self::Version => "tls_version",
            Self::Long => "tls_hello_too_long",
            Self::Malformed => "tls_hello_malformed",
        }
    }
}

/// Where a [`HelloReader`] stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// The hello is not complete.
    NeedMore,
    /// The hello, and how many of the bytes pushed last belong to it; the others follow its record.
    Hello {
        /// What it says.
        hello: Box<Hello>,
        /// Bytes of the last push up to the end of the hello's last record.
        taken: usize,
    },
}

/// Reads a ClientHello that comes in any number of segments and records.
///
/// Keeps at most [`HELLO_BYTES_MAX`] bytes; the caller keeps the raw bytes to send on.
#[derive(Debug, Clone)]
pub struct HelloReader {
    records: Records,
    message: Message,
    /// Bytes pushed so far.
    raw_length: usize,
}

impl HelloReader {
    /// A reader that stands at the first byte of a record.
    #[must_use]
    pub fn new() -> Self {
        Self { records: Records::plain(), message: Message::default(), raw_length: 0 }
    }

    /// Takes the next bytes, each byte once.
    ///
    /// # Errors
    /// The rule that was broken, as soon as it is. After an error or a hello the reader is spent.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Status, NotTls> {
        let within = bytes.get(..HELLO_BYTES_MAX - self.raw_length).unwrap_or(bytes);
        let mut rest = within;
        while let Some(piece) = self.records.next(&mut rest)? {
            if let Some(hello) = self.message.add(piece)? {
                return Ok(Status::Hello { hello: Box::new(hello), taken: within.len() - rest.len() });
            }
        }
        self.raw_length += within.len();
        if within.len() < bytes.len() { Err(NotTls::Long) } else { Ok(Status::NeedMore) }
    }
}

impl Default for HelloReader {
    fn default() -> Self {
        Self::new()
    }
}

/// A ClientHello message without its record headers, as far as it came.
#[derive(Debug, Clone, Default)]
struct Message {
    bytes: Vec<u8>,
}

impl Message {
    fn add(&mut self, piece: Piece<'_>) -> Result<Option<Hello>, NotTls> {
        if piece.kind != HANDSHAKE {
            return Err(NotTls::Record);
        }
        self.bytes.extend_from_slice(piece.bytes);
        let Some((length, body)) = self.header()? else { return Ok(None) };
        if body.len() > length {
            return Err(NotTls::Malformed);
        }
        if body.len() < length || !piece.ends_record {
            return Ok(None);
        }
        Hello::read(body).map(Some)
    }

    /// The length that the header says and what follows it, once the header is there.
    fn header(&self) -> Result<Option<(usize, &[u8])>, NotTls> {
        if self.bytes.first().is_some_and(|&kind| kind != CLIENT_HELLO) {
            return Err(NotTls::Message);
        }
        let Some((&[_, a, b, c], body)) = self.bytes.split_first_chunk::<4>() else { return Ok(None) };
        let length = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        if length > HELLO_BYTES_MAX { Err(NotTls::Long) } else { Ok(Some((length, body))) }
    }
}
