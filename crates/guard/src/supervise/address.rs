//! Internet addresses as the kernel lays them out, and as sockets say theirs.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsRawFd as _, BorrowedFd};

use super::{Early, Stepped};
use crate::sys::check_int;

/// The family of an address.
pub(super) fn family(address: &[u8]) -> Option<libc::c_int> {
    Some(u16::from_ne_bytes(*address.first_chunk()?).into())
}

/// An internet address, as a socket of this family takes it.
pub(super) fn parse(address: &[u8], domain: libc::c_int) -> Stepped<SocketAddr> {
    let family = family(address).ok_or(Early::fails(libc::EINVAL))?;
    // An old habit that the kernel knows: no family, no address.
    let nothing = family == libc::AF_UNSPEC && domain == libc::AF_INET;
    if family != domain && !nothing {
        return Err(Early::fails(libc::EAFNOSUPPORT));
    }
    let as_asked: Vec<u8> = (domain as u16).to_ne_bytes().into_iter().chain(address.iter().copied().skip(2)).collect();
    read_address(&as_asked).ok_or(Early::fails(libc::EINVAL))
}

/// Reads an internet address as the kernel lays it out.
pub(super) fn read_address(bytes: &[u8]) -> Option<SocketAddr> {
    let port = u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?);
    match family(bytes)? {
        // The kernel wants all of it, with what is never used.
        libc::AF_INET if bytes.len() >= 16 => {
            Some(SocketAddr::from((Ipv4Addr::from(*bytes.get(4..)?.first_chunk::<4>()?), port)))
        }
        libc::AF_INET6 => {
            let flow = u32::from_be_bytes(*bytes.get(4..)?.first_chunk()?);
            let ip = Ipv6Addr::from(*bytes.get(8..)?.first_chunk::<16>()?);
            let scope =
                bytes.get(24..).and_then(|rest| rest.first_chunk()).map_or(0, |scope| u32::from_ne_bytes(*scope));
            Some(SocketAddrV6::new(ip, port, flow, scope).into())
        }
        _ => None,
    }
}

/// Lays an internet address out as the kernel takes it.
pub(super) fn octets(address: SocketAddr) -> Vec<u8> {
    let (family, port) = match address {
        SocketAddr::V4(_) => (libc::AF_INET, address.port()),
        SocketAddr::V6(_) => (libc::AF_INET6, address.port()),
    };
    let mut bytes = Vec::from((family as libc::sa_family_t).to_ne_bytes());
    bytes.extend(port.to_be_bytes());
    match address {
        SocketAddr::V4(v4) => {
            bytes.extend(v4.ip().octets());
            bytes.extend([0; 8]);
        }
        SocketAddr::V6(v6) => {
            bytes.extend(v6.flowinfo().to_be_bytes());
            bytes.extend(v6.ip().octets());
            bytes.extend(v6.scope_id().to_ne_bytes());
        }
    }
    bytes
}

/// No address: a socket that is connected to it is connected to nothing.
pub(super) fn unspecified() -> Vec<u8> {
    vec![0; 16]
}

type Asked = unsafe extern "C" fn(libc::c_int, *mut libc::sockaddr, *mut libc::socklen_t) -> libc::c_int;

/// The address of a socket.
pub(super) fn local(socket: BorrowedFd<'_>) -> io::Result<SocketAddr> {
    name(socket, libc::getsockname)
}

/// The address of its other end.
pub(super) fn peer(socket: BorrowedFd<'_>) -> io::Result<SocketAddr> {
    name(socket, libc::getpeername)
}

fn name(socket: BorrowedFd<'_>, ask: Asked) -> io::Result<SocketAddr> {
    let mut bytes = [0_u8; 128];
    let mut length = bytes.len() as libc::socklen_t;
    // SAFETY: the kernel writes no more than the length that is given.
    check_int(unsafe { ask(socket.as_raw_fd(), bytes.as_mut_ptr().cast(), &raw mut length) })?;
    let used = bytes.get(..length as usize).unwrap_or_default();
    read_address(used).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
}

#[cfg(test)]
mod tests {
    use super::super::Outcome;
    use super::*;

    #[test]
    fn an_address_is_read_as_it_is_laid_out() {
        for text in ["127.0.0.1:80", "203.0.113.5:65535", "[::1]:1", "[2001:db8::5]:443", "[fe80::1%7]:9"] {
            let Ok(address) = text.parse::<SocketAddr>() else { unreachable!("{text}") };
            assert_eq!(read_address(&octets(address)), Some(address), "{text}");
        }
    }

    #[test]
    fn what_is_too_short_is_no_address() {
        for (address, enough) in [("127.0.0.1:80", 16), ("[::1]:80", 24)] {
            let Ok(address) = address.parse::<SocketAddr>() else { unreachable!("{address}") };
            let whole = octets(address);
            for length in 0..=whole.len() {
                let read = read_address(whole.get(..length).unwrap_or_default());
                assert_eq!(read.is_some(), length >= enough, "{address}: {length} bytes");
            }
        }
        assert_eq!(read_address(&[1, 0, b'/', b'x', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), None, "a unix socket's");
    }

    #[test]
    fn an_address_is_of_the_family_of_its_socket() {
        let v4 = octets(SocketAddr::from(([127, 0, 0, 1], 80)));
        let v6 = octets(SocketAddr::from((Ipv6Addr::LOCALHOST, 80)));
        let mut none = v4.clone();
        none.splice(..2, [0, 0]);
        let fails = |parsed: Stepped<SocketAddr>| match parsed {
            Err(Early::Decided(outcome)) => Some(outcome),
            _ => None,
        };
        for (address, domain, want) in [
            (&v4, libc::AF_INET, None),
            (&v6, libc::AF_INET6, None),
            (&none, libc::AF_INET, None),
            (&v4, libc::AF_INET6, Some(libc::EAFNOSUPPORT)),
            (&v6, libc::AF_INET, Some(libc::EAFNOSUPPORT)),
            (&none, libc::AF_INET6, Some(libc::EAFNOSUPPORT)),
            (&vec![2, 0, 0, 80], libc::AF_INET, Some(libc::EINVAL)),
            (&Vec::new(), libc::AF_INET, Some(libc::EINVAL)),
        ] {
            assert_eq!(fails(parse(address, domain)), want.map(Outcome::fails), "{address:?} {domain}");
        }
    }
}
