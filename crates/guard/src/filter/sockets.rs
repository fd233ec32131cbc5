//! Which sockets may be made, and what asking for another kind counts as.
//!
//! Datagrams between unix sockets are refused even in pairs: each message may name any socket file of the
//! machine, in memory that a filter cannot read. A stream is connected once, and that is asked about.

use crate::attempt::{Attempt, Class, Destination, family, protocol};
use crate::bpf::{Action, Assembler, Test, Word};
use crate::rung::Rung;
use crate::weaken;

/// The bits of a socket's type that are the type; the others say how its descriptor is made.
pub(crate) const TYPE_BITS: u32 = 0xf;

const UNIX: u32 = libc::AF_UNIX as u32;
const INET: u32 = libc::AF_INET as u32;
const INET6: u32 = libc::AF_INET6 as u32;
const NETLINK: u32 = libc::AF_NETLINK as u32;
const VSOCK: u32 = libc::AF_VSOCK as u32;
const STREAM: u32 = libc::SOCK_STREAM as u32;
const DATAGRAM: u32 = libc::SOCK_DGRAM as u32;
const SEQUENCED: u32 = libc::SOCK_SEQPACKET as u32;
const TCP: u32 = libc::IPPROTO_TCP as u32;
const UDP: u32 = libc::IPPROTO_UDP as u32;
const MPTCP: u32 = libc::IPPROTO_MPTCP as u32;

/// `socket(domain, type, protocol)`.
pub(super) fn socket(asm: &mut Assembler, rung: Rung) {
    let [unix, inet, stream, datagram, netlink, fine, tcp] = [(); 7].map(|()| asm.label());
    asm.load(Word::Low(0));
    asm.when(Test::Equal(UNIX), unix);
    asm.when(Test::Equal(INET), inet);
    asm.when(Test::Equal(INET6), inet);
    asm.when(Test::Equal(NETLINK), netlink);
    if weaken::asked("drop_vsock_rule") {
        asm.when(Test::Equal(VSOCK), fine);
    }
    asm.answer(Action::Notify);

    asm.place(unix);
    connected_kinds(asm);

    asm.place(inet);
    asm.load(Word::Low(1));
    asm.keep(TYPE_BITS);
    asm.when(Test::Equal(STREAM), stream);
    asm.when(Test::Equal(DATAGRAM), datagram);
    asm.answer(Action::Notify);

    asm.place(stream);
    asm.load(Word::Low(2));
    asm.when(Test::Equal(0), tcp);
    asm.when(Test::Equal(TCP), tcp);
    asm.answer(Action::Notify);
    asm.place(tcp);
    asm.answer(match rung {
        Rung::A => Action::Allow,
        Rung::B => Action::Notify,
    });

    asm.place(datagram);
    if rung == Rung::A {
        asm.load(Word::Low(2));
        asm.when(Test::Equal(0), fine);
        asm.when(Test::Equal(UDP), fine);
    }
    asm.answer(Action::Notify);

    asm.place(netlink);
    asm.load(Word::Low(2));
    asm.when(Test::Equal(libc::NETLINK_ROUTE as u32), fine);
    asm.answer(Action::Notify);

    asm.place(fine);
    asm.answer(Action::Allow);
}

/// `socketpair(domain, type, …)`.
pub(super) fn pair(asm: &mut Assembler) {
    let unix = asm.label();
    asm.load(Word::Low(0));
    asm.when(Test::Equal(UNIX), unix);
    asm.answer(Action::Notify);
    asm.place(unix);
    connected_kinds(asm);
}

/// Unix sockets that can only talk to what they were connected to.
fn connected_kinds(asm: &mut Assembler) {
    let fine = asm.label();
    asm.load(Word::Low(1));
    asm.keep(TYPE_BITS);
    asm.when(Test::Equal(STREAM), fine);
    asm.when(Test::Equal(SEQUENCED), fine);
    asm.answer(Action::Notify);
    asm.place(fine);
    asm.answer(Action::Allow);
}

/// What the arguments of `socket` ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kind {
    /// The address family.
    pub(crate) domain: u32,
    /// The type, without the bits that say how the descriptor is made.
    pub(crate) kind: u32,
    /// The protocol; 0 is the usual one.
    pub(crate) protocol: u32,
}

/// A kind of socket that is not to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused {
    /// How asking for it is recorded.
    pub(crate) attempt: Attempt,
    /// How it counts.
    pub(crate) class: Class,
    /// What the call fails with.
    pub(crate) errno: libc::c_int,
}

impl Kind {
    /// What three arguments ask for. The kernel looks at the lower halves only.
    pub(crate) const fn of(args: [u64; 6]) -> Self {
        let [domain, kind, protocol, ..] = args;
        Self { domain: domain as u32, kind: kind as u32 & TYPE_BITS, protocol: protocol as u32 }
    }

    /// Whether it is a TCP socket, which the supervisor makes in rung B.
    pub(crate) const fn is_tcp(self) -> bool {
        (self.domain == INET || self.domain == INET6)
            && self.kind == STREAM
            && (self.protocol == 0 || self.protocol == TCP)
    }

