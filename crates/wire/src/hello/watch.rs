//! Watches a TLS connection from behind its first ClientHello until no second one can come.
//!
//! A server may answer with HelloRetryRequest, and the client then sends its ClientHello anew. Without a check
//! that second one could carry another name than the first.

use super::record::{ALERT, HANDSHAKE, Records};
use super::{CLIENT_HELLO, HELLO_BYTES_MAX, Hello, Message, NotTls};

const SERVER_HELLO: u8 = 2;
/// A message's header, the version, the random value.
const SERVER_HELLO_START_BYTES: usize = 4 + 2 + 32;
/// The random value that makes a ServerHello a HelloRetryRequest: SHA-256 of that name (RFC 8446, 4.1.3).
const RETRY_RANDOM: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11,
    0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// What to do with the bytes that were given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Send on all bytes of this direction, those held too, and go on giving.
    Relay,
    /// Keep these bytes with those held: they may be part of a second hello. At most [`HELLO_BYTES_MAX`] and one
    /// push are ever held.
    Hold,
    /// A second hello is complete. Compare its name, then send on all bytes held and these; nothing more is to be
    /// watched.
    Hello(Box<Hello>),
    /// Send on everything and stop giving: no further hello can come in the clear.
    Done,
}

/// Watches both directions of a TLS connection behind its first ClientHello.
///
/// Give the server's bytes before they are sent to the client, and the client's before they are sent to the
/// server. A server that does not speak TLS ends the watch: nobody is there who would read a second hello.
#[derive(Debug, Clone)]
pub struct TlsWatch {
    client: Records,
    server: Records,
    /// The first bytes of the server's first message.
    answer: Vec<u8>,
    retry: bool,
    second: Option<Second>,
    done: bool,
}

/// A second hello that is coming.
#[derive(Debug, Clone, Default)]
struct Second {
    message: Message,
    raw_length: usize,
}

impl TlsWatch {
    /// A watch that begins right behind the record in which the first ClientHello ended.
    #[must_use]
    pub fn new() -> Self {
        Self {
            client: Records::any(),
            server: Records::any(),
            answer: Vec::new(),
            retry: false,
            second: None,
            done: false,
        }
    }

    /// Takes the next bytes of the client.
    ///
    /// # Errors
    /// What the client sent is not TLS, or not a second hello that can be read: cut the connection.
    pub fn client(&mut self, bytes: &[u8]) -> Result<Verdict, NotTls> {
        if self.done {
            return Ok(Verdict::Done);
        }
        let mut rest = bytes;
        loop {
            let room = self.second.as_ref().map_or(usize::MAX, |second| HELLO_BYTES_MAX - second.raw_length);
            let (mut within, beyond) = rest.split_at_checked(room).unwrap_or((rest, &[]));
            let before = within.len();
            let piece = self.client.next(&mut within)?;
            let taken = before - within.len();
            rest = rest.get(taken..).unwrap_or_default();
            if let Some(second) = &mut self.second {
                second.raw_length += taken;
            }
            let Some(piece) = piece else { if beyond.is_empty() { break } else { return Err(NotTls::Long) } };
            if piece.kind == HANDSHAKE && self.second.is_none() {
                if piece.bytes.first() != Some(&CLIENT_HELLO) {
                    // Older versions go on with a key exchange; a hello behind it would be an error there.
                    self.done = true;
                    return Ok(Verdict::Done);
                }
                self.second = Some(Second { message: Message::default(), raw_length: piece.bytes.len() });
            }
            if let Some(second) = &mut self.second
                && let Some(hello) = second.message.add(piece)?
            {
                self.done = true;
                return Ok(Verdict::Hello(Box::new(hello)));
            }
        }
        // The header of a handshake record is kept with its first byte, which says what it is.
        let undecided = self.second.is_some() || self.client.kind() == Some(HANDSHAKE);
        Ok(if undecided { Verdict::Hold } else { Verdict::Relay })
    }

    /// Takes the next bytes of the server: [`Verdict::Relay`], or [`Verdict::Done`]. The bytes themselves are
    /// never to be held.
    pub fn server(&mut self, bytes: &[u8]) -> Verdict {
        if !self.done && !self.retry {
            match self.read_answer(bytes) {
                Answer::Unknown => {}
                Answer::Retry => self.retry = true,
                // A hello that has begun is read to its end all the same.
                Answer::Other => self.done = self.second.is_none(),
            }
        }
        if self.done { Verdict::Done } else { Verdict::Relay }
    }

    /// Whether nothing is to be watched any more.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.done
    }

    fn read_answer(&mut self, bytes: &[u8]) -> Answer {
        let mut rest = bytes;
        loop {
            match self.server.next(&mut rest) {
                Ok(None) => return Answer::Unknown,
                // A warning may come first, such as that the name is not known.
                Ok(Some(piece)) if piece.kind == ALERT => {}
                Ok(Some(piece)) if piece.kind == HANDSHAKE => {
                    let room = SERVER_HELLO_START_BYTES - self.answer.len();
                    self.answer.extend(piece.bytes.iter().take(room));
                    if self.answer.first() != Some(&SERVER_HELLO) {
                        return Answer::Other;
                    }
                    if let Some(start) = self.answer.first_chunk::<SERVER_HELLO_START_BYTES>() {
                        return if start.ends_with(&RETRY_RANDOM) { Answer::Retry } else { Answer::Other };
                    }
                }
                Ok(Some(_)) | Err(_) => return Answer::Other,
            }
        }
    }
}

impl Default for TlsWatch {
    fn default() -> Self {
        Self::new()
    }
}

enum Answer {
    Unknown,
    Retry,
    Other,
}
