//! `host:port` as clients write it, read byte by byte before any normalisation could hide a trick.
//!
//! Stricter than RFC 3986: a host is an ASCII name of letters, digits, `-`, `_` and `.`, an IPv4 address in any
//! spelling that common readers take (hexadecimal, octal, short, one number), or an IPv6 address in brackets.
//! What passes is brought into the one normal form that policies compare: lower case, punycode checked, one
//! trailing dot removed, IPv4-mapped IPv6 as IPv4. Names in other scripts come in punycode only: the bytes of a
//! request are not text of a known encoding.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::Fault;

#[cfg(test)]
mod tests;

/// The longest `host:port` in bytes.
pub const AUTHORITY_BYTES_MAX: usize = 255;
const PORT_DIGITS_MAX: usize = 5;

/// A host in its normal form.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// A lower-case ASCII name without trailing dot, never a number.
    Name(Box<str>),
    /// An IPv4 address, whatever its spelling was.
    V4(Ipv4Addr),
    /// An IPv6 address that is not an IPv4-mapped one.
    V6(Ipv6Addr),
}

impl Host {
    /// Reads a host without port; IPv6 stands in brackets.
    ///
    /// # Errors
    /// The rule that was broken.
    pub fn of_bytes(bytes: &[u8]) -> Result<Self, Fault> {
        if bytes.len() > AUTHORITY_BYTES_MAX {
            return Err(Fault::AuthorityLong);
        }
        match bytes {
            [b'[', inner @ .., b']'] => ipv6(inner),
            [b'[', ..] => Err(Fault::Ipv6),
            name => of_name(name),
        }
    }

    /// The address, when the host is one.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Name(_) => None,
            Self::V4(address) => Some(IpAddr::V4(*address)),
            Self::V6(address) => Some(IpAddr::V6(*address)),
        }
    }

    /// The name, when the host is one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Name(name) => Some(name),
            Self::V4(_) | Self::V6(_) => None,
        }
    }

    /// The host as policies and records write it: an IPv6 address has no brackets.
    #[must_use]
    pub fn domain(&self) -> String {
        match self {
            Self::Name(name) => name.to_string(),
            Self::V4(address) => address.to_string(),
            Self::V6(address) => address.to_string(),
        }
    }
}

impl From<IpAddr> for Host {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => Self::V6(address),
        }
    }
}

/// As in a URL: an IPv6 address stands in brackets.
impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::V4(address) => address.fmt(f),
            Self::V6(address) => write!(f, "[{address}]"),
        }
    }
}

/// A host and a port from 1 to 65535.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Authority {
    // INVARIANT: the host is in its normal form; the port is not 0.
    host: Host,
    port: u16,
}

impl Authority {
    /// Joins a host that was read and a port.
    ///
    /// # Errors
    /// [`Fault::Port`] for port 0.
    pub fn new(host: Host, port: u16) -> Result<Self, Fault> {
        if port == 0 { Err(Fault::Port) } else { Ok(Self { host, port }) }
    }

    /// Reads the target of CONNECT: the port is required.
    ///
    /// # Errors
    /// The rule that was broken.
    pub fn of_connect(bytes: &[u8]) -> Result<Self, Fault> {
        let (host, port) = split(bytes)?;
        let port = port.ok_or(Fault::PortMissing);
        // A host that is wrong is worth more to the reader than a port that is missing.
        let host = Host::of_bytes(host)?;
        Ok(Self { host, port: read_port(port?)? })
    }

    /// Reads a Host field or the authority of an absolute target: without port it is `default_port`.
    ///
    /// # Errors
    /// The rule that was broken. An empty port (`host:`) is refused.
    pub fn of_host_field(bytes: &[u8], default_port: u16) -> Result<Self, Fault> {
        let (host, port) = split(bytes)?;
        let host = Host::of_bytes(host)?;
        match port {
            None => Self::new(host, default_port),
            Some(port) => Ok(Self { host, port: read_port(port)? }),
        }
    }

    /// The host.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The port, never 0.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The value of a Host field for a scheme whose port is `default_port`: that port is left out.
    #[must_use]
    pub fn host_field(&self, default_port: u16) -> String {
        if self.port == default_port { self.host.to_string() } else { self.to_string() }
    }
}

/// `host:port`, an IPv6 address in brackets: what CONNECT takes.
impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Splits at the colon before the port, after the checks that need both sides.
fn split(bytes: &[u8]) -> Result<(&[u8], Option<&[u8]>), Fault> {
    if bytes.len() > AUTHORITY_BYTES_MAX {
        return Err(Fault::AuthorityLong);
    }
    if bytes.contains(&b'@') {
        return Err(Fault::Userinfo);
    }
    if bytes.first() == Some(&b'[') {
        let end = bytes.iter().position(|&b| b == b']').ok_or(Fault::Ipv6)?;
        let (host, after) = bytes.split_at_checked(end + 1).ok_or(Fault::Ipv6)?;
        return match after {
            [] => Ok((host, None)),
            [b':', port @ ..] => Ok((host, Some(port))),
            _ => Err(Fault::Ipv6),
        };
    }
    match bytes.iter().position(|&b| b == b':') {
        None => Ok((bytes, None)),
        Some(at) => Ok((bytes.get(..at).unwrap_or_default(), bytes.get(at + 1..))),
    }
}

fn read_port(digits: &[u8]) -> Result<u16, Fault> {
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err(match digits {
            _ if digits.iter().any(|b| matches!(b, b',' | b';')) => Fault::HostList,
            _ if digits.contains(&b':') => Fault::Ports,
            _ => Fault::Port,
        });
    }
    let port = digits.iter().fold(0_u32, |port, b| port.saturating_mul(10).saturating_add(u32::from(b - b'0')));
    match u16::try_from(port) {
        Ok(port @ 1..) if digits.len() <= PORT_DIGITS_MAX => Ok(port),
        _ => Err(Fault::Port),
    }
}

fn of_name(bytes: &[u8]) -> Result<Host, Fault> {
    if bytes.is_empty() {
        return Err(Fault::HostMissing);
    }
    for &b in bytes {
        match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {}
            b'%' => return Err(Fault::HostPercent),
            b',' | b';' => return Err(Fault::HostList),
            b'*' => return Err(Fault::HostWildcard),
            b'@' => return Err(Fault::Userinfo),
            _ => return Err(Fault::HostCharacter),
        }
    }
    let text = std::str::from_utf8(bytes).map_err(|_| Fault::HostCharacter)?;
    let normal = model::target::normalise_host(text).map_err(|_| Fault::HostInvalid)?;
    // Only a host whose last label is a number can have become an address.
    if normal.ends_with(|c: char| c.is_ascii_digit())
        && let Ok(address) = normal.parse()
    {
        return Ok(Host::V4(address));
    }
    Ok(Host::Name(normal.into_boxed_str()))
}

fn ipv6(inner: &[u8]) -> Result<Host, Fault> {
    if inner.contains(&b'%') {
        return Err(Fault::ZoneId);
    }
    let text = std::str::from_utf8(inner).map_err(|_| Fault::Ipv6)?;
    let address: Ipv6Addr = text.parse().map_err(|_| Fault::Ipv6)?;
    Ok(Host::from(IpAddr::V6(address)))
}