    /// How being refused it is told.
    pub(crate) fn refused(self) -> Refused {
        let number = u16::try_from(self.domain).unwrap_or(u16::MAX);
        let name = if self.domain == INET || self.domain == INET6 { self.transport() } else { "none" };
        let attempt = Attempt {
            op: "socket",
            family: family(number),
            protocol: name,
            destination: Destination::None,
            port: None,
        };
        let (class, errno) = match self.domain {
            UNIX => (Class::Notice, libc::EAFNOSUPPORT),
            // Runtimes try it first and go on with TCP.
            INET | INET6 if self.protocol == MPTCP => (Class::Notice, libc::EPROTONOSUPPORT),
            // Only in rung B: resolvers feel for a route with one, and nothing is sent yet.
            INET | INET6 if self.is_udp() => (Class::Notice, libc::EAFNOSUPPORT),
            INET | INET6 => (Class::Violation, libc::EAFNOSUPPORT),
            NETLINK => (Class::Notice, libc::EPROTONOSUPPORT),
            _ if reaches_outside(self.domain) => (Class::Violation, libc::EAFNOSUPPORT),
            _ => (Class::Notice, libc::EAFNOSUPPORT),
        };
        Refused { attempt, class, errno }
    }

    const fn is_udp(self) -> bool {
        self.kind == DATAGRAM && (self.protocol == 0 || self.protocol == UDP)
    }

    fn transport(self) -> &'static str {
        match (self.kind, self.protocol) {
            (STREAM, 0) => "tcp",
            (DATAGRAM, 0) => "udp",
            (SEQUENCED, 0) => "sctp",
            (kind, 0) if kind == libc::SOCK_RAW as u32 => "raw",
            (kind, 0) if kind == libc::SOCK_DCCP as u32 => "dccp",
            (_, number) => protocol(u16::try_from(number).unwrap_or(u16::MAX)),
        }
    }
}

/// Whether a family is good for nothing but reaching another machine, the host of this one, or a device.
const fn reaches_outside(domain: u32) -> bool {
    matches!(
        domain,
        3 | 4 | 5 | 6 | 8 | 9 | 11 | 12 | 17 | 19 | 20 | 21 | 23 | 24 | 26..=37 | 39 | 40 | 42..=45
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_socket_is_told_as_what_it_is_for() {
        use Class::{Notice, Violation};
        for (domain, kind, number, family, transport, class, errno) in [
            (libc::AF_PACKET, libc::SOCK_RAW, 0x300, "packet", "none", Violation, libc::EAFNOSUPPORT),
            (libc::AF_VSOCK, libc::SOCK_STREAM, 0, "vsock", "none", Violation, libc::EAFNOSUPPORT),
            (libc::AF_XDP, libc::SOCK_RAW, 0, "xdp", "none", Violation, libc::EAFNOSUPPORT),
            (libc::AF_BLUETOOTH, libc::SOCK_RAW, 1, "bluetooth", "none", Violation, libc::EAFNOSUPPORT),
            (libc::AF_TIPC, libc::SOCK_STREAM, 0, "tipc", "none", Violation, libc::EAFNOSUPPORT),
            (43, libc::SOCK_STREAM, 0, "smc", "none", Violation, libc::EAFNOSUPPORT),
            (libc::AF_RDS, libc::SOCK_SEQPACKET, 0, "rds", "none", Violation, libc::EAFNOSUPPORT),
            (libc::AF_CAN, libc::SOCK_RAW, 1, "can", "none", Violation, libc::EAFNOSUPPORT),
            (libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_ICMP, "inet", "icmp", Violation, libc::EAFNOSUPPORT),
            (libc::AF_INET, libc::SOCK_DGRAM, libc::IPPROTO_ICMP, "inet", "icmp", Violation, libc::EAFNOSUPPORT),
            (libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_RAW, "inet", "raw", Violation, libc::EAFNOSUPPORT),
            (libc::AF_INET6, libc::SOCK_RAW, libc::IPPROTO_ICMPV6, "inet6", "icmp6", Violation, libc::EAFNOSUPPORT),
            (libc::AF_INET, libc::SOCK_STREAM, libc::IPPROTO_SCTP, "inet", "sctp", Violation, libc::EAFNOSUPPORT),
            (libc::AF_INET, libc::SOCK_SEQPACKET, 0, "inet", "sctp", Violation, libc::EAFNOSUPPORT),
            (libc::AF_INET, libc::SOCK_DCCP, libc::IPPROTO_DCCP, "inet", "dccp", Violation, libc::EAFNOSUPPORT),
            (libc::AF_INET, libc::SOCK_DGRAM, libc::IPPROTO_UDPLITE, "inet", "udplite", Violation, libc::EAFNOSUPPORT),
            (libc::AF_INET6, libc::SOCK_STREAM, libc::IPPROTO_MPTCP, "inet6", "mptcp", Notice, libc::EPROTONOSUPPORT),
            (libc::AF_INET, libc::SOCK_DGRAM, 0, "inet", "udp", Notice, libc::EAFNOSUPPORT),
            (libc::AF_UNIX, libc::SOCK_DGRAM, 0, "unix", "none", Notice, libc::EAFNOSUPPORT),
            (libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_AUDIT, "netlink", "none", Notice, libc::EPROTONOSUPPORT),
            (libc::AF_ALG, libc::SOCK_SEQPACKET, 0, "alg", "none", Notice, libc::EAFNOSUPPORT),
            (libc::AF_KEY, libc::SOCK_RAW, 2, "key", "none", Notice, libc::EAFNOSUPPORT),
            (0, libc::SOCK_STREAM, 0, "other", "none", Notice, libc::EAFNOSUPPORT),
            (99, libc::SOCK_STREAM, 0, "other", "none", Notice, libc::EAFNOSUPPORT),
        ] {
            let args = [domain as u64, (kind | libc::SOCK_CLOEXEC) as u64, number as u64, 0, 0, 0];
            let refused = Kind::of(args).refused();
            assert_eq!(
                (refused.attempt.family, refused.attempt.protocol, refused.class, refused.errno),
                (family, transport, class, errno),
                "{domain} {kind} {number}"
            );
        }
    }
}
