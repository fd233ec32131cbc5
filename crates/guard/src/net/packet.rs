//! Where a packet was going, from its first bytes. They are those of a program that may lie in them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// LIMIT: extension headers of IPv6 that are walked over; with more, the protocol is what the next one says.
const EXTENSIONS_MAX: usize = 8;
const ICMP: u8 = 1;
const IGMP: u8 = 2;
const ICMP6: u8 = 58;

/// What is known of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Packet {
    /// The number of its protocol.
    pub(super) protocol: u8,
    pub(super) source: Place,
    pub(super) destination: Place,
    /// The kernel sent it by itself: an error about another packet, the upkeep of groups and neighbours.
    /// Nobody asked for it, and when it is sent is a matter of timing.
    pub(super) upkeep: bool,
}

/// An end of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) address: IpAddr,
    /// Of protocols that have ports, when the packet is long enough to tell.
    pub(super) port: Option<u16>,
}

impl Place {
    /// As text, with the port where there is one.
    pub(super) fn to_text(self) -> String {
        match self.port {
            Some(port) => SocketAddr::new(self.address, port).to_string(),
            None => self.address.to_string(),
        }
    }
}

/// Reads a packet from its IP header on; `None` when it is too short to have one, or of another version.
pub(super) fn parse(packet: &[u8]) -> Option<Packet> {
    match packet.first()? >> 4 {
        4 => parse_v4(packet),
        6 => parse_v6(packet),
        _ => None,
    }
}

fn parse_v4(packet: &[u8]) -> Option<Packet> {
    let header: &[u8; 20] = packet.first_chunk()?;
    let [first, .., d0, d1, d2, d3] = *header;
    let [.., fragment_high, fragment_low, _, protocol, _, _, s0, s1, s2, s3, _, _, _, _] = *header;
    let later_fragment = u16::from_be_bytes([fragment_high & 0x1f, fragment_low]) != 0;
    let transport = if later_fragment { &[] } else { packet.get(usize::from(first & 0xf) * 4..).unwrap_or_default() };
    Some(assemble(protocol, Ipv4Addr::new(s0, s1, s2, s3).into(), Ipv4Addr::new(d0, d1, d2, d3).into(), transport))
}

fn parse_v6(packet: &[u8]) -> Option<Packet> {
    let header: &[u8; 40] = packet.first_chunk()?;
    let mut protocol = *header.get(6)?;
    let source = Ipv6Addr::from(*header.get(8..)?.first_chunk::<16>()?);
    let destination = Ipv6Addr::from(*header.get(24..)?.first_chunk::<16>()?);
    let mut rest = packet.get(40..).unwrap_or_default();
    for _ in 0..EXTENSIONS_MAX {
        let length = match (protocol, rest) {
            // Hop by hop, routing, destination: in units of 8 bytes after the first.
            (0 | 43 | 60, [_, units, ..]) => (usize::from(*units) + 1) * 8,
            (44, [_, _, high, low, ..]) => {
                if u16::from_be_bytes([*high, *low]) >> 3 != 0 {
                    rest = &[];
                }
                8
            }
            // Authentication: in units of 4 bytes after the second.
            (51, [_, units, ..]) => (usize::from(*units) + 2) * 4,
            _ => break,
        };
        let Some(next) = rest.first() else { break };
        protocol = *next;
        rest = rest.get(length..).unwrap_or_default();
    }
    Some(assemble(protocol, source.into(), destination.into(), rest))
}

fn assemble(protocol: u8, source: IpAddr, destination: IpAddr, transport: &[u8]) -> Packet {
    let (from, to) = match (protocol, transport) {
        // TCP, UDP, DCCP, SCTP, UDP-Lite.
        (6 | 17 | 33 | 132 | 136, [s0, s1, d0, d1, ..]) => {
            (Some(u16::from_be_bytes([*s0, *s1])), Some(u16::from_be_bytes([*d0, *d1])))
        }
        _ => (None, None),
    };
    Packet {
        protocol,
        source: Place { address: source, port: from },
        destination: Place { address: destination, port: to },
        upkeep: is_upkeep(protocol, transport.first().copied()),
    }
}

