//! Netlink: requests built from typed parts, answers read without trusting their lengths.
//!
//! The kernel answers a request while it is being sent, so answers are read without waiting: what is not there
//! then never comes.

use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

use crate::sys::{check, check_int};

/// This is a request.
pub(super) const REQUEST: u16 = 1;
/// It is to be acknowledged.
pub(super) const ACKNOWLEDGE: u16 = 4;
/// What it names may be there already.
pub(super) const REPLACE: u16 = 0x100;
/// All there is, please.
pub(super) const DUMP: u16 = 0x300;
/// What it names is to be made.
pub(super) const CREATE: u16 = 0x400;
/// At the end.
pub(super) const APPEND: u16 = 0x800;

/// The kind of an acknowledgement, with an errno or zero.
const ERROR: u16 = 2;
/// The kind of the end of a dump.
const DONE: u16 = 3;
const HEADER_BYTES: usize = 16;
const ATTRIBUTE_HEADER_BYTES: usize = 4;
/// Marks an attribute that holds others.
const NESTED: u16 = 0x8000;
/// What of an attribute's kind is not a mark.
const KIND_MASK: u16 = 0x3fff;
/// LIMIT: more than one answer, or one part of a dump, ever takes.
const ANSWER_BYTES_MAX: usize = 32 << 10;

/// Attributes of a request, one after the other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Attributes(Vec<u8>);

impl Attributes {
    pub(super) fn bytes(mut self, kind: u16, value: &[u8]) -> Self {
        // INVARIANT: values are constants of this crate, far below 64 KiB. A longer one would be refused by the kernel.
        let length = u16::try_from(ATTRIBUTE_HEADER_BYTES.saturating_add(value.len())).unwrap_or(u16::MAX);
        self.0.extend(length.to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        pad(&mut self.0);
        self
    }

    /// Text with the zero that ends it.
    pub(super) fn text(self, kind: u16, value: &str) -> Self {
        self.bytes(kind, &[value.as_bytes(), &[0]].concat())
    }

    pub(super) fn big_endian_16(self, kind: u16, value: u16) -> Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    pub(super) fn big_endian_32(self, kind: u16, value: u32) -> Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    pub(super) fn big_endian_64(self, kind: u16, value: u64) -> Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    pub(super) fn native_32(self, kind: u16, value: u32) -> Self {
        self.bytes(kind, &value.to_ne_bytes())
    }

    pub(super) fn nest(self, kind: u16, inner: &Self) -> Self {
        self.bytes(kind | NESTED, &inner.0)
    }
}

/// One request, without its place in a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    kind: u16,
    flags: u16,
    body: Vec<u8>,
}

impl Message {
    /// A request of this kind: the fixed header that its family wants, then attributes.
    pub(super) fn new(kind: u16, flags: u16, header: &[u8], attributes: &Attributes) -> Self {
        let mut body = header.to_vec();
        pad(&mut body);
        body.extend(&attributes.0);
        Self { kind, flags: REQUEST | flags, body }
    }

    /// The same, to be acknowledged.
    pub(super) fn acknowledged(self) -> Self {
        Self { flags: self.flags | ACKNOWLEDGE, ..self }
    }

    pub(super) fn write(&self, sequence: u32, into: &mut Vec<u8>) {
        let length = u32::try_from(HEADER_BYTES.saturating_add(self.body.len())).unwrap_or(u32::MAX);
        into.extend(length.to_ne_bytes());
        into.extend(self.kind.to_ne_bytes());
        into.extend(self.flags.to_ne_bytes());
        into.extend(sequence.to_ne_bytes());
        into.extend(0_u32.to_ne_bytes());
        into.extend(&self.body);
        pad(into);
    }
}

/// Which of several requests was refused, and why.
#[derive(Debug)]
pub(super) struct Refused {
    /// Its place; `None` when the conversation itself failed.
    pub(super) at: Option<usize>,
    /// What the kernel said.
    pub(super) error: io::Error,
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Self { at: None, error }
    }
}

/// A netlink socket, of the network namespace it was made in.
#[derive(Debug)]
pub(super) struct Netlink(OwnedFd);

