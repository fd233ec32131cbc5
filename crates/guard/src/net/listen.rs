//! Listening sockets of a jail's network.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};

use crate::sys::check_int;

/// Connections that may wait to be accepted.
const BACKLOG: libc::c_int = 4096;

/// For whom a listener takes connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum For {
    /// For its own address.
    Itself,
    /// For any address that is brought to it: the local address of a connection is where it wanted to go.
    Anyone,
}

/// A listener; not blocking, closed on exec. One for IPv6 takes nothing of IPv4.
pub(super) fn tcp(address: SocketAddr, whom: For) -> io::Result<OwnedFd> {
    let socket = open(address, libc::SOCK_STREAM)?;
    if address.is_ipv6() {
        set(&socket, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY)?;
    }
    if whom == For::Anyone {
        let (level, option) = if address.is_ipv4() {
            (libc::SOL_IP, libc::IP_TRANSPARENT)
        } else {
            (libc::IPPROTO_IPV6, libc::IPV6_TRANSPARENT)
        };
        set(&socket, level, option)?;
    }
    bind(&socket, address)?;
    // SAFETY: no pointers.
    check_int(unsafe { libc::listen(socket.as_raw_fd(), BACKLOG) })?;
    Ok(socket)
}

/// A socket for UDP, bound and told to report where each datagram was sent to (IPv4).
pub(super) fn udp(address: SocketAddr) -> io::Result<OwnedFd> {
    let socket = open(address, libc::SOCK_DGRAM)?;
    set(&socket, libc::SOL_IP, libc::IP_PKTINFO)?;
    bind(&socket, address)?;
    Ok(socket)
}

fn open(address: SocketAddr, kind: libc::c_int) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let kind = kind | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: no pointers; the descriptor is fresh and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(check_int(libc::socket(family, kind, 0))?) })
}

fn set(socket: &OwnedFd, level: libc::c_int, option: libc::c_int) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the value is an int that outlives the call, and its size is given.
    check_int(unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const on).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    })
    .map(drop)
}

fn bind(socket: &OwnedFd, address: SocketAddr) -> io::Result<()> {
    let bound = match address {
        SocketAddr::V4(v4) => {
            let name = libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: v4.port().to_be(),
                sin_addr: libc::in_addr { s_addr: u32::from(*v4.ip()).to_be() },
                sin_zero: [0; 8],
            };
            // SAFETY: the name is a whole address of the size given, and outlives the call.
            unsafe { libc::bind(socket.as_raw_fd(), (&raw const name).cast(), size_of_val(&name) as libc::socklen_t) }
        }
        SocketAddr::V6(v6) => {
            let name = libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: v6.port().to_be(),
                sin6_flowinfo: 0,
                sin6_addr: libc::in6_addr { s6_addr: v6.ip().octets() },
                sin6_scope_id: 0,
            };
            // SAFETY: as above.
            unsafe { libc::bind(socket.as_raw_fd(), (&raw const name).cast(), size_of_val(&name) as libc::socklen_t) }
        }
    };
    check_int(bound).map(drop)
}

/// Whether `socket` has something to read within `timeout` milliseconds; for tests and for the probe.
pub(crate) fn readable(socket: BorrowedFd<'_>, timeout: libc::c_int) -> io::Result<bool> {
    let mut wait = libc::pollfd { fd: socket.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one entry, which outlives the call.
    Ok(check_int(unsafe { libc::poll(&raw mut wait, 1, timeout) })? > 0)
}
