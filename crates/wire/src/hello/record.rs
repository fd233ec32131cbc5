//! TLS records: a type, a version, a length and so many bytes.

use super::NotTls;

pub(super) const CHANGE_CIPHER_SPEC: u8 = 20;
pub(super) const ALERT: u8 = 21;
pub(super) const HANDSHAKE: u8 = 22;
pub(super) const APPLICATION_DATA: u8 = 23;

const HEADER_BYTES: usize = 5;
/// The most bytes a record of readable content carries.
const PLAIN_BYTES_MAX: usize = 1 << 14;
/// The most bytes one carries under any protection (RFC 5246, section 6.2.3).
const PROTECTED_BYTES_MAX: usize = PLAIN_BYTES_MAX + 2048;

/// Splits bytes into records as they come. Keeps only a header.
#[derive(Debug, Clone)]
pub(super) struct Records {
    header: [u8; HEADER_BYTES],
    header_length: usize,
    /// Bytes of the record's body to come, once the header is complete.
    left: usize,
    body_bytes_max: usize,
}

/// Some bytes of one record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece<'a> {
    pub(super) kind: u8,
    pub(super) bytes: &'a [u8],
    /// Whether no byte of the record is left.
    pub(super) ends_record: bool,
}

impl Records {
    /// For records of readable content only.
    pub(super) fn plain() -> Self {
        Self { header: [0; HEADER_BYTES], header_length: 0, left: 0, body_bytes_max: PLAIN_BYTES_MAX }
    }

    /// For records of any content.
    pub(super) fn any() -> Self {
        Self { body_bytes_max: PROTECTED_BYTES_MAX, ..Self::plain() }
    }

    /// The type of the record that is being read, once its first byte is there.
    pub(super) fn kind(&self) -> Option<u8> {
        let [kind, ..] = self.header;
        (self.header_length > 0).then_some(kind)
    }

    /// Takes the next piece off `rest`, or `None` when all of it is taken.
    pub(super) fn next<'a>(&mut self, rest: &mut &'a [u8]) -> Result<Option<Piece<'a>>, NotTls> {
        while self.header_length < HEADER_BYTES {
            let Some((&b, after)) = rest.split_first() else { return Ok(None) };
            if let Some(slot) = self.header.get_mut(self.header_length) {
                *slot = b;
            }
            *rest = after;
            self.header_length += 1;
            self.check_header()?;
        }
        if rest.is_empty() {
            return Ok(None);
        }
        let [kind, ..] = self.header;
        let (bytes, after) = rest.split_at_checked(self.left.min(rest.len())).unwrap_or_default();
        *rest = after;
        self.left -= bytes.len();
        let ends_record = self.left == 0;
        if ends_record {
            self.header_length = 0;
        }
        Ok(Some(Piece { kind, bytes, ends_record }))
    }

    /// Checks what is there of the header, byte by byte.
    fn check_header(&mut self) -> Result<(), NotTls> {
        let [kind, major, minor, ..] = self.header;
        match self.header_length {
            1 if !(CHANGE_CIPHER_SPEC..=APPLICATION_DATA).contains(&kind) => Err(NotTls::Record),
            2 if major != 3 => Err(NotTls::Record),
            3 if minor == 0 => Err(NotTls::Version),
            3 if minor > 3 => Err(NotTls::Record),
            HEADER_BYTES => {
                self.left = self.body_length();
                if self.left == 0 || self.left > self.body_bytes_max { Err(NotTls::Record) } else { Ok(()) }
            }
            _ => Ok(()),
        }
    }

    fn body_length(&self) -> usize {
        let [.., high, low] = self.header;
        usize::from(u16::from_be_bytes([high, low]))
    }
}
