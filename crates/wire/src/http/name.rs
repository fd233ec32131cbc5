//! Names of fields, and the small lists in the values of some.

/// Which bytes a token is made of (RFC 9110, section 5.6.2).
static TOKEN: [bool; 256] = token_bytes();

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler; below 128")]
const fn token_bytes() -> [bool; 256] {
    let mut table = [false; 256];
    let mut b = 0_u8;
    while b < 0x80 {
        table[b as usize] = b.is_ascii_alphanumeric()
            || matches!(
                b,
                b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
            );
        b += 1;
    }
    table
}

pub(super) fn is_token_byte(b: u8) -> bool {
    TOKEN.get(usize::from(b)) == Some(&true)
}

pub(super) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&b| is_token_byte(b))
}

pub(super) fn has_lower_case(bytes: &[u8]) -> bool {
    bytes.iter().any(u8::is_ascii_lowercase)
}

/// Whether a field value may hold all these bytes. Without early exit, so that it can go over many at once.
pub(super) fn is_value(bytes: &[u8]) -> bool {
    bytes.iter().fold(true, |good, &b| good & ((b >= b' ') & (b != 0x7f) | (b == b'\t')))
}

/// Whether path and query may hold all these bytes.
pub(super) fn is_target(bytes: &[u8]) -> bool {
    bytes.iter().fold(true, |good, &b| good & (b > b' ') & (b < 0x7f) & (b != b'#') & (b != b'\\'))
}

/// One protocol of an Upgrade field: a token, with a version after a slash or without.
pub(super) fn is_protocol(bytes: &[u8]) -> bool {
    let mut parts = bytes.split(|&b| b == b'/');
    parts.next().is_some_and(is_token) && parts.next().is_none_or(is_token) && parts.next().is_none()
}

/// The elements of a comma-separated list without the white space around them; empty ones are left out.
pub(super) fn options(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&b| b == b',').map(trim).filter(|option| !option.is_empty())
}

/// Removes spaces and tabs on both sides.
pub(super) fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// A field that means something here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    /// None of the others.
    Other,
    Host,
    ContentLength,
    TransferEncoding,
    Connection,
    ProxyConnection,
    ProxyAuthorization,
    /// Hop-by-hop, and of no further interest.
    HopByHop,
    Upgrade,
    Expect,
    Via,
    /// End-to-end, and not for a connection option or a trailer to change.
    Protected,
}

impl Known {
    pub(crate) fn of(name: &[u8]) -> Self {
        let is = |word: &str| name.eq_ignore_ascii_case(word.as_bytes());
        // By length first: most names are then compared with one word or none.
        match name.len() {
            2 if is("TE") => Self::HopByHop,
            3 if is("Via") => Self::Via,
            4 if is("Host") => Self::Host,
            6 if is("Expect") => Self::Expect,
            6 if is("Cookie") => Self::Protected,
            7 if is("Upgrade") => Self::Upgrade,
            7 if is("Trailer") => Self::HopByHop,
            10 if is("Connection") => Self::Connection,
            10 if is("Keep-Alive") => Self::HopByHop,
            12 if is("Content-Type") => Self::Protected,
            13 if is("Authorization") => Self::Protected,
            13 if is("Content-Range") => Self::Protected,
            14 if is("Content-Length") => Self::ContentLength,
            14 if is("HTTP2-Settings") => Self::HopByHop,
            16 if is("Content-Encoding") => Self::Protected,
            16 if is("Proxy-Connection") => Self::ProxyConnection,
            17 if is("Transfer-Encoding") => Self::TransferEncoding,
            19 if is("Proxy-Authorization") => Self::ProxyAuthorization,
            _ if name.get(..6).is_some_and(|start| start.eq_ignore_ascii_case(b"Proxy-")) => Self::HopByHop,
            _ => Self::Other,
        }
    }

    /// Whether it ends here, whatever Connection says.
    pub(super) fn is_hop_by_hop(self) -> bool {
        matches!(
            self,
            Self::TransferEncoding
                | Self::Connection
                | Self::ProxyConnection
                | Self::ProxyAuthorization
                | Self::HopByHop
                | Self::Upgrade
        )
    }

    /// Whether a connection option may not take it away.
    pub(super) fn must_stay(self) -> bool {
        matches!(self, Self::Host | Self::ContentLength | Self::Expect | Self::Via | Self::Protected)
    }

    /// Whether a trailer may carry it.
    pub(crate) fn may_trail(self) -> bool {
        self == Self::Other
    }
}
