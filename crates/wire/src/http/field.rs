//! One header line, and what the lines of a head say together.

use std::fmt;

use bytes::Bytes;

use super::name::{self, Known};
use super::{Body, Version};
use crate::Fault;

/// The most digits of a Content-Length: no 64-bit reader overflows, signed or not.
const LENGTH_DIGITS_MAX: usize = 18;

/// A field of a head or of trailers.
#[derive(Clone, Copy)]
pub struct Field<'a> {
    raw: &'a Bytes,
    span: &'a Span,
}

impl<'a> Field<'a> {
    pub(crate) fn new(raw: &'a Bytes, span: &'a Span) -> Self {
        Self { raw, span }
    }

    /// The name as it was written: a token.
    #[must_use]
    pub fn name(&self) -> &'a str {
        std::str::from_utf8(self.span.name(self.raw)).unwrap_or_default()
    }

    /// The value without the white space around it: no control byte but tab.
    #[must_use]
    pub fn value(&self) -> &'a [u8] {
        self.span.value(self.raw)
    }

    /// The value, sharing the received bytes instead of copying them.
    #[must_use]
    pub fn value_shared(&self) -> Bytes {
        self.raw.slice_ref(self.value())
    }
}

/// Names no value: fields carry credentials.
impl fmt::Debug for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ({} bytes)", self.name(), self.value().len())
    }
}

/// Where a field stands in the bytes it was read from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    name_start: u32,
    name_end: u32,
    value_start: u32,
    value_end: u32,
    known: Known,
}

impl Span {
    pub(crate) fn known(&self) -> Known {
        self.known
    }

    pub(crate) fn name<'a>(&self, raw: &'a [u8]) -> &'a [u8] {
        cut(raw, self.name_start, self.name_end)
    }

    pub(crate) fn value<'a>(&self, raw: &'a [u8]) -> &'a [u8] {
        cut(raw, self.value_start, self.value_end)
    }
}

fn cut(raw: &[u8], start: u32, end: u32) -> &[u8] {
    let [start, end] = [start, end].map(|at| usize::try_from(at).unwrap_or(usize::MAX));
    raw.get(start..end).unwrap_or_default()
}

/// Reads one line, which stands `offset` bytes after the start of what the span will be used with.
///
/// # Errors
/// The rule that was broken.
pub(crate) fn read_line(line: &[u8], offset: usize) -> Result<Span, Fault> {
    let name_length = line.iter().position(|&b| !name::is_token_byte(b)).unwrap_or(line.len());
    let (name, after) = line.split_at_checked(name_length).unwrap_or_default();
    let value = match (name, after) {
        ([], [b' ' | b'\t', ..]) => return Err(Fault::ObsFold),
        ([_, ..], [b':', value @ ..]) => value,
        ([_, ..], [b' ' | b'\t', rest @ ..]) if name::trim(rest).first() == Some(&b':') => {
            return Err(Fault::SpaceBeforeColon);
        }
        _ => return Err(Fault::FieldName),
    };
    if !name::is_value(value) {
        // A carriage return that no line feed follows is the trick worth naming.
        return Err(if value.contains(&b'\r') { Fault::BareLineBreak } else { Fault::FieldValue });
    }
    let trimmed = name::trim(value);
    let leading = value.iter().take_while(|b| matches!(b, b' ' | b'\t')).count().min(value.len() - trimmed.len());
    let value_start = offset + name_length + 1 + leading;
    let at = |position: usize| u32::try_from(position).map_err(|_| Fault::HeadLong);
    Ok(Span {
        name_start: at(offset)?,
        name_end: at(offset + name_length)?,
        value_start: at(value_start)?,
        value_end: at(value_start + trimmed.len())?,
        known: Known::of(name),
    })
}

/// What the fields of a head say together, gathered line by line.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Facts {
    pub(super) close: bool,
    pub(super) keep_alive: bool,
    pub(super) upgrade_option: bool,
    /// Connection names a field that is not hop-by-hop anyway.
    pub(super) nominates: bool,
    pub(super) expect_continue: bool,
    length: Option<u64>,
    chunked: bool,
    hosts: bool,
    proxy_authorizations: bool,
}

impl Facts {
    /// Takes one field in.
    ///
    /// # Errors
    /// The rule that this field breaks, alone or together with those before.
    pub(super) fn add(&mut self, known: Known, value: &[u8]) -> Result<(), Fault> {
        match known {
            Known::Host => once(&mut self.hosts, Fault::HostFieldTwice),
            Known::ProxyAuthorization => once(&mut self.proxy_authorizations, Fault::ProxyAuthorizationTwice),
            Known::ContentLength => {
                let length = content_length(value)?;
                if self.length.replace(length).is_some() { Err(Fault::ContentLengthTwice) } else { Ok(()) }
            }
            Known::TransferEncoding => {
                if value.eq_ignore_ascii_case(b"chunked") {
                    once(&mut self.chunked, Fault::TransferCoding)
                } else {
                    Err(Fault::TransferCoding)
                }
            }
            Known::Expect => {
                self.expect_continue = value.eq_ignore_ascii_case(b"100-continue");
                if self.expect_continue { Ok(()) } else { Err(Fault::Expectation) }
            }
            Known::Connection => name::options(value).try_for_each(|option| self.add_option(option)),
            Known::ProxyConnection => {
                self.close |= name::options(value).any(|option| option.eq_ignore_ascii_case(b"close"));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn add_option(&mut self, option: &[u8]) -> Result<(), Fault> {
        if !name::is_token(option) {
            return Err(Fault::ConnectionOption);
        }
        if option.eq_ignore_ascii_case(b"close") {
            self.close = true;
        } else if option.eq_ignore_ascii_case(b"keep-alive") {
            self.keep_alive = true;
        } else {
            match Known::of(option) {
                Known::Upgrade => self.upgrade_option = true,
                known if known.must_stay() => return Err(Fault::ConnectionOption),
                known => self.nominates |= !known.is_hop_by_hop(),
            }
        }
        Ok(())
    }

    /// How the body ends, once all fields are in.
    ///
    /// # Errors
    /// Framings that two readers may read differently.
    pub(super) fn body(&self, version: Version) -> Result<Body, Fault> {
        match (self.chunked, self.length) {
            (true, Some(_)) => Err(Fault::TwoFramings),
            (true, None) if version == Version::Http10 => Err(Fault::TransferCodingIn10),
            (true, None) => Ok(Body::Chunked),
            (false, Some(length)) => Ok(Body::Length(length)),
            (false, None) => Ok(Body::None),
        }
    }
}

fn once(seen: &mut bool, again: Fault) -> Result<(), Fault> {
    if std::mem::replace(seen, true) { Err(again) } else { Ok(()) }
}

fn content_length(value: &[u8]) -> Result<u64, Fault> {
    if value.is_empty() || value.len() > LENGTH_DIGITS_MAX {
        return Err(Fault::ContentLength);
    }
    value.iter().try_fold(0_u64, |length, b| match b {
        b'0'..=b'9' => Ok(length * 10 + u64::from(b - b'0')),
        _ => Err(Fault::ContentLength),
    })
}