impl Netlink {
    pub(super) fn open(protocol: libc::c_int) -> io::Result<Self> {
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // SAFETY: no pointers; the descriptor is fresh and nobody else's.
        let socket = unsafe { OwnedFd::from_raw_fd(check_int(libc::socket(libc::AF_NETLINK, kind, protocol))?) };
        let on: libc::c_int = 1;
        // SAFETY: the value is an int that outlives the call, and its size is given. Without it refusals repeat
        // the request, which is no harm.
        unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::SOL_NETLINK,
                libc::NETLINK_CAP_ACK,
                (&raw const on).cast(),
                size_of::<libc::c_int>() as libc::socklen_t,
            );
        }
        Ok(Self(socket))
    }

    pub(super) fn into_inner(self) -> OwnedFd {
        self.0
    }

    /// Sends requests in one go. The last that asks to be acknowledged must be.
    ///
    /// # Errors
    /// The first request that was refused; those after it may have been granted.
    pub(super) fn transact(&self, messages: &[Message]) -> Result<(), Refused> {
        let mut datagram = Vec::with_capacity(4096);
        for (sequence, message) in (0_u32..).zip(messages) {
            message.write(sequence, &mut datagram);
        }
        send(&self.0, &datagram)?;
        let last = messages.iter().rposition(|message| message.flags & ACKNOWLEDGE != 0);
        let mut granted = last.is_none();
        let mut refused: Option<Refused> = None;
        let mut buffer = vec![0; ANSWER_BYTES_MAX];
        while let Some(received) = receive(&self.0, &mut buffer)? {
            for answer in answers(received).filter(|answer| answer.kind == ERROR) {
                let at = usize::try_from(answer.sequence).ok();
                match answer.errno() {
                    Some(0) => granted |= at == last,
                    Some(errno) if refused.is_none() => {
                        refused = Some(Refused { at, error: io::Error::from_raw_os_error(errno) });
                    }
                    _ => {}
                }
            }
        }
        match refused {
            Some(refused) => Err(refused),
            None if granted => Ok(()),
            None => Err(Refused::from(io::Error::from_raw_os_error(libc::EPROTO))),
        }
    }
}

/// Asks for a dump and hands each answer to `each` until it says that it has seen enough.
///
/// # Errors
/// What the kernel says; a dump that does not end, or was disturbed.
pub(super) fn dump(
    socket: &OwnedFd,
    sequence: u32,
    request: &Message,
    mut each: impl FnMut(&Answer<'_>),
) -> io::Result<()> {
    let mut datagram = Vec::new();
    request.write(sequence, &mut datagram);
    send(socket, &datagram)?;
    let mut buffer = vec![0; ANSWER_BYTES_MAX];
    while let Some(received) = receive(socket, &mut buffer)? {
        for answer in answers(received).filter(|answer| answer.sequence == sequence) {
            match answer.kind {
                DONE => return Ok(()),
                ERROR => return Err(io::Error::from_raw_os_error(answer.errno().unwrap_or(libc::EPROTO))),
                _ => each(&answer),
            }
        }
    }
    Err(io::Error::from_raw_os_error(libc::EPROTO))
}

fn send(socket: &OwnedFd, datagram: &[u8]) -> io::Result<()> {
    // SAFETY: the pointer and length are those of a slice that outlives the call. A netlink socket without a
    // destination sends to the kernel.
    check(unsafe { libc::send(socket.as_raw_fd(), datagram.as_ptr().cast(), datagram.len(), 0) } as i64).map(drop)
}

/// One datagram of the kernel; `None` when there is none.
///
/// # Errors
/// `ENOBUFS` when the kernel had to drop some.
pub(super) fn receive<'buffer>(socket: &OwnedFd, buffer: &'buffer mut [u8]) -> io::Result<Option<&'buffer [u8]>> {
    loop {
        // SAFETY: the pointer and length are those of a slice that outlives the call and is not otherwise used in it.
        let received = check(unsafe {
            libc::recv(socket.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), libc::MSG_DONTWAIT)
        } as i64);
        match received {
            Ok(length) => return Ok(buffer.get(..usize::try_from(length).unwrap_or(0))),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// One message of the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Answer<'datagram> {
    pub(super) kind: u16,
    pub(super) sequence: u32,
    pub(super) payload: &'datagram [u8],
}

