//! Reads a head whose end was found, line by line.

use bytes::Bytes;

use super::field::{self, Facts};
use super::name::{self, Known};
use super::target::RequestTarget;
use super::{Body, Head, HeadLimits, Mode, Version};
use crate::Fault;

const METHOD_BYTES_MAX: usize = 32;
/// How many fields there is room for at first; most requests have fewer.
const FIELDS_USUAL: usize = 16;

/// Where the first line feed is.
pub(super) fn find_lf(bytes: &[u8]) -> Option<usize> {
    memchr::memchr(b'\n', bytes)
}

/// Reads `raw`: a request line, header lines and an empty line, each ending in CR LF.
pub(super) fn read(raw: Bytes, mode: Mode, limits: &HeadLimits) -> Result<Head, Fault> {
    let (line, mut rest) = next_line(&raw);
    let request = read_request_line(line, limits)?;
    let mut fields = Vec::with_capacity(FIELDS_USUAL);
    let mut facts = Facts::default();
    let mut host = None;
    loop {
        let offset = raw.len() - rest.len();
        let (line, after) = next_line(rest);
        if line.is_empty() {
            break;
        }
        if fields.len() == limits.fields_max {
            return Err(Fault::TooManyFields);
        }
        let span = field::read_line(line, offset)?;
        let value = span.value(&raw);
        if span.known() != Known::Other {
            facts.add(span.known(), value)?;
            if span.known() == Known::Host {
                host = Some(value);
            }
        }
        fields.push(span);
        rest = after;
    }
    let RequestLine { method, target, version } = request;
    if host.is_none() && version == Version::Http11 {
        return Err(Fault::HostFieldMissing);
    }
    let body = facts.body(version)?;
    if method == b"CONNECT" && !matches!(body, Body::None | Body::Length(0)) {
        return Err(Fault::ConnectBody);
    }
    let target = RequestTarget::read(&raw, mode, method, target, host)?;
    let method_length = u8::try_from(method.len()).map_err(|_| Fault::Method)?;
    Ok(Head { method_length, version, body, target, fields, facts, raw })
}

/// The bytes up to CR LF, and those after it. The end was found before, so every line has one.
fn next_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    let lf = find_lf(bytes).unwrap_or(bytes.len());
    let line = bytes.get(..lf.saturating_sub(1)).unwrap_or_default();
    (line, bytes.get(lf.saturating_add(1)..).unwrap_or_default())
}

struct RequestLine<'a> {
    method: &'a [u8],
    target: &'a [u8],
    version: Version,
}

fn read_request_line<'a>(line: &'a [u8], limits: &HeadLimits) -> Result<RequestLine<'a>, Fault> {
    if line.contains(&b'\r') {
        return Err(Fault::BareLineBreak);
    }
    let mut parts = line.split(|&b| b == b' ');
    let (Some(method), Some(target), Some(version), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Fault::RequestLine);
    };
    if target.is_empty() || version.is_empty() {
        return Err(Fault::RequestLine);
    }
    if !name::is_token(method) || method.len() > METHOD_BYTES_MAX {
        return Err(Fault::Method);
    }
    if name::has_lower_case(method) {
        return Err(Fault::MethodCase);
    }
    if method == b"TRACE" {
        return Err(Fault::TraceRefused);
    }
    let version = match version {
        b"HTTP/1.1" => Version::Http11,
        b"HTTP/1.0" => Version::Http10,
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor] if major.is_ascii_digit() && minor.is_ascii_digit() => {
            return Err(Fault::Version);
        }
        _ => return Err(Fault::RequestLine),
    };
    if target.len() > limits.target_bytes_max {
        return Err(Fault::TargetLong);
    }
    Ok(RequestLine { method, target, version })
}
