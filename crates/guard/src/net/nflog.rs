//! The packet log: what the rules dropped or noticed, told by the kernel before the sender knows.

use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};

use super::netlink::{self, Answer, Attributes, Message, Netlink, attributes};
use super::packet::{self, Packet};
use crate::attempt::{self, Attempt, Class, Destination, Seen};
use crate::plan::PACKET_GROUP;

/// Marks the entries of packets that were dropped.
pub(super) const DROPPED: &str = "dropped";
/// Marks the entries of refusals: somebody asked for a closed port of the loopback.
pub(super) const CLOSED: &str = "closed";
/// How much of a packet is logged: every header that says where it was going.
pub(super) const SNAP_BYTES: u32 = 128;

const SUBSYSTEM: u16 = 4;
const PACKET: u16 = SUBSYSTEM << 8;
const CONFIGURE: u16 = PACKET | 1;
/// Family, version and group.
const HEADER_BYTES: usize = 4;
const PAYLOAD: u16 = 9;
const PREFIX: u16 = 10;
/// How much the kernel sets aside for each entry; little, so that more of them fit before any is lost.
const ENTRY_BYTES: u32 = 256;
/// What may wait to be read. The kernel gives less where it is told to.
const QUEUE_BYTES: libc::c_int = 4 << 20;
/// LIMIT: entries handed out at once; the rest waits, and the descriptor stays readable.
const ENTRIES_MAX: usize = 1024;

/// What one jail tried to send, or to reach on its loopback; not blocking.
///
/// An entry is there before the sender has its `EPERM`.
#[derive(Debug)]
pub struct PacketLog(OwnedFd);

pub(super) fn open() -> io::Result<OwnedFd> {
    let log = Netlink::open(libc::NETLINK_NETFILTER)?;
    let [high, low] = PACKET_GROUP.to_be_bytes();
    let header = [libc::AF_UNSPEC as u8, 0, high, low];
    let [s0, s1, s2, s3] = SNAP_BYTES.to_be_bytes();
    let (bind, copy_packets) = (1, 2);
    let group = Attributes::default().bytes(1, &[bind]);
    let copies = Attributes::default()
        .bytes(2, &[s0, s1, s2, s3, copy_packets, 0])
        .big_endian_32(3, ENTRY_BYTES)
        // After one entry, or 10 ms: at once.
        .big_endian_32(5, 1)
        .big_endian_32(4, 1);
    log.transact(&[
        Message::new(CONFIGURE, 0, &header, &group).acknowledged(),
        Message::new(CONFIGURE, 0, &header, &copies).acknowledged(),
    ])
    .map_err(|refused| refused.error)?;
    let socket = log.into_inner();
    let queue_bytes = QUEUE_BYTES;
    // SAFETY: the value is an int that outlives the call, and its size is given. A shorter queue overflows earlier,
    // and says so.
    unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_RCVBUF,
            (&raw const queue_bytes).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        );
    }
    Ok(socket)
}

