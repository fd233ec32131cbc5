//! What a tool tried, in words that are the same whoever tried it, when, and however the kernel answered.
//!
//! An [`Attempt`] has no errno, pid, descriptor, raw address, name, path or payload, so the same attempt gives
//! the same bytes. What else was seen ([`Seen`]) stays with those who guard: it is digested with a key, or dropped.

use std::net::IpAddr;

use serde::Serialize;

/// How an attempt counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Somebody felt whether something is there: a family, a feature, a path. Counted; taints nothing.
    Notice,
    /// Something was meant to leave around the gate, or to break out. Fails the call.
    Violation,
}

/// Where an attempt was directed, by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Destination {
    /// Nowhere: a call that names no place.
    None,
    /// A public address.
    Public,
    /// An address of private networks.
    Private,
    /// Link-local, where clouds keep their metadata.
    LinkLocal,
    /// Loopback.
    Loopback,
    /// A group of machines.
    Multicast,
    /// All machines of a network.
    Broadcast,
    /// Reserved, for documentation or undefined.
    Reserved,
    /// A synthetic address, one that stands for a name.
    Name,
    /// A socket of the machine in the file system.
    HostSocket,
    /// A socket of the machine without a file.
    AbstractSocket,
    /// Another process.
    Process,
    /// The kernel itself: namespaces, mounts, tracing.
    Kernel,
}

/// One attempt, canonically.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Attempt {
    /// What was done: `connect`, `send`, `socket`, `bind`, `resolve`, or the name of a system call.
    pub op: &'static str,
    /// The address family ([`family`]), or `none`.
    pub family: &'static str,
    /// The protocol ([`protocol`]), or `none`.
    pub protocol: &'static str,
    /// Where to.
    pub destination: Destination,
    /// The port, where there is one.
    pub port: Option<u16>,
}

impl Attempt {
    /// A system call that names no place.
    #[must_use]
    pub const fn call(op: &'static str, destination: Destination) -> Self {
        Self { op, family: "none", protocol: "none", destination, port: None }
    }

    /// Something towards an address.
    #[must_use]
    pub fn towards(op: &'static str, protocol: &'static str, address: IpAddr, port: u16) -> Self {
        let address = address.to_canonical();
        let family = if address.is_ipv4() { "inet" } else { "inet6" };
        Self { op, family, protocol, destination: destination(address), port: Some(port) }
    }
}

/// An attempt as it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// What it was.
    pub attempt: Attempt,
    /// How it counts.
    pub class: Class,
    /// What exactly it was directed at (an address and port, a path), for a keyed digest. Never recorded as it is.
    pub subject: Option<Box<[u8]>>,
}

impl Seen {
    /// A violation.
    #[must_use]
    pub const fn violation(attempt: Attempt) -> Self {
        Self { attempt, class: Class::Violation, subject: None }
    }

    /// A notice.
    #[must_use]
    pub const fn notice(attempt: Attempt) -> Self {
        Self { attempt, class: Class::Notice, subject: None }
    }

    /// The same, directed at this.
    #[must_use]
    pub fn at(self, subject: impl Into<Box<[u8]>>) -> Self {
        Self { subject: Some(subject.into()), ..self }
    }
}

/// Who is told of attempts, before the one who tried has its answer.
///
/// It is called on the guard's own threads and may block: until it returns, the call that is being told
/// of stands still.
pub trait Witness: Send + Sync {
    /// Something was tried.
    ///
    /// # Errors
    /// It could not be recorded: the whole tree is killed.
    fn saw(&self, seen: Seen) -> Result<(), Unrecorded>;
}

/// What was tried could not be recorded; so nothing more happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an attempt could not be recorded")]
pub struct Unrecorded;

/// The kind of place an address is.
#[must_use]
pub fn destination(address: IpAddr) -> Destination {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            if v4.is_unspecified() || v4.is_loopback() {
                Destination::Loopback
            } else if v4.is_broadcast() {
                Destination::Broadcast
            } else if v4.is_multicast() {
                Destination::Multicast
            } else if v4.is_link_local() {
                Destination::LinkLocal
            } else if v4.is_private() || (a == 100 && b & 0xc0 == 64) {
                Destination::Private
            } else if v4.is_documentation()
                || a == 0
                || a >= 240
                || (a == 198 && b & 0xfe == 18)
                || (a, b, c) == (192, 0, 0)
            {
                Destination::Reserved
            } else {
                Destination::Public
            }
        }
        IpAddr::V6(v6) => {
            let [first, second, ..] = v6.segments();
            if v6.is_unspecified() || v6.is_loopback() {
                Destination::Loopback
            } else if v6.is_multicast() {
                Destination::Multicast
            } else if first & 0xffc0 == 0xfe80 {
                Destination::LinkLocal
            } else if first & 0xfe00 == 0xfc00 || first & 0xffc0 == 0xfec0 {
                Destination::Private
            } else if (first, second) == (0x2001, 0x0db8) || first & 0xe000 != 0x2000 {
                Destination::Reserved
            } else {
                Destination::Public
            }
        }
    }
}

/// The name of an address family.
#[must_use]
pub const fn family(number: u16) -> &'static str {
    match number {
        1 => "unix",
        2 => "inet",
        3 => "ax25",
        4 => "ipx",
        5 => "appletalk",
        9 => "x25",
        10 => "inet6",
        12 => "decnet",
        15 => "key",
        16 => "netlink",
        17 => "packet",
        21 => "rds",
        26 => "llc",
        29 => "can",
        30 => "tipc",
        31 => "bluetooth",
        35 => "phonet",
        36 => "ieee802154",
        37 => "caif",
        38 => "alg",
        39 => "nfc",
        40 => "vsock",
        41 => "kcm",
        42 => "qipcrtr",
        43 => "smc",
        44 => "xdp",
        45 => "mctp",
        _ => "other",
    }
}

/// The name of an IP protocol.
#[must_use]
pub const fn protocol(number: u16) -> &'static str {
    match number {
        1 => "icmp",
        2 => "igmp",
        6 => "tcp",
        17 => "udp",
        33 => "dccp",
        58 => "icmp6",
        132 => "sctp",
        136 => "udplite",
        255 => "raw",
        262 => "mptcp",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_of_one_kind() {
        for (address, want) in [
            ("8.8.8.8", Destination::Public),
            ("2606:4700::1", Destination::Public),
            ("::ffff:8.8.8.8", Destination::Public),
            ("127.9.0.1", Destination::Loopback),
            ("0.0.0.0", Destination::Loopback),
            ("::1", Destination::Loopback),
            ("::ffff:127.0.0.1", Destination::Loopback),
            ("10.1.2.3", Destination::Private),
            ("100.64.0.1", Destination::Private),
            ("fd00::1", Destination::Private),
            ("169.254.169.254", Destination::LinkLocal),
            ("fe80::1", Destination::LinkLocal),
            ("224.0.0.251", Destination::Multicast),
            ("ff02::fb", Destination::Multicast),
            ("255.255.255.255", Destination::Broadcast),
            ("203.0.113.5", Destination::Reserved),
            ("198.18.0.1", Destination::Reserved),
            ("240.0.0.1", Destination::Reserved),
            ("2001:db8::5", Destination::Reserved),
        ] {
            let parsed: IpAddr = address.parse().unwrap_or(IpAddr::from([0, 0, 0, 0]));
            assert_eq!(destination(parsed), want, "{address}");
        }
    }
}
