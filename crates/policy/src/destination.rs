//! Which addresses no request may reach, and whether a host written as an address is one of them.
//!
//! The authority are the tables in `data/`: IANA's two registries of special-purpose addresses, of
//! which everything not called globally reachable is forbidden, and what is forbidden besides. The
//! code is match arms because it stands on the path of every decision; a test holds it to the tables.
//!
//! An IPv4-mapped address is only another spelling and counts as the address in it. NAT64, 6to4,
//! Teredo and the like lead through a translator to where nobody here can see, so they are refused
//! whatever they embed; what an operator's own NAT64 prefix embeds is judged by [`embedded_v4`] where
//! a name is dialed. Names are not resolved here; what a name resolves to is vetted with the same
//! [`forbidden`].

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::Ipv6Net;

use crate::snapshot::settings::TrustedUpstream;

/// Why an address is forbidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Forbidden {
    /// This machine.
    Loopback,
    /// A private network, unique-local and site-local included.
    Private,
    /// This link.
    LinkLocal,
    /// Shared address space behind a carrier's NAT.
    SharedNat,
    /// A group.
    Multicast,
    /// For documents only.
    Documentation,
    /// For benchmarks only.
    Benchmarking,
    /// A cloud's metadata or host service.
    Metadata,
    /// Translated or tunnelled to an IPv4 address: NAT64, 6to4, Teredo, IPv4-translated.
    Translation,
    /// Unspecified, broadcast, or set aside for protocols or the future.
    Reserved,
}

impl Forbidden {
    /// A few words for a trace.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Loopback => "loopback address",
            Self::Private => "private address",
            Self::LinkLocal => "link-local address",
            Self::SharedNat => "shared (CGNAT) address",
            Self::Multicast => "multicast address",
            Self::Documentation => "documentation address",
            Self::Benchmarking => "benchmarking address",
            Self::Metadata => "cloud metadata address",
            Self::Translation => "address of an IPv4 translation",
            Self::Reserved => "reserved address",
        }
    }
}

/// Whether `host`, when it is an address, is a forbidden one that `trusted` does not except.
///
/// `port` is `None` when the ask names only a host; then only an exception for every port counts.
#[must_use]
pub fn forbidden_literal(host: &str, port: Option<u16>, trusted: &[TrustedUpstream]) -> Option<Forbidden> {
    // The cheap look first: a name seldom ends in a digit and never has a colon.
    if !host.bytes().next_back().is_some_and(|b| b.is_ascii_hexdigit() || b == b']' || b == b':' || b == b'.') {
        return None;
    }
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    let address: IpAddr = bare.strip_suffix('.').unwrap_or(bare).parse().ok()?;
    let kind = forbidden(address)?;
    let excepted = trusted.iter().any(|each| {
        each.host.parse() == Ok(address)
            && each.net.is_none_or(|net| net.contains(&address))
            && each.port.is_none_or(|only| Some(only) == port)
    });
    (!excepted).then_some(kind)
}

/// Why no request may reach `address`; `None` for global unicast.
#[must_use]
pub fn forbidden(address: IpAddr) -> Option<Forbidden> {
    match address {
        IpAddr::V4(v4) => forbidden_v4(v4),
        IpAddr::V6(v6) => forbidden_v6(v6),
    }
}

fn forbidden_v4(address: Ipv4Addr) -> Option<Forbidden> {
    Some(match address.octets() {
        [127, ..] => Forbidden::Loopback,
        [169, 254, 169, 254] | [168, 63, 129, 16] | [100, 100, 100, 200] => Forbidden::Metadata,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Forbidden::Private,
        [169, 254, ..] => Forbidden::LinkLocal,
        [100, 64..=127, ..] => Forbidden::SharedNat,
        [224..=239, ..] => Forbidden::Multicast,
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Forbidden::Documentation,
        [198, 18..=19, ..] => Forbidden::Benchmarking,
        // "This network", protocol assignments, the retired 6to4 relays, class E and broadcast.
        [0, ..] | [192, 0, 0, _] | [192, 88, 99, _] | [240..=255, ..] => Forbidden::Reserved,
        _ => return None,
    })
}