impl PacketLog {
    /// What was seen since; empty when nothing was. Entries that repeat the one before are left out.
    /// At most 1,024 at once, then the descriptor is still readable.
    ///
    /// When the kernel had to drop entries, that is a violation of its own, `packet_log_overflow`.
    ///
    /// # Errors
    /// What the kernel says; nothing more will be seen.
    pub fn read(&self) -> io::Result<Vec<Seen>> {
        let mut all = Vec::new();
        let mut buffer = vec![0; 16 << 10];
        let mut entries = 0;
        // What is nobody's attempt is passed over, so that nothing seen means that nothing is left.
        while entries < ENTRIES_MAX || all.is_empty() {
            entries += 1;
            match netlink::receive(&self.0, &mut buffer) {
                Ok(Some(datagram)) => netlink::answers(datagram).filter_map(|answer| seen(&answer)).for_each(|seen| {
                    if all.last() != Some(&seen) {
                        all.push(seen);
                    }
                }),
                Ok(None) => break,
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                    all.push(Seen::violation(Attempt::call("packet_log_overflow", Destination::None)));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(all)
    }
}

impl From<OwnedFd> for PacketLog {
    /// The socket that came out of a jail.
    fn from(socket: OwnedFd) -> Self {
        Self(socket)
    }
}

impl AsFd for PacketLog {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn seen(answer: &Answer<'_>) -> Option<Seen> {
    if answer.kind != PACKET {
        return None;
    }
    let (mut packet, mut prefix): (&[u8], &[u8]) = (&[], &[]);
    for (kind, value) in attributes(answer.payload.get(HEADER_BYTES..).unwrap_or_default()) {
        match kind {
            PAYLOAD => packet = value,
            PREFIX => prefix = value.strip_suffix(&[0]).unwrap_or(value),
            _ => {}
        }
    }
    match packet::parse(packet) {
        Some(packet) if packet.upkeep => None,
        Some(packet) if prefix == CLOSED.as_bytes() => Some(closed(&packet)),
        Some(packet) => Some(dropped(&packet)),
        // Something was dropped that cannot be read. It counts all the same.
        None => Some(Seen::violation(Attempt::call("send", Destination::None))),
    }
}

fn dropped(packet: &Packet) -> Seen {
    let to = packet.destination;
    let protocol = attempt::protocol(u16::from(packet.protocol));
    let attempt = Attempt { port: to.port, ..Attempt::towards("send", protocol, to.address, 0) };
    Seen::violation(attempt).at(to.to_text().into_bytes())
}

/// The kernel's refusal comes from where somebody wanted to go.
fn closed(packet: &Packet) -> Seen {
    let wanted = packet.source;
    let attempt = Attempt { port: wanted.port, ..Attempt::towards("connect", "tcp", wanted.address, 0) };
    let class = if attempt.destination == Destination::Loopback { Class::Notice } else { Class::Violation };
    Seen { attempt, class, subject: Some(wanted.to_text().into_bytes().into()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// An entry as the kernel writes it: where it came in, a time, the packet, the prefix.
    fn entry(prefix: &str, packet: &[u8]) -> Vec<u8> {
        let attributes = Attributes::default()
            .bytes(1, &[0x08, 0, 3, 0])
            .text(PREFIX, prefix)
            .bytes(5, &[0, 0, 0, 1])
            .bytes(PAYLOAD, packet);
        let mut payload = vec![2, 0, 0, 7];
        payload.extend(raw(&attributes));
        payload
    }

    fn raw(attributes: &Attributes) -> Vec<u8> {
        let nested = Attributes::default().nest(0, attributes);
        netlink::attributes(&bytes_of(&nested)).next().map(|(_, value)| value.to_vec()).unwrap_or_default()
    }

    fn bytes_of(attributes: &Attributes) -> Vec<u8> {
        let text = Message::new(0, 0, &[], attributes);
        let mut all = Vec::new();
        text.write(0, &mut all);
        all.split_off(16)
    }

    fn read(payload: &[u8]) -> Option<Seen> {
        seen(&Answer { kind: PACKET, sequence: 0, payload })
    }

    const UDP: [u8; 24] =
        [0x45, 0, 0, 24, 0, 0, 0, 0, 64, 17, 0, 0, 8, 8, 8, 8, 203, 0, 113, 5, 0x30, 0x39, 0x01, 0xbb];
    const RESET: [u8; 24] =
        [0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1, 0x1f, 0x90, 0x30, 0x39];

    #[test]
    fn an_entry_is_an_attempt() {
        let sent =
            Seen::violation(Attempt::towards("send", "udp", [203, 0, 113, 5].into(), 443)).at(*b"203.0.113.5:443");
        assert_eq!(read(&entry(DROPPED, &UDP)), Some(sent));
        let felt = Seen::notice(Attempt::towards("connect", "tcp", [127, 0, 0, 1].into(), 8080)).at(*b"127.0.0.1:8080");
        assert_eq!(read(&entry(CLOSED, &RESET)), Some(felt));
    }

    #[test]
    fn what_cannot_be_read_still_counts() {
        let unreadable = Seen::violation(Attempt::call("send", Destination::None));
        for payload in
            [entry(DROPPED, &[]), entry(DROPPED, &[0x45; 10]), entry(DROPPED, &[0xff; 64]), vec![2, 0], vec![]]
        {
            assert_eq!(read(&payload), Some(unreadable.clone()), "{payload:?}");
        }
    }

    #[test]
    fn a_refusal_of_another_place_than_loopback_is_no_notice() {
        let mut reset = RESET;
        for (at, byte) in reset.iter_mut().skip(12).zip([203, 0, 113, 5]) {
            *at = byte;
        }
        assert_eq!(read(&entry(CLOSED, &reset)).map(|seen| seen.class), Some(Class::Violation));
    }

    #[test]
    fn upkeep_of_the_kernel_is_nobodys_attempt() {
        let mut unreachable = UDP;
        for (at, byte) in unreachable.iter_mut().zip([0x45, 0, 0, 24, 0, 0, 0, 0, 64, 1]) {
            *at = byte;
        }
        let (head, _) = unreachable.split_at(20);
        assert_eq!(read(&entry(DROPPED, &[head, &[3, 3, 0, 0]].concat())), None);
        assert!(read(&entry(DROPPED, &[head, &[8, 0, 0, 0]].concat())).is_some());
    }

    proptest! {
        #[test]
        fn any_entry_can_be_read(payload in prop::collection::vec(any::<u8>(), 0..256)) {
            // Whatever it holds, it is told of or is the kernel's own: nothing fails.
            if let Some(seen) = read(&payload) {
                prop_assert!(seen.class == Class::Violation || seen.attempt.op == "connect");
            }
        }
    }
}
