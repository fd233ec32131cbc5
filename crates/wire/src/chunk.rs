//! Bodies in chunks (RFC 9112, section 7.1), strictly: they are decoded here and framed anew when sent on, so
//! that no two readers of the same bytes can disagree on where a request ends.
//!
//! A size has 1 to 16 hexadecimal digits and is followed by CR LF or `;` at once. Extensions of up to 256 bytes
//! without control bytes are read over and dropped, as RFC 9112 asks; a bare LF in one is a fault like anywhere.
//! A trailer that frames, routes or authenticates is refused, not dropped: whoever sends one means something by
//! it.

use std::fmt;

use bytes::{Buf as _, Bytes, BytesMut};

use crate::Fault;
use crate::http::{Field, Span, read_field_line};

#[cfg(test)]
mod tests;

/// The most digits of a chunk size.
const SIZE_DIGITS_MAX: u8 = 16;
/// The longest extension of one chunk in bytes, its `;` included.
pub const EXTENSION_BYTES_MAX: u16 = 256;
/// The longest trailers in bytes, the last empty line included.
pub const TRAILER_BYTES_MAX: usize = 16 * 1024;
/// The most trailer fields.
pub const TRAILER_FIELDS_MAX: usize = 64;

/// What a chunked body gives next.
#[derive(Debug, Clone)]
pub enum Chunk {
    /// Some bytes of the body, never none. Their borders mean nothing.
    Data(Bytes),
    /// The body is over; what follows in the buffer is another request.
    End(Trailers),
}

/// The fields after the last chunk, all of them end-to-end.
#[derive(Clone, Default)]
pub struct Trailers {
    raw: Bytes,
    fields: Vec<Span>,
}

impl Trailers {
    /// The fields in order.
    pub fn fields(&self) -> impl Iterator<Item = Field<'_>> {
        self.fields.iter().map(|span| Field::new(&self.raw, span))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }
}

impl fmt::Debug for Trailers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.fields()).finish()
    }
}

/// Reads one chunked body from a buffer that grows.
#[derive(Debug, Clone, Default)]
pub struct ChunkReader {
    state: State,
}

#[derive(Debug, Clone, Copy, Default)]
enum State {
    #[default]
    Start,
    /// In a size, after this many digits.
    Size {
        size: u64,
        digits: u8,
    },
    /// In an extension, after this many bytes.
    Extension {
        size: u64,
        length: u16,
    },
    /// After the CR of a size line.
    SizeLf {
        size: u64,
    },
    /// Inside data, with so many bytes to come.
    Data {
        left: u64,
    },
    DataCr,
    DataLf,
    /// In the trailers: where the line begins and how far it was searched.
    Trailers {
        line: usize,
        searched: usize,
    },
    Done,
}

impl ChunkReader {
    /// A reader that stands at the first size.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes what is there off the front of `buffer`, or `None` when more is needed.
    ///
    /// Between two calls bytes may only be appended. After [`Chunk::End`] nothing more is taken.
    ///
    /// # Errors
    /// The rule that was broken; the connection cannot be read further.
    pub fn read(&mut self, buffer: &mut BytesMut) -> Result<Option<Chunk>, Fault> {
        loop {
            match self.state {
                State::Data { left } => {
                    if buffer.is_empty() {
                        return Ok(None);
                    }
                    let now = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
                    let left = left - now as u64;
                    self.state = if left == 0 { State::DataCr } else { State::Data { left } };
                    return Ok(Some(Chunk::Data(buffer.split_to(now).freeze())));
                }
                State::Trailers { .. } => return self.read_trailers(buffer),
                State::Done => return Ok(None),
                _ if buffer.is_empty() => return Ok(None),
                _ => {
                    let (state, length) = self.state.after_all(buffer)?;
                    self.state = state;
                    buffer.advance(length);
                }
            }
        }
    }

