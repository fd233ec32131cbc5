//! Messages with descriptors over sequenced-packet sockets: one message is one packet.

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};

use super::{check, check_int};

/// LIMIT: the most descriptors in one message.
pub(crate) const DESCRIPTORS_MAX: usize = 16;
/// LIMIT: the longest message, in bytes.
pub(crate) const MESSAGE_MAX: usize = 1 << 20;
/// Room for the descriptors' header, in words: aligned as the kernel wants it.
const CONTROL_WORDS: usize = 16;

/// A pair of connected sockets that keep messages apart; closed on exec.
pub(crate) fn packet_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut pair = [-1; 2];
    // SAFETY: `pair` has room for the two descriptors that the call writes.
    check_int(unsafe {
        libc::socketpair(libc::AF_UNIX, libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC, 0, pair.as_mut_ptr())
    })?;
    let [left, right] = pair;
    for end in [left, right] {
        let bytes = libc::c_int::try_from(MESSAGE_MAX).unwrap_or(libc::c_int::MAX);
        // SAFETY: the value is an int that outlives the call, and its size is given. A smaller buffer is no harm.
        unsafe {
            libc::setsockopt(
                end,
                libc::SOL_SOCKET,
                libc::SO_SNDBUF,
                (&raw const bytes).cast(),
                size_of::<libc::c_int>() as libc::socklen_t,
            );
        }
    }
    // SAFETY: the call succeeded, so both are open and nobody else's.
    Ok(unsafe { (OwnedFd::from_raw_fd(left), OwnedFd::from_raw_fd(right)) })
}

/// Sends one message.
///
/// # Errors
/// The other end is gone, or there are more than [`DESCRIPTORS_MAX`] descriptors.
pub(crate) fn send(socket: BorrowedFd<'_>, message: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    if descriptors.len() > DESCRIPTORS_MAX {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    let mut part = libc::iovec { iov_base: message.as_ptr().cast_mut().cast(), iov_len: message.len() };
    let mut control = [0_u64; CONTROL_WORDS];
    // SAFETY: all zeroes is a valid header: no name, no parts, no control data.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_iov = &raw mut part;
    header.msg_iovlen = 1;
    if !descriptors.is_empty() {
        let bytes = u32::try_from(size_of_val(descriptors)).unwrap_or(u32::MAX);
        // SAFETY: the room for control data holds DESCRIPTORS_MAX descriptors and their header, and is aligned for it;
        // the numbers are copied from a slice of this very length, whose elements are plain ints.
        unsafe {
            header.msg_control = control.as_mut_ptr().cast();
            header.msg_controllen = libc::CMSG_SPACE(bytes) as _;
            let first = libc::CMSG_FIRSTHDR(&raw const header);
            (*first).cmsg_level = libc::SOL_SOCKET;
            (*first).cmsg_type = libc::SCM_RIGHTS;
            (*first).cmsg_len = libc::CMSG_LEN(bytes) as _;
            let numbers = libc::CMSG_DATA(first).cast::<libc::c_int>();
            for (at, descriptor) in descriptors.iter().enumerate() {
                numbers.add(at).write_unaligned(descriptor.as_raw_fd());
            }
        }
    }
    loop {
        // SAFETY: the header points to parts that live until the call returns.
        match check(unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const header, libc::MSG_NOSIGNAL) } as i64) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            sent => return sent.map(drop),
        }
    }
}

/// Receives one message into `buffer`; `None` when the other end is gone.
///
/// # Errors
/// It does not fit, or what the kernel says.
pub(crate) fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<Option<(usize, Vec<OwnedFd>)>> {
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let mut control = [0_u64; CONTROL_WORDS];
    // SAFETY: all zeroes is a valid header.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_iov = &raw mut part;
    header.msg_iovlen = 1;
    header.msg_control = control.as_mut_ptr().cast();
    header.msg_controllen = size_of_val(&control) as _;
    let length = loop {
        // SAFETY: the header points to a buffer and to room for control data that live until the call returns.
        match check(unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut header, libc::MSG_CMSG_CLOEXEC) } as i64) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            received => break usize::try_from(received?).unwrap_or(0),
        }
    };
    let mut descriptors = Vec::new();
    // SAFETY: the kernel wrote the control data and its length; each number in a header of rights is a
    // descriptor that was just opened for this process and belongs to nobody else.
    unsafe {
        let mut at = libc::CMSG_FIRSTHDR(&raw const header);
        while !at.is_null() {
            if (*at).cmsg_level == libc::SOL_SOCKET && (*at).cmsg_type == libc::SCM_RIGHTS {
                let bytes = ((*at).cmsg_len as usize).saturating_sub(libc::CMSG_LEN(0) as usize);
                let numbers = libc::CMSG_DATA(at).cast::<libc::c_int>();
                for place in 0..bytes / size_of::<libc::c_int>() {
                    descriptors.push(OwnedFd::from_raw_fd(numbers.add(place).read_unaligned()));
                }
            }
            at = libc::CMSG_NXTHDR(&raw const header, at);
        }
    }
    if header.msg_flags & (libc::MSG_TRUNC | libc::MSG_CTRUNC) != 0 {
        return Err(io::Error::from(io::ErrorKind::InvalidData));
    }
    Ok((length > 0 || !descriptors.is_empty()).then_some((length, descriptors)))
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::os::fd::AsFd as _;

    use super::*;

    #[test]
    fn a_message_brings_its_descriptors() -> io::Result<()> {
        let (left, right) = packet_pair()?;
        let (mut reader, writer) = std::io::pipe()?;
        send(left.as_fd(), b"hello", &[writer.as_fd()])?;
        drop(writer);
        let mut buffer = [0; 64];
        let (length, mut descriptors) = receive(right.as_fd(), &mut buffer)?.unwrap_or_default();
        assert_eq!((buffer.get(..length), descriptors.len()), (Some(&b"hello"[..]), 1));
        let mut passed = std::fs::File::from(descriptors.remove(0));
        passed.write_all(b"through")?;
        drop(passed);
        let mut text = String::new();
        reader.read_to_string(&mut text)?;
        assert_eq!(text, "through");
        drop(left);
        assert!(receive(right.as_fd(), &mut buffer)?.is_none());
        Ok(())
    }
}
