//! Checks on the text before any normalisation, which would hide what is refused here: WHATWG
//! drops tabs and line breaks, turns `\` into `/` and decodes `%` in hosts.

use std::net::Ipv6Addr;

use super::{InvalidTarget, TARGET_BYTES_MAX, rule};

/// The longest authority in bytes.
pub(super) const AUTHORITY_BYTES_MAX: usize = 255;

/// Checks everything about a trimmed target that can be seen without normalising it.
pub(super) fn check(text: &str) -> Result<(), InvalidTarget> {
    if text.len() > TARGET_BYTES_MAX {
        return Err(rule::TOO_LONG);
    }
    check_bytes(text)?;
    let rest = after_scheme(text)?;
    let end = rest.bytes().position(|b| matches!(b, b'/' | b'?' | b'#')).unwrap_or(rest.len());
    check_authority(rest.get(..end).unwrap_or(rest))
}

/// Refuses what no part of a target may hold.
fn check_bytes(text: &str) -> Result<(), InvalidTarget> {
    let mut ascii = true;
    for b in text.bytes() {
        match b {
            0..=0x1f | 0x7f => return Err(rule::CONTROL),
            b'\\' => return Err(rule::BACKSLASH),
            0x80.. => ascii = false,
            _ => {}
        }
    }
    // The controls U+0080 to U+009F take two bytes.
    if !ascii && text.chars().any(char::is_control) {
        return Err(rule::CONTROL);
    }
    Ok(())
}

fn after_scheme(text: &str) -> Result<&str, InvalidTarget> {
    let (scheme, rest) = text.split_once(':').ok_or(rule::NOT_ABSOLUTE)?;
    if !scheme.eq_ignore_ascii_case("https") && !scheme.eq_ignore_ascii_case("http") {
        let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
        return Err(if is_scheme { rule::SCHEME } else { rule::NOT_ABSOLUTE });
    }
    rest.strip_prefix("//").ok_or(rule::SLASHES)
}

fn check_authority(authority: &str) -> Result<(), InvalidTarget> {
    if authority.is_empty() {
        return Err(rule::HOST_MISSING);
    }
    if authority.len() > AUTHORITY_BYTES_MAX {
        return Err(rule::AUTHORITY_LONG);
    }
    if authority.contains('@') {
        return Err(rule::USERINFO);
    }
    if let Some(bracketed) = authority.strip_prefix('[') {
        let (address, after) = bracketed.split_once(']').ok_or(rule::IPV6)?;
        ipv6(address)?;
        return match after.strip_prefix(':') {
            Some(port) => check_port(port),
            None if after.is_empty() => Ok(()),
            None => Err(rule::IPV6),
        };
    }
    match authority.split_once(':') {
        Some((name, port)) => {
            check_host(name)?;
            check_port(port)
        }
        None => check_host(authority),
    }
}

/// Refuses a name that some reader would decode, split or expand.
pub(super) fn check_host(name: &str) -> Result<(), InvalidTarget> {
    if name.is_empty() {
        return Err(rule::HOST_MISSING);
    }
    for c in name.chars() {
        match c {
            '%' => return Err(rule::HOST_PERCENT),
            ',' | ';' => return Err(rule::HOST_LIST),
            '*' => return Err(rule::WILDCARD),
            '\\' => return Err(rule::BACKSLASH),
            c if c.is_whitespace() => return Err(rule::HOST_SPACE),
            c if c.is_control() => return Err(rule::CONTROL),
            _ => {}
        }
    }
    Ok(())
}

fn check_port(port: &str) -> Result<(), InvalidTarget> {
    for c in port.chars() {
        match c {
            '0'..='9' => {}
            ':' => return Err(rule::PORTS),
            ',' | ';' => return Err(rule::HOST_LIST),
            c if c.is_whitespace() => return Err(rule::HOST_SPACE),
            _ => return Err(rule::PORT),
        }
    }
    match port.parse::<u16>() {
        Ok(1..) if port.len() <= 5 => Ok(()),
        _ => Err(rule::PORT),
    }
}

/// Reads an IPv6 address as written between brackets.
pub(super) fn ipv6(text: &str) -> Result<Ipv6Addr, InvalidTarget> {
    if text.contains('%') {
        return Err(rule::ZONE_ID);
    }
    text.parse().map_err(|_| rule::IPV6)
}
