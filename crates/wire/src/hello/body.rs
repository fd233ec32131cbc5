//! The ClientHello message itself.

use super::NotTls;
use crate::Host;

/// Extensions in one hello; clients send about twenty.
const EXTENSIONS_MAX: usize = 128;
const SESSION_ID_BYTES_MAX: usize = 32;

const SERVER_NAME: u16 = 0;
const ALPN: u16 = 16;
const EARLY_DATA: u16 = 42;
const SUPPORTED_VERSIONS: u16 = 43;
const ENCRYPTED_CLIENT_HELLO: u16 = 0xfe0d;

const TLS_1_0: u16 = 0x0301;
const TLS_1_2: u16 = 0x0303;
const TLS_1_3: u16 = 0x0304;

/// The server name a client indicates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sni {
    /// No such extension.
    Absent,
    /// Exactly one host name, lower case and without trailing dot.
    Name(Box<str>),
    /// More than one name.
    Several,
    /// An address, which RFC 6066 forbids.
    Address,
    /// Empty, of another type, or not a host name.
    Malformed,
}

impl Sni {
    /// Compares the indication with the host that a tunnel was opened to.
    #[must_use]
    pub fn compare(&self, host: &Host) -> SniMatch {
        match (self, host) {
            (Self::Absent, _) => SniMatch::Absent,
            (Self::Name(name), Host::Name(host)) if name == host => SniMatch::Match,
            _ => SniMatch::Other,
        }
    }
}

/// How a server name indication stands to the host of its tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SniMatch {
    /// Exactly one name, equal to the host.
    Match,
    /// None. Right for an address; for a name it is to be refused.
    Absent,
    /// Another name, several, an address, or nothing that is a name.
    Other,
}

/// What a ClientHello says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    sni: Sni,
    alpn: Vec<Box<[u8]>>,
    offers_tls13: bool,
    has_ech: bool,
    has_early_data: bool,
}

impl Hello {
    /// The server name; of an encrypted ClientHello the outer one.
    #[must_use]
    pub fn sni(&self) -> &Sni {
        &self.sni
    }

    /// The application protocols offered, in order, as they are on the wire.
    pub fn alpn(&self) -> impl Iterator<Item = &[u8]> {
        self.alpn.iter().map(AsRef::as_ref)
    }

    /// Whether TLS 1.3 is offered; only then can there be a second hello.
    #[must_use]
    pub fn offers_tls13(&self) -> bool {
        self.offers_tls13
    }

    /// Whether there is an encrypted ClientHello, a real one or GREASE: from outside they look the same.
    #[must_use]
    pub fn has_ech(&self) -> bool {
        self.has_ech
    }

    /// Whether data follows before the server has answered.
    #[must_use]
    pub fn has_early_data(&self) -> bool {
        self.has_early_data
    }

    /// Reads the message without its header.
    pub(super) fn read(message: &[u8]) -> Result<Self, NotTls> {
        let mut hello = Input(message);
        if !(TLS_1_0..=TLS_1_2).contains(&hello.u16()?) {
            return Err(NotTls::Version);
        }
        let _random = hello.take(32)?;
        if hello.vector8()?.0.len() > SESSION_ID_BYTES_MAX {
            return Err(NotTls::Malformed);
        }
        let suites = hello.vector16()?.0.len();
        if suites == 0 || suites % 2 != 0 || hello.vector8()?.0.is_empty() {
            return Err(NotTls::Malformed);
        }
        let mut read =
            Self { sni: Sni::Absent, alpn: Vec::new(), offers_tls13: false, has_ech: false, has_early_data: false };
        if hello.0.is_empty() {
            return Ok(read);
        }
        let mut extensions = hello.vector16()?;
        if !hello.0.is_empty() {
            return Err(NotTls::Malformed);
        }
        let mut seen = Vec::with_capacity(32);
        while !extensions.0.is_empty() {
            let kind = extensions.u16()?;
            let body = extensions.vector16()?;
            if seen.contains(&kind) || seen.len() == EXTENSIONS_MAX {
                return Err(NotTls::Malformed);
            }
            seen.push(kind);
            match kind {
                SERVER_NAME => read.sni = server_name(body)?,
                ALPN => read.alpn = protocols(body)?,
                SUPPORTED_VERSIONS => read.offers_tls13 = versions(body)?,
                EARLY_DATA if body.0.is_empty() => read.has_early_data = true,
                EARLY_DATA => return Err(NotTls::Malformed),
                ENCRYPTED_CLIENT_HELLO => read.has_ech = true,
                _ => {}
            }
        }
        Ok(read)
    }
}

fn server_name(mut body: Input<'_>) -> Result<Sni, NotTls> {
    let mut list = body.vector16()?;
    if !body.0.is_empty() {
        return Err(NotTls::Malformed);
    }
    if list.0.is_empty() {
        return Ok(Sni::Malformed);
    }
    let kind = list.u8()?;
    let name = list.vector16()?;
    Ok(match list.0 {
        [] if kind == 0 => host_name(name.0),
        [] => Sni::Malformed,
        _ => Sni::Several,
    })
}

fn host_name(bytes: &[u8]) -> Sni {
    // An IPv6 address is no host name here: brackets and colons are not in its letters.
    if std::str::from_utf8(bytes).is_ok_and(|text| text.parse::<std::net::IpAddr>().is_ok()) {
        return Sni::Address;
    }
    match bytes {
        [b'[', ..] | [.., b'.'] => Sni::Malformed,
        _ => match Host::of_bytes(bytes) {
            Ok(Host::Name(name)) => Sni::Name(name),
            Ok(Host::V4(_) | Host::V6(_)) => Sni::Address,
            Err(_) => Sni::Malformed,
        },
    }
}

fn protocols(mut body: Input<'_>) -> Result<Vec<Box<[u8]>>, NotTls> {
    let mut list = body.vector16()?;
    if !body.0.is_empty() || list.0.is_empty() {
        return Err(NotTls::Malformed);
    }
    let mut protocols = Vec::new();
    while !list.0.is_empty() {
        let name = list.vector8()?.0;
        if name.is_empty() {
            return Err(NotTls::Malformed);
        }
        protocols.push(name.into());
    }
    Ok(protocols)
}

/// Whether TLS 1.3 is among the versions.
fn versions(mut body: Input<'_>) -> Result<bool, NotTls> {
    let list = body.vector8()?.0;
    if !body.0.is_empty() || list.is_empty() || list.len() % 2 != 0 {
        return Err(NotTls::Malformed);
    }
    Ok(list.chunks_exact(2).any(|version| version == TLS_1_3.to_be_bytes()))
}

/// Bytes that are read from the front; too few of them are malformed.
#[derive(Clone, Copy)]
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], NotTls> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(NotTls::Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn u8(&mut self) -> Result<u8, NotTls> {
        self.take(1)?.first().copied().ok_or(NotTls::Malformed)
    }

    fn u16(&mut self) -> Result<u16, NotTls> {
        self.take(2)?.first_chunk().map(|bytes| u16::from_be_bytes(*bytes)).ok_or(NotTls::Malformed)
    }

    /// A vector after a length of one byte.
    fn vector8(&mut self) -> Result<Self, NotTls> {
        let length = self.u8()?;
        self.take(usize::from(length)).map(Self)
    }

    /// A vector after a length of two bytes.
    fn vector16(&mut self) -> Result<Self, NotTls> {
        let length = self.u16()?;
        self.take(usize::from(length)).map(Self)
    }
}
