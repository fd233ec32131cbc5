//! A second reader of HTTP heads, written without regard to speed or attacks, as many a server has one.
//!
//! What the strict reader accepts, this one must read the same way, whether it ends lines at LF or at CR LF, and
//! whether the first or the last of equal fields counts.

use std::net::{IpAddr, Ipv4Addr};

/// How a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    None,
    Length(u64),
    Chunked,
}

/// What a naive reader takes from a head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Naive {
    pub(crate) method: String,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) framing: Framing,
    pub(crate) fields: Vec<(String, String)>,
}

/// All readings of the head at the front of `bytes`; they should be equal.
pub(crate) fn readings(bytes: &[u8]) -> Vec<Naive> {
    let text: String = bytes.iter().map(|&b| char::from(b)).collect();
    let strict: Vec<&str> = text.trim_start_matches("\r\n").split("\r\n").collect();
    let loose: Vec<&str> = text.trim_start().split('\n').map(|line| line.trim_end_matches('\r')).collect();
    let mut readings = Vec::new();
    for lines in [strict, loose] {
        let head: Vec<&str> = lines.into_iter().take_while(|line| !line.is_empty()).collect();
        readings.extend([read(&head, |first, _| first), read(&head, |_, last| last)]);
    }
    readings
}

fn read<'a>(lines: &[&'a str], choose: fn(&'a str, &'a str) -> &'a str) -> Naive {
    let mut words = lines[0].split_whitespace();
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let fields: Vec<(&str, &str)> = lines[1..].iter().map(|line| line.split_once(':').unwrap()).collect();
    let value = |name: &str| {
        let mut values = fields.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| *value);
        let first = values.next()?;
        // Many a language also trims what is white space only in Unicode.
        Some(choose(first, values.next_back().unwrap_or(first)).trim())
    };
    let authority = match target.split_once("://") {
        _ if method == "CONNECT" => target,
        Some((scheme, rest)) if !scheme.contains('/') => rest.split(['/', '?']).next().unwrap(),
        _ => value("host").unwrap(),
    };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port.parse().unwrap()),
        _ => (authority, 80),
    };
    let framing = match (value("transfer-encoding"), value("content-length")) {
        (Some(coding), _) if coding.to_ascii_lowercase().contains("chunked") => Framing::Chunked,
        (_, Some(length)) => Framing::Length(length.parse().unwrap()),
        _ => Framing::None,
    };
    let fields =
        fields.iter().map(|(name, value)| ((*name).to_owned(), value.trim_matches([' ', '\t']).to_owned())).collect();
    Naive { method: method.to_owned(), host: host_form(host), port, framing, fields }
}

/// A host as a resolver of the C library would take it.
pub(crate) fn host_form(written: &str) -> String {
    let bare = written.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = bare.parse::<IpAddr>() {
        return address.to_canonical().to_string();
    }
    let name = written.strip_suffix('.').unwrap_or(written).to_ascii_lowercase();
    aton(&name).map_or(name, |address| address.to_string())
}

/// Numbers and dots: one to four parts, each decimal, octal or hexadecimal, the last one filling what is left.
fn aton(text: &str) -> Option<Ipv4Addr> {
    let number = |part: &str| match part.strip_prefix("0x") {
        Some("") => Some(0),
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None if part.len() > 1 && part.starts_with('0') => u64::from_str_radix(part, 8).ok(),
        None => part.parse().ok(),
    };
    let parts: Vec<u64> = text.split('.').map(number).collect::<Option<_>>()?;
    let (last, first) = parts.split_last()?;
    if first.len() > 3 || first.iter().any(|part| *part > 255) || *last >= 1 << (8 * (4 - first.len())) {
        return None;
    }
    let head = first.iter().enumerate().fold(0, |sum, (at, part)| sum | part << (24 - 8 * at));
    Some(Ipv4Addr::from(u32::try_from(head | last).ok()?))
}
