//! The normal form of a host, shared by targets and domain patterns so that both sides of a
//! comparison went through the same code.

use url::{Host, ParseError};

use super::{InvalidTarget, raw, rule};

/// The longest name and label that DNS can carry, in bytes.
const NAME_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;

/// Normalises a host: lower-case, IDNA, one trailing dot removed; IPv4 in any spelling and
/// IPv4-mapped IPv6 become the canonical address; IPv6 without brackets, whether it came with
/// them or not. A host that is normal already stays as it is.
///
/// # Errors
/// [`InvalidTarget`] says which rule was broken. A port is refused.
pub fn normalise_host(text: &str) -> Result<String, InvalidTarget> {
    if is_plain(text) {
        return check_name(text).map(str::to_owned);
    }
    if text.contains(':') || text.starts_with('[') {
        let inner = match text.strip_prefix('[') {
            Some(rest) => rest.strip_suffix(']').ok_or(rule::IPV6)?,
            None => text,
        };
        let address = raw::ipv6(inner)?;
        return Ok(match address.to_ipv4_mapped() {
            Some(mapped) => mapped.to_string(),
            None => without_brackets(&Host::<String>::Ipv6(address).to_string()).to_owned(),
        });
    }
    if text.len() > raw::AUTHORITY_BYTES_MAX {
        return Err(rule::AUTHORITY_LONG);
    }
    raw::check_host(text)?;
    match Host::parse(text).map_err(fault)? {
        Host::Domain(mut name) => {
            let length = check_name(&name)?.len();
            name.truncate(length);
            Ok(name)
        }
        Host::Ipv4(address) => Ok(address.to_string()),
        Host::Ipv6(_) => Err(rule::IPV6),
    }
}

/// Whether nothing but [`check_name`] can be said against it: lower-case ASCII that no mapping changes,
/// and whose last label is not read as a number.
fn is_plain(text: &str) -> bool {
    let last = text.rsplit('.').next().unwrap_or_default();
    last.bytes().next().is_some_and(|b| b.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b))
        && !text.contains("xn--")
}

/// Checks a name that IDNA has mapped and gives it without its one trailing dot.
pub(super) fn check_name(name: &str) -> Result<&str, InvalidTarget> {
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.is_empty() {
        return Err(rule::HOST_MISSING);
    }
    if name.len() > NAME_BYTES_MAX {
        return Err(rule::NAME_LONG);
    }
    let mut label_length = 0;
    for b in name.bytes() {
        match b {
            b'.' if label_length == 0 => return Err(rule::EMPTY_LABEL),
            b'.' => label_length = 0,
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' if label_length < LABEL_BYTES_MAX => label_length += 1,
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => return Err(rule::LABEL_LONG),
            b'*' => return Err(rule::WILDCARD),
            b',' | b';' => return Err(rule::HOST_LIST),
            _ => return Err(rule::HOST_CHARACTER),
        }
    }
    if label_length == 0 { Err(rule::EMPTY_LABEL) } else { Ok(name) }
}

/// What the WHATWG parser found wrong with a host.
pub(super) fn fault(error: ParseError) -> InvalidTarget {
    match error {
        ParseError::EmptyHost => rule::HOST_MISSING,
        ParseError::InvalidIpv4Address => rule::IPV4,
        ParseError::InvalidIpv6Address => rule::IPV6,
        ParseError::InvalidPort => rule::PORT,
        ParseError::InvalidDomainCharacter => rule::HOST_CHARACTER,
        _ => rule::HOST_INVALID,
    }
}

pub(super) fn without_brackets(host: &str) -> &str {
    host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host)
}
