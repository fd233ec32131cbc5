//! The nameserver's datagrams: asked at any address, answered from the very address that was asked.

use std::io;
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};

use super::listen;
use crate::sys::check;

/// Room for control data, in words: aligned as the kernel wants it, and several times what one address takes.
const CONTROL_WORDS: usize = 16;

/// UDP port 53 of every IPv4 address inside; not blocking.
#[derive(Debug)]
pub struct DnsSocket(OwnedFd);

/// Who asked, and whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query {
    /// Who asked.
    pub from: SocketAddr,
    /// The nameserver that was asked: ours, or any other that was never reached.
    pub to: Ipv4Addr,
}

pub(super) fn open() -> io::Result<OwnedFd> {
    listen::udp(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 53)))
}

impl DnsSocket {
    /// Receives one query; what does not fit `buffer` is cut off.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when there is none.
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<(usize, Query)> {
        let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
        let mut control = [0_u64; CONTROL_WORDS];
        let mut from = MaybeUninit::<libc::sockaddr_in>::zeroed();
        // SAFETY: all zeroes is a valid header.
        let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
        header.msg_name = from.as_mut_ptr().cast();
        header.msg_namelen = size_of::<libc::sockaddr_in>() as libc::socklen_t;
        header.msg_iov = &raw mut part;
        header.msg_iovlen = 1;
        header.msg_control = control.as_mut_ptr().cast();
        header.msg_controllen = size_of_val(&control) as _;
        // SAFETY: the header points to a buffer, an address and room for control data that live until the call returns.
        let length = check(unsafe { libc::recvmsg(self.0.as_raw_fd(), &raw mut header, libc::MSG_DONTWAIT) } as i64)?;
        // SAFETY: zeroes are a valid address, and the kernel wrote at most its size.
        let from = unsafe { from.assume_init() };
        let to = asked(&header).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
        let from = SocketAddrV4::new(Ipv4Addr::from(u32::from_be(from.sin_addr.s_addr)), u16::from_be(from.sin_port));
        Ok((usize::try_from(length).unwrap_or(0), Query { from: SocketAddr::V4(from), to }))
    }

    /// Answers a query from the address that was asked.
    ///
    /// # Errors
    /// The answer cannot be sent; whoever asked will ask again.
    pub fn reply(&self, query: &Query, answer: &[u8]) -> io::Result<()> {
        let SocketAddr::V4(to) = query.from else {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        };
        let mut name = libc::sockaddr_in {
            sin_family: libc::AF_INET as libc::sa_family_t,
            sin_port: to.port().to_be(),
            sin_addr: libc::in_addr { s_addr: u32::from(*to.ip()).to_be() },
            sin_zero: [0; 8],
        };
        let source = libc::in_pktinfo {
            ipi_ifindex: 0,
            ipi_spec_dst: libc::in_addr { s_addr: u32::from(query.to).to_be() },
            ipi_addr: libc::in_addr { s_addr: 0 },
        };
        let mut part = libc::iovec { iov_base: answer.as_ptr().cast_mut().cast(), iov_len: answer.len() };
        let mut control = [0_u64; CONTROL_WORDS];
        let source_bytes = size_of_val(&source) as libc::c_uint;
        // SAFETY: all zeroes is a valid header; the room for control data holds one such address with its header
        // and is aligned for it; all it points to lives until the call returns.
        let sent = unsafe {
            let mut header: libc::msghdr = std::mem::zeroed();
            header.msg_name = (&raw mut name).cast();
            header.msg_namelen = size_of_val(&name) as libc::socklen_t;
            header.msg_iov = &raw mut part;
            header.msg_iovlen = 1;
            header.msg_control = control.as_mut_ptr().cast();
            header.msg_controllen = libc::CMSG_SPACE(source_bytes) as _;
            let first = libc::CMSG_FIRSTHDR(&raw const header);
            (*first).cmsg_level = libc::SOL_IP;
            (*first).cmsg_type = libc::IP_PKTINFO;
            (*first).cmsg_len = libc::CMSG_LEN(source_bytes) as _;
            libc::CMSG_DATA(first).cast::<libc::in_pktinfo>().write_unaligned(source);
            libc::sendmsg(self.0.as_raw_fd(), &raw const header, libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL)
        };
        check(sent as i64).map(drop)
    }
}

/// The address that a datagram was sent to.
fn asked(header: &libc::msghdr) -> Option<Ipv4Addr> {
    // SAFETY: the kernel wrote the control data and its length; the walk stays inside by the kernel's own macros,
    // and what is read is of the length that was checked.
    unsafe {
        let mut at = libc::CMSG_FIRSTHDR(header);
        while !at.is_null() {
            let enough = (*at).cmsg_len as usize >= libc::CMSG_LEN(size_of::<libc::in_pktinfo>() as u32) as usize;
            if (*at).cmsg_level == libc::SOL_IP && (*at).cmsg_type == libc::IP_PKTINFO && enough {
                let info = libc::CMSG_DATA(at).cast::<libc::in_pktinfo>().read_unaligned();
                return Some(Ipv4Addr::from(u32::from_be(info.ipi_addr.s_addr)));
            }
            at = libc::CMSG_NXTHDR(header, at);
        }
    }
    None
}

impl From<OwnedFd> for DnsSocket {
    /// The socket that came out of a jail.
    fn from(socket: OwnedFd) -> Self {
        Self(socket)
    }
}

impl AsFd for DnsSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
