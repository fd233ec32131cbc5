//! What attempts are made with: plain calls, and words for how they went.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};

/// Prints a line.
pub(crate) fn say(line: &str) {
    let mut out = io::stdout().lock();
    // Where nobody reads, nobody misses it.
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
}

/// The result of a call that returns a negative number when it fails.
pub(crate) fn checked(returned: i64) -> io::Result<i64> {
    if returned < 0 { Err(io::Error::last_os_error()) } else { Ok(returned) }
}

/// A call by number.
pub(crate) fn call(number: libc::c_long, args: [i64; 6]) -> io::Result<i64> {
    let [a, b, c, d, e, f] = args;
    // SAFETY: attempts pass numbers, or addresses of values that live until the call returns.
    checked(unsafe { libc::syscall(number, a, b, c, d, e, f) })
}

pub(crate) fn socket(domain: i32, kind: i32, protocol: i32) -> io::Result<OwnedFd> {
    let made = call(libc::SYS_socket, [domain.into(), (kind | libc::SOCK_CLOEXEC).into(), protocol.into(), 0, 0, 0])?;
    // SAFETY: it was opened just now and is nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(made as RawFd) })
}

pub(crate) fn connect(socket: &OwnedFd, to: &[u8]) -> io::Result<()> {
    let (address, length) = (to.as_ptr() as i64, to.len() as i64);
    call(libc::SYS_connect, [socket.as_raw_fd().into(), address, length, 0, 0, 0]).map(drop)
}

pub(crate) fn bind(socket: &OwnedFd, to: &[u8]) -> io::Result<()> {
    let (address, length) = (to.as_ptr() as i64, to.len() as i64);
    call(libc::SYS_bind, [socket.as_raw_fd().into(), address, length, 0, 0, 0]).map(drop)
}

pub(crate) fn listen(socket: &OwnedFd) -> io::Result<()> {
    call(libc::SYS_listen, [socket.as_raw_fd().into(), 16, 0, 0, 0, 0]).map(drop)
}

pub(crate) fn accept(socket: &OwnedFd) -> io::Result<OwnedFd> {
    let made = call(libc::SYS_accept4, [socket.as_raw_fd().into(), 0, 0, 0, 0, 0])?;
    // SAFETY: it was opened just now and is nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(made as RawFd) })
}

/// An internet address as the kernel takes it.
pub(crate) fn octets(address: SocketAddr) -> Vec<u8> {
    let mut bytes = Vec::new();
    match address {
        SocketAddr::V4(v4) => {
            bytes.extend((libc::AF_INET as u16).to_ne_bytes());
            bytes.extend(v4.port().to_be_bytes());
            bytes.extend(v4.ip().octets());
            bytes.extend([0; 8]);
        }
        SocketAddr::V6(v6) => {
            bytes.extend((libc::AF_INET6 as u16).to_ne_bytes());
            bytes.extend(v6.port().to_be_bytes());
            bytes.extend([0; 4]);
            bytes.extend(v6.ip().octets());
            bytes.extend([0; 4]);
        }
    }
    bytes
}

/// The family and an address for a socket of it.
pub(crate) fn family(address: SocketAddr) -> i32 {
    if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 }
}

/// A unix address; `@` begins a name without a file. What follows the end of a path is garbage on purpose.
pub(crate) fn unix(path: &str) -> Vec<u8> {
    let mut bytes = Vec::from((libc::AF_UNIX as u16).to_ne_bytes());
    match path.strip_prefix('@') {
        Some(name) => {
            bytes.push(0);
            bytes.extend(name.bytes());
        }
        None => {
            bytes.extend(path.bytes());
            bytes.extend(*b"\0garbage");
        }
    }
    bytes
}

/// What the other end says first, up to a line's end.
pub(crate) fn greeting(socket: &OwnedFd) -> io::Result<String> {
    let mut text = Vec::new();
    let mut byte = [0_u8; 1];
    loop {
        // SAFETY: one byte is written, for which there is room.
        let read = checked(unsafe { libc::recv(socket.as_raw_fd(), byte.as_mut_ptr().cast(), 1, 0) } as i64);
        match read {
            Ok(0) => break,
            Ok(_) if byte == *b"\n" => break,
            Ok(_) => text.extend(byte),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// A failure in a word.
pub(crate) fn word(error: &io::Error) -> String {
    let known = [
        (libc::EPERM, "EPERM"),
        (libc::ENOENT, "ENOENT"),
        (libc::ESRCH, "ESRCH"),
        (libc::EINTR, "EINTR"),
        (libc::EBADF, "EBADF"),
        (libc::EAGAIN, "EAGAIN"),
        (libc::EACCES, "EACCES"),
        (libc::EFAULT, "EFAULT"),
        (libc::EINVAL, "EINVAL"),
        (libc::ENOTTY, "ENOTTY"),
        (libc::ENOSYS, "ENOSYS"),
        (libc::ENOTSOCK, "ENOTSOCK"),
        (libc::EPROTONOSUPPORT, "EPROTONOSUPPORT"),
        (libc::EOPNOTSUPP, "EOPNOTSUPP"),
        (libc::EAFNOSUPPORT, "EAFNOSUPPORT"),
        (libc::EADDRINUSE, "EADDRINUSE"),
        (libc::EADDRNOTAVAIL, "EADDRNOTAVAIL"),
        (libc::ENETUNREACH, "ENETUNREACH"),
        (libc::EISCONN, "EISCONN"),
        (libc::EALREADY, "EALREADY"),
        (libc::EINPROGRESS, "EINPROGRESS"),
        (libc::ECONNREFUSED, "ECONNREFUSED"),
        (libc::EPROTOTYPE, "EPROTOTYPE"),
    ];
    let number = error.raw_os_error().unwrap_or_default();
    known.iter().find(|(known, _)| *known == number).map_or_else(|| number.to_string(), |(_, word)| (*word).to_owned())
}