fn forbidden_v6(address: Ipv6Addr) -> Option<Forbidden> {
    if address == Ipv6Addr::LOCALHOST {
        return Some(Forbidden::Loopback);
    }
    let s = address.segments();
    Some(match s {
        [0, 0, 0, 0, 0, 0xffff, hi, lo] => return forbidden_v4(v4(hi, lo)),
        // Retired altogether; the inner address names the reason when it has one.
        [0, 0, 0, 0, 0, 0, hi, lo] => forbidden_v4(v4(hi, lo)).unwrap_or(Forbidden::Reserved),
        [0, 0, 0, 0, 0xffff, 0, hi, lo] | [0x64, 0xff9b, 0, 0, 0, 0, hi, lo] | [0x2002, hi, lo, ..] => {
            forbidden_v4(v4(hi, lo)).unwrap_or(Forbidden::Translation)
        }
        // Where the address sits depends on the length of the network's own prefix.
        [0x64, 0xff9b, 1, ..] => Forbidden::Translation,
        // Teredo carries its server and, with every bit flipped, its client.
        [0x2001, 0, hi, lo, _, _, client_hi, client_lo] => forbidden_v4(v4(hi, lo))
            .or_else(|| forbidden_v4(v4(!client_hi, !client_lo)))
            .unwrap_or(Forbidden::Translation),
        [0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x254] => Forbidden::Metadata,
        [0xfc00..=0xfdff, ..] | [0xfec0..=0xfeff, ..] => Forbidden::Private,
        [0xfe80..=0xfebf, ..] => Forbidden::LinkLocal,
        [0xff00..=0xffff, ..] => Forbidden::Multicast,
        [0x2001, 0x0db8, ..] | [0x3fff, 0..=0x0fff, ..] => Forbidden::Documentation,
        [0x2001, 0x0002, 0, ..] => Forbidden::Benchmarking,
        // Protocol assignments within 2001::/23, the anycast addresses among them included.
        [0x2001, 0..=0x01ff, ..] => Forbidden::Reserved,
        // Only 2000::/3 is given out.
        [0x2000..=0x3fff, ..] => return isatap(s),
        _ => Forbidden::Reserved,
    })
}

/// ISATAP: the interface identifier carries an IPv4 address.
fn isatap(segments: [u16; 8]) -> Option<Forbidden> {
    match segments {
        [_, _, _, _, 0 | 0x0200, 0x5efe, hi, lo] => forbidden_v4(v4(hi, lo)),
        _ => None,
    }
}

/// The IPv4 address that `address` stands for under the NAT64 `prefix`.
///
/// `None` when it is not under the prefix, when the prefix has none of the six lengths that
/// translation knows (32, 40, 48, 56, 64, 96), or when the byte that must be zero is not.
///
/// # Source
/// RFC 6052, section 2.2.
#[must_use]
pub fn embedded_v4(prefix: Ipv6Net, address: Ipv6Addr) -> Option<Ipv4Addr> {
    if !prefix.contains(&address) {
        return None;
    }
    let o = address.octets();
    if prefix.prefix_len() < 96 && o[8] != 0 {
        return None;
    }
    Some(Ipv4Addr::from(match prefix.prefix_len() {
        32 => [o[4], o[5], o[6], o[7]],
        40 => [o[5], o[6], o[7], o[9]],
        48 => [o[6], o[7], o[9], o[10]],
        56 => [o[7], o[9], o[10], o[11]],
        64 => [o[9], o[10], o[11], o[12]],
        96 => [o[12], o[13], o[14], o[15]],
        _ => return None,
    }))
}

fn v4(hi: u16, lo: u16) -> Ipv4Addr {
    Ipv4Addr::from((u32::from(hi) << 16) | u32::from(lo))
}

#[cfg(test)]
mod registry_tests;
#[cfg(test)]
mod tests;