const fn is_upkeep(protocol: u8, kind: Option<u8>) -> bool {
    match (protocol, kind) {
        (IGMP, _) => true,
        // Unreachable, quench, redirect, exceeded, parameter problem.
        (ICMP, Some(kind)) => matches!(kind, 3 | 4 | 5 | 11 | 12),
        // Errors; listener queries and reports; routers and neighbours.
        (ICMP6, Some(kind)) => matches!(kind, 1..=4 | 130..=137 | 143),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn v4(protocol: u8, fragment: u16, options: &[u8], transport: &[u8]) -> Vec<u8> {
        let [high, low] = fragment.to_be_bytes();
        let first = 0x45 + u8::try_from(options.len() / 4).unwrap_or(0);
        let mut packet = vec![first, 0, 0, 0, 0, 0, high, low, 64, protocol, 0, 0, 10, 0, 0, 1, 203, 0, 113, 5];
        packet.extend(options);
        packet.extend(transport);
        packet
    }

    fn v6(next: u8, rest: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x60, 0, 0, 0, 0, 0, next, 64];
        packet.extend("fd00::1".parse::<Ipv6Addr>().map(|address| address.octets()).unwrap_or_default());
        packet.extend("2001:db8::5".parse::<Ipv6Addr>().map(|address| address.octets()).unwrap_or_default());
        packet.extend(rest);
        packet
    }

    const PORTS: [u8; 4] = [0x30, 0x39, 0x01, 0xbb];

    #[test]
    fn a_packet_is_going_somewhere() {
        let hop_by_hop = [&[17, 0, 0, 0, 0, 0, 0, 0][..], &PORTS].concat();
        let authenticated = [&[17, 1][..], &[0; 10], &PORTS].concat();
        for (what, packet, protocol, destination, upkeep) in [
            ("udp", v4(17, 0, &[], &PORTS), 17, "203.0.113.5:443", false),
            ("udp with options", v4(17, 0, &[1; 8], &PORTS), 17, "203.0.113.5:443", false),
            ("first fragment", v4(17, 0x2000, &[], &PORTS), 17, "203.0.113.5:443", false),
            ("later fragment", v4(17, 0x2001, &[], &PORTS), 17, "203.0.113.5", false),
            ("cut off", v4(17, 0, &[], &[1, 2, 3]), 17, "203.0.113.5", false),
            ("options cut off", vec_truncated(v4(17, 0, &[1; 20], &[]), 24), 17, "203.0.113.5", false),
            ("sctp", v4(132, 0, &[], &PORTS), 132, "203.0.113.5:443", false),
            ("ping", v4(1, 0, &[], &[8, 0, 0, 0]), 1, "203.0.113.5", false),
            ("unreachable", v4(1, 0, &[], &[3, 3, 0, 0]), 1, "203.0.113.5", true),
            ("group report", v4(2, 0, &[], &[0x22, 0, 0, 0]), 2, "203.0.113.5", true),
            ("another protocol", v4(47, 0, &[], &PORTS), 47, "203.0.113.5", false),
            ("udp 6", v6(17, &PORTS), 17, "[2001:db8::5]:443", false),
            ("behind an extension", v6(0, &hop_by_hop), 17, "[2001:db8::5]:443", false),
            ("behind authentication", v6(51, &authenticated), 17, "[2001:db8::5]:443", false),
            (
                "first fragment 6",
                v6(44, &[&[17, 0, 0, 1, 0, 0, 0, 0][..], &PORTS].concat()),
                17,
                "[2001:db8::5]:443",
                false,
            ),
            ("later fragment 6", v6(44, &[&[17, 0, 0, 9, 0, 0, 0, 0][..], &PORTS].concat()), 44, "2001:db8::5", false),
            ("extension cut off", v6(0, &[17]), 0, "2001:db8::5", false),
            ("ping 6", v6(58, &[128, 0, 0, 0]), 58, "2001:db8::5", false),
            ("listener report", v6(58, &[143, 0, 0, 0]), 58, "2001:db8::5", true),
        ] {
            let read = parse(&packet);
            assert_eq!(
                read.map(|packet| (packet.protocol, packet.destination.to_text(), packet.upkeep)),
                Some((protocol, destination.to_owned(), upkeep)),
                "{what}"
            );
        }
        for nothing in [vec![], vec![0x45], vec![0x45; 19], vec![0x60; 39], vec![0x50; 60]] {
            assert_eq!(parse(&nothing), None, "{nothing:?}");
        }
    }

    fn vec_truncated(mut packet: Vec<u8>, length: usize) -> Vec<u8> {
        packet.truncate(length);
        packet
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_read(version in prop::sample::select(vec![0x45_u8, 0x4f, 0x60, 0x00]), mut bytes in prop::collection::vec(any::<u8>(), 0..120)) {
            if let Some(first) = bytes.first_mut() {
                *first = version;
            }
            let read = parse(&bytes);
            prop_assert_eq!(read.is_some(), match version >> 4 { 4 => bytes.len() >= 20, 6 => bytes.len() >= 40, _ => false });
        }

        #[test]
        fn a_plain_datagram_is_read_as_it_was_written(from: [u8; 4], to: [u8; 4], ports: [u16; 2], protocol in prop::sample::select(vec![17_u8, 132, 136])) {
            let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, protocol, 0, 0];
            packet.extend(from);
            packet.extend(to);
            packet.extend(ports.iter().flat_map(|port| port.to_be_bytes()));
            let [source, destination] = ports;
            prop_assert_eq!(parse(&packet), Some(Packet {
                protocol,
                source: Place { address: IpAddr::from(from), port: Some(source) },
                destination: Place { address: IpAddr::from(to), port: Some(destination) },
                upkeep: false,
            }));
        }
    }
}
