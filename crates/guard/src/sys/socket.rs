//! The few things about sockets that the standard library does not have.

use std::io;
use std::net::{SocketAddrV4, TcpStream};
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};
use std::time::Duration;

use super::{check_int, process};

/// A TCP socket in this process's network, connected to nothing.
pub(crate) fn tcp() -> io::Result<OwnedFd> {
    // SAFETY: takes numbers; the descriptor is new and ours.
    unsafe {
        let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        Ok(OwnedFd::from_raw_fd(check_int(libc::socket(libc::AF_INET, kind, libc::IPPROTO_TCP))?))
    }
}

/// Connects a socket in the network it was made in, which need not be this process's.
pub(crate) fn connect(socket: OwnedFd, to: SocketAddrV4, at_most: Duration) -> io::Result<TcpStream> {
    let stream = TcpStream::from(socket);
    stream.set_nonblocking(true)?;
    // SAFETY: all zeroes is a valid address.
    let mut address: libc::sockaddr_in = unsafe { std::mem::zeroed() };
    address.sin_family = libc::AF_INET as libc::sa_family_t;
    address.sin_port = to.port().to_be();
    address.sin_addr.s_addr = u32::from(*to.ip()).to_be();
    let size = size_of::<libc::sockaddr_in>() as libc::socklen_t;
    // SAFETY: an address of this size that outlives the call.
    match check_int(unsafe { libc::connect(stream.as_raw_fd(), (&raw const address).cast(), size) }) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => return Err(error),
        _ => {}
    }
    let mut watched = [process::Watched { fd: stream.as_raw_fd(), events: libc::POLLOUT, revents: 0 }];
    process::wait_for(&mut watched, Some(at_most))?;
    if watched.iter().all(|one| one.revents == 0) {
        return Err(io::Error::from(io::ErrorKind::TimedOut));
    }
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    stream.set_nonblocking(false)?;
    Ok(stream)
}

/// Ends a socket both ways: whoever is at the other end sees it closed.
pub(crate) fn shut(socket: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: takes numbers.
    check_int(unsafe { libc::shutdown(socket.as_fd().as_raw_fd(), libc::SHUT_RDWR) }).map(drop)
}
