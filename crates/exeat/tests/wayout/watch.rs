//! Sees every packet that opens something in the near network, whoever sends it and whether or not anybody answers.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use crate::network::FAR;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, eth, recv, socket_with, sockopt};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A TCP connection begins (SYN without ACK).
    Tcp,
    /// A UDP datagram; the answers of the name server are left out.
    Udp,
    /// Anything else that has an IP header but is neither, ICMP and neighbour discovery left out.
    Other(u8),
}

/// Something that was sent to somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sent {
    pub kind: Kind,
    pub to: SocketAddr,
}

#[derive(Default)]
struct Seen {
    sent: Vec<Sent>,
    fences: BTreeSet<u64>,
}

/// The one watch of a test.
#[derive(Clone)]
pub struct Watch {
    seen: Arc<(Mutex<Seen>, Condvar)>,
}

/// Where fences go; nobody listens there.
const FENCE: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 9);

impl Watch {
    /// Begins to watch all interfaces of the network of the calling thread.
    pub fn start() -> Self {
        let socket =
            socket_with(AddressFamily::PACKET, SocketType::DGRAM, SocketFlags::CLOEXEC, Some(eth::ALL)).unwrap();
        // So that a burst is not lost while the thread below is not running.
        sockopt::set_socket_recv_buffer_size(&socket, 64 << 20).unwrap();
        let watch = Self { seen: Arc::default() };
        let seen = watch.seen.clone();
        std::thread::spawn(move || follow(&socket, &seen));
        watch
    }

    /// How much was seen until now.
    pub fn mark(&self) -> usize {
        self.fence();
        self.seen.0.lock().unwrap().sent.len()
    }

    /// What was sent since a mark, once each, until now.
    pub fn since(&self, mark: usize) -> BTreeSet<Sent> {
        self.fence();
        self.seen.0.lock().unwrap().sent[mark..].iter().copied().collect()
    }

    /// Waits until everything that was sent before this call is seen.
    fn fence(&self) {
        let fence: u64 = self.seen.0.lock().unwrap().fences.last().map_or(1, |last| last + 1);
        UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().send_to(&fence.to_be_bytes(), FENCE).unwrap();
        let (seen, wake) = &*self.seen;
        let waiting = wake
            .wait_timeout_while(seen.lock().unwrap(), Duration::from_secs(20), |seen| !seen.fences.contains(&fence));
        assert!(!waiting.unwrap().1.timed_out(), "the watch sees its own fence");
    }
}

fn follow(socket: &OwnedFd, seen: &(Mutex<Seen>, Condvar)) {
    let mut buffer = vec![0; 256];
    loop {
        let Ok((_, length)) = recv(socket, &mut buffer[..], RecvFlags::empty()) else { return };
        let Some((sent, payload)) = read(&buffer[..length]) else { continue };
        let mut all = seen.0.lock().unwrap();
        if sent.to == SocketAddr::from(FENCE) {
            all.fences.extend(payload.try_into().map(u64::from_be_bytes));
            seen.1.notify_all();
        } else {
            all.sent.push(sent);
        }
    }
}

const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMP: [u8; 3] = [1, 2, 58];

/// Reads an IP packet without a link header; `None` for what opens nothing.
fn read(packet: &[u8]) -> Option<(Sent, &[u8])> {
    let (from, to, protocol, rest): (IpAddr, IpAddr, u8, &[u8]) = match packet.first()? >> 4 {
        4 => {
            let from: [u8; 4] = packet.get(12..16)?.try_into().ok()?;
            let to: [u8; 4] = packet.get(16..20)?.try_into().ok()?;
            let header = usize::from(packet[0] & 15) * 4;
            (Ipv4Addr::from(from).into(), Ipv4Addr::from(to).into(), *packet.get(9)?, packet.get(header..)?)
        }
        6 => {
            let from: [u8; 16] = packet.get(8..24)?.try_into().ok()?;
            let to: [u8; 16] = packet.get(24..40)?.try_into().ok()?;
            // Hop-by-hop options stand before the group reports of the kernel only.
            (Ipv6Addr::from(from).into(), Ipv6Addr::from(to).into(), *packet.get(6)?, packet.get(40..)?)
        }
        _ => return None,
    };
    let port = u16::from_be_bytes(rest.get(2..4)?.try_into().ok()?);
    let is_answer = from == FAR && rest.get(..2)? == [0, 53];
    match protocol {
        TCP => {
            let flags = rest.get(13)?;
            (flags & 0x12 == 0x02).then_some((Sent { kind: Kind::Tcp, to: (to, port).into() }, &[][..]))
        }
        UDP if is_answer => None,
        UDP => Some((Sent { kind: Kind::Udp, to: (to, port).into() }, rest.get(8..)?)),
        0 => None,
        other if ICMP.contains(&other) => None,
        other => Some((Sent { kind: Kind::Other(other), to: (to, 0).into() }, &[])),
    }
}
