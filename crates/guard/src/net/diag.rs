//! Whether a socket file is bound inside: the kernel is asked, in the jail's own network namespace.
//!
//! A unix socket belongs to the namespace it was made in, so a socket of the machine that happens to lie in a
//! writable folder is not on this list, whatever it is called.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

use super::netlink::{self, Answer, Attributes, DUMP, Message, Netlink, attributes, native_32};

const BY_FAMILY: u16 = 20;
/// Asks for the file that a socket is bound to; also the kind of the attribute that names it is 1.
const SHOW_FILE: u32 = 2;
const FILE: u16 = 1;
/// The fixed part of an answer: family, type, state, inode, cookie.
const ANSWER_HEADER_BYTES: usize = 16;
/// Where in it the socket's own inode is.
const SOCKET_AT: usize = 4;

/// Knows the unix sockets of one jail. Clones ask through the same socket, one at a time.
#[derive(Debug, Clone)]
pub struct UnixDiag(Arc<Mutex<Asking>>);

#[derive(Debug)]
struct Asking {
    socket: OwnedFd,
    sequence: u32,
}

pub(super) fn open() -> io::Result<OwnedFd> {
    Netlink::open(libc::NETLINK_SOCK_DIAG).map(Netlink::into_inner)
}

impl UnixDiag {
    /// Whether a socket of the jail is bound to the file with this device and inode, as `stat` says them.
    ///
    /// LIMIT: on file systems whose `stat` names another device than their own (btrfs subvolumes, some
    /// overlays) the answer is no, so own sockets in such a folder cannot be connected to; `/tmp` always works.
    /// Of the inode the kernel compares 32 bits.
    ///
    /// # Errors
    /// What the kernel says: it is not known then.
    pub fn is_bound(&self, device: u64, inode: u64) -> io::Result<bool> {
        self.bound(device, inode).map(|socket| socket.is_some())
    }

    /// Knows the unix sockets of the network that the calling process is in.
    ///
    /// # Errors
    /// What the kernel says.
    pub(crate) fn here() -> io::Result<Self> {
        open().map(Self::from)
    }

    /// The lower half of the inode of the socket itself that is bound to the file. The same limits.
    ///
    /// # Errors
    /// What the kernel says: it is not known then.
    pub(crate) fn bound(&self, device: u64, inode: u64) -> io::Result<Option<u32>> {
        let wanted = (device_number(device), low_bits(inode));
        let mut asking = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        asking.sequence = asking.sequence.wrapping_add(1);
        let mut found = None;
        netlink::dump(&asking.socket, asking.sequence, &everything(), |answer| {
            if file(answer) == Some(wanted) {
                found = native_32(answer.payload, SOCKET_AT);
            }
        })?;
        Ok(found)
    }
}

impl From<OwnedFd> for UnixDiag {
    /// The socket that came out of a jail to ask with.
    fn from(socket: OwnedFd) -> Self {
        Self(Arc::new(Mutex::new(Asking { socket, sequence: 0 })))
    }
}

fn everything() -> Message {
    let states = u32::MAX;
    let [any_inode, any_cookie] = [0; 2];
    let family = u32::from_ne_bytes([libc::AF_UNIX as u8, 0, 0, 0]);
    let header: Vec<u8> = [family, states, any_inode, SHOW_FILE, any_cookie, any_cookie]
        .iter()
        .flat_map(|word: &u32| word.to_ne_bytes())
        .collect();
    Message::new(BY_FAMILY, DUMP, &header, &Attributes::default())
}

/// The device and inode a socket is bound to.
fn file(answer: &Answer<'_>) -> Option<(u32, u32)> {
    let (_, value) = attributes(answer.payload.get(ANSWER_HEADER_BYTES..)?).find(|(kind, _)| *kind == FILE)?;
    Some((native_32(value, 4)?, native_32(value, 0)?))
}

/// A device number as the kernel has it inside: 12 bits of major, 20 of minor.
fn device_number(device: u64) -> u32 {
    libc::major(device) << 20 | libc::minor(device) & 0xf_ffff
}

const fn low_bits(inode: u64) -> u32 {
    (inode & 0xffff_ffff) as u32
}