    /// Whether the body is over.
    #[must_use]
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    fn read_trailers(&mut self, buffer: &mut BytesMut) -> Result<Option<Chunk>, Fault> {
        let State::Trailers { mut line, mut searched } = self.state else { return Ok(None) };
        loop {
            let unsearched = buffer.get(searched..buffer.len().min(TRAILER_BYTES_MAX)).unwrap_or_default();
            let Some(at) = memchr::memchr(b'\n', unsearched) else {
                searched += unsearched.len();
                self.state = State::Trailers { line, searched };
                return if buffer.len() < TRAILER_BYTES_MAX { Ok(None) } else { Err(Fault::TrailersLong) };
            };
            let lf = searched + at;
            match buffer.get(line..lf) {
                Some(b"\r") => break line = lf + 1,
                Some([.., b'\r']) => {}
                _ => return Err(Fault::BareLineBreak),
            }
            searched = lf + 1;
            line = searched;
        }
        let raw = buffer.split_to(line).freeze();
        self.state = State::Done;
        let fields = trailer_fields(&raw)?;
        Ok(Some(Chunk::End(Trailers { raw, fields })))
    }
}

impl State {
    /// The state after all bytes up to the next data or trailers, and how many those are.
    fn after_all(self, bytes: &[u8]) -> Result<(Self, usize), Fault> {
        let mut state = self;
        for (length, &b) in bytes.iter().enumerate() {
            if matches!(state, Self::Data { .. } | Self::Trailers { .. }) {
                return Ok((state, length));
            }
            state = state.after(b)?;
        }
        Ok((state, bytes.len()))
    }

    /// The state after one byte of what stands around the data.
    fn after(self, b: u8) -> Result<Self, Fault> {
        let (size, digits) = match self {
            Self::Start => (0, 0),
            Self::Size { size, digits } => (size, digits),
            Self::Extension { size, .. } if b == b'\r' => return Ok(Self::SizeLf { size }),
            Self::Extension { .. } if b == b'\n' => return Err(Fault::BareLineBreak),
            Self::Extension { size, length } => {
                let is_plain = b == b'\t' || (b' '..=b'~').contains(&b);
                return if is_plain && length < EXTENSION_BYTES_MAX {
                    Ok(Self::Extension { size, length: length + 1 })
                } else {
                    Err(Fault::ChunkExtension)
                };
            }
            Self::SizeLf { size } if b == b'\n' => {
                return Ok(if size == 0 { Self::Trailers { line: 0, searched: 0 } } else { Self::Data { left: size } });
            }
            Self::SizeLf { .. } => return Err(Fault::BareLineBreak),
            Self::DataCr if b == b'\r' => return Ok(Self::DataLf),
            Self::DataLf if b == b'\n' => return Ok(Self::Start),
            Self::DataCr | Self::DataLf => return Err(Fault::ChunkEnd),
            Self::Data { .. } | Self::Trailers { .. } | Self::Done => return Ok(self),
        };
        match (b, digits) {
            (b'\r', 1..) => Ok(Self::SizeLf { size }),
            (b';', 1..) => Ok(Self::Extension { size, length: 1 }),
            (b'\n', 1..) => Err(Fault::BareLineBreak),
            (_, SIZE_DIGITS_MAX..) => Err(Fault::ChunkSize),
            _ => {
                let digit = char::from(b).to_digit(16).ok_or(Fault::ChunkSize)?;
                // Sixteen digits of four bits each fit.
                Ok(Self::Size { size: size << 4 | u64::from(digit), digits: digits + 1 })
            }
        }
    }
}

fn trailer_fields(raw: &[u8]) -> Result<Vec<Span>, Fault> {
    let mut fields = Vec::new();
    let mut offset = 0;
    for line in raw.split_inclusive(|&b| b == b'\n') {
        let text = line.strip_suffix(b"\r\n").unwrap_or(line);
        if text.is_empty() {
            break;
        }
        if fields.len() == TRAILER_FIELDS_MAX {
            return Err(Fault::TrailersLong);
        }
        let span = read_field_line(text, offset)?;
        if !span.known().may_trail() {
            return Err(Fault::TrailerField);
        }
        fields.push(span);
        offset += line.len();
    }
    Ok(fields)
}

/// Checks as much of the first size line as has already come, without taking it, so that a head is not sent on
/// before a body that is plainly broken.
///
/// # Errors
/// The rule that was broken.
pub fn peek_first_size(bytes: &[u8]) -> Result<(), Fault> {
    State::default().after_all(bytes).map(drop)
}