impl Answer<'_> {
    /// The errno of an acknowledgement, zero when it was granted.
    fn errno(&self) -> Option<i32> {
        native_32(self.payload, 0).map(|value| value.cast_signed().saturating_neg())
    }
}

/// The messages of a datagram, up to the first that is not whole.
pub(super) fn answers(datagram: &[u8]) -> impl Iterator<Item = Answer<'_>> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let length = usize::try_from(native_32(rest, 0)?).ok()?;
        let message = rest.get(..length)?;
        let answer = Answer {
            kind: native_16(message, 4)?,
            sequence: native_32(message, 8)?,
            payload: message.get(HEADER_BYTES..)?,
        };
        rest = rest.get(aligned(length)..).unwrap_or_default();
        Some(answer)
    })
}

/// The attributes in these bytes, without their marks, up to the first that is not whole.
pub(super) fn attributes(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let length = usize::from(native_16(rest, 0)?);
        let kind = native_16(rest, 2)? & KIND_MASK;
        let value = rest.get(ATTRIBUTE_HEADER_BYTES..length)?;
        rest = rest.get(aligned(length)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// A number of 16 bits in the machine's own order.
pub(super) fn native_16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// A number of 32 bits in the machine's own order.
pub(super) fn native_32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

const fn aligned(length: usize) -> usize {
    length.saturating_add(3) & !3
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(aligned(bytes.len()), 0);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_written_can_be_read() {
        let inner = Attributes::default().big_endian_32(3, 0x0102_0304).text(4, "lo");
        let outer = Attributes::default().nest(1, &inner).bytes(2, &[9]).big_endian_16(5, 6).native_32(7, 8);
        let message = Message::new(24, CREATE, &[1, 2, 3], &outer);
        let mut datagram = Vec::new();
        message.write(7, &mut datagram);
        message.write(8, &mut datagram);
        let read: Vec<_> = answers(&datagram).collect();
        assert_eq!(read.iter().map(|answer| (answer.kind, answer.sequence)).collect::<Vec<_>>(), [(24, 7), (24, 8)]);
        let body = read.first().map(|answer| answer.payload.get(4..).unwrap_or_default()).unwrap_or_default();
        let all: Vec<_> = attributes(body).collect();
        assert_eq!(all.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), [1, 2, 5, 7]);
        assert_eq!(all.get(1), Some(&(2, &[9][..])));
        let nested: Vec<_> = attributes(all.first().map(|(_, value)| *value).unwrap_or_default()).collect();
        assert_eq!(nested, [(3, &[1, 2, 3, 4][..]), (4, &b"lo\0"[..])]);
    }

    #[test]
    fn lengths_that_lie_end_the_reading() {
        for (datagram, whole) in [
            (vec![], 0),
            (vec![16, 0, 0, 0], 0),
            ([&[16, 0, 0, 0][..], &[0; 12]].concat(), 1),
            // Shorter than its own header, then endless.
            ([&[8, 0, 0, 0][..], &[0; 12]].concat(), 0),
            (vec![0; 64], 0),
            // Longer than what is there.
            ([&[0xff, 0xff, 0xff, 0x7f][..], &[0; 60]].concat(), 0),
            // The second is cut off.
            ([&[16, 0, 0, 0][..], &[0; 12], &[17, 0, 0, 0], &[0; 12]].concat(), 1),
        ] {
            assert_eq!(answers(&datagram).count(), whole, "{datagram:?}");
        }
        for (bytes, whole) in
            [(vec![], 0), (vec![3, 0, 1, 0], 0), (vec![4, 0, 1, 0], 1), (vec![5, 0, 1, 0], 0), (vec![0; 8], 0)]
        {
            assert_eq!(attributes(&bytes).count(), whole, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_the_reading_fail_or_last(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            for answer in answers(&bytes) {
                prop_assert!(attributes(answer.payload).count() <= bytes.len());
            }
            prop_assert!(answers(&bytes).count() <= bytes.len() / HEADER_BYTES);
        }
    }
}
