//! Which protocol a new connection speaks, from its first bytes.

/// Everything a client sends first in HTTP/2 with prior knowledge.
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A protocol that clients of the way out speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Carrier {
    /// HTTP/1.0 or 1.1, and whatever is not one of the others: its reader refuses what it cannot read.
    Http1,
    /// HTTP/2 with prior knowledge.
    Http2,
    /// SOCKS version 5.
    Socks5,
    /// SOCKS version 4, which can only be refused: it has no way to say who asks.
    Socks4,
    /// TLS, before whatever is inside.
    Tls,
}

/// Names the protocol, or `None` while the bytes could still be more than one. Decides within 24 bytes; nothing
/// is consumed.
#[must_use]
pub fn sniff(bytes: &[u8]) -> Option<Carrier> {
    match bytes.first()? {
        0x04 => Some(Carrier::Socks4),
        0x05 => Some(Carrier::Socks5),
        0x16 => Some(Carrier::Tls),
        _ if bytes.starts_with(HTTP2_PREFACE) => Some(Carrier::Http2),
        _ if HTTP2_PREFACE.starts_with(bytes) => None,
        _ => Some(Carrier::Http1),
    }
}

#[cfg(test)]
mod tests {
    use super::{Carrier, HTTP2_PREFACE, sniff};

    #[test]
    fn names_the_protocol_as_soon_as_it_is_sure() {
        for (bytes, want) in [
            (&b""[..], None),
            (b"P", None),
            (b"PR", None),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r", None),
            (HTTP2_PREFACE, Some(Carrier::Http2)),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0", Some(Carrier::Http2)),
            (b"PRI * HTTP/2.0\r\n\r\nSX", Some(Carrier::Http1)),
            (b"PRI * HTTP/1", Some(Carrier::Http1)),
            (b"PO", Some(Carrier::Http1)),
            (b"G", Some(Carrier::Http1)),
            (b"\r\n", Some(Carrier::Http1)),
            (b"\0", Some(Carrier::Http1)),
            (b"\x16", Some(Carrier::Tls)),
            (b"\x05\x01", Some(Carrier::Socks5)),
            (b"\x04\x01", Some(Carrier::Socks4)),
        ] {
            assert_eq!(sniff(bytes), want, "{bytes:?}");
        }
    }

    #[test]
    fn more_bytes_never_change_a_decision() {
        let mut bytes = HTTP2_PREFACE.to_vec();
        for at in 0..bytes.len() {
            bytes[at] ^= 0x20;
            let first = (0..=bytes.len()).find_map(|n| sniff(&bytes[..n]));
            assert_eq!(first, sniff(&bytes), "{at}");
            bytes[at] ^= 0x20;
        }
    }
}
