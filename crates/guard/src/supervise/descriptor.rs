//! The socket behind a descriptor of a thread that stands still, taken so that nobody can put another in its place.
//!
//! Where the kernel hands out a copy (`pidfd_getfd`), that is it. Some containers forbid that; there a copy of
//! every socket that was made for the tool is held from the start, and found again by its inode.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use super::{Early, Outcome, Stepped, Supervisor};
use crate::notify::{Call, Notify};
use crate::sys::{check, check_int};

/// LIMIT: the most sockets held for one tree that are neither connected nor listening. The oldest is let go;
/// it cannot be connected any more then.
const HELD_MAX: usize = 256;

/// A copy of a socket of the caller.
#[derive(Debug)]
pub(super) struct Socket {
    file: OwnedFd,
    /// What it is known by, on the whole machine.
    pub(super) inode: u64,
    /// Its address family.
    pub(super) domain: libc::c_int,
    /// Its type.
    pub(super) kind: libc::c_int,
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Socket {
    /// # Errors
    /// `ENOTSOCK` when it is none.
    pub(super) fn new(file: OwnedFd) -> io::Result<Self> {
        let domain = option(file.as_fd(), libc::SOL_SOCKET, libc::SO_DOMAIN)?;
        let kind = option(file.as_fd(), libc::SOL_SOCKET, libc::SO_TYPE)?;
        let inode = inode(file.as_fd())?;
        Ok(Self { file, inode, domain, kind })
    }
}

/// Copies of the sockets that were made for the tool, where copies cannot be had later.
#[derive(Debug)]
pub(super) enum Held {
    /// They can be had.
    NotNeeded,
    /// By inode, which grow with time; with the thread that each was made for.
    Sockets(BTreeMap<u64, (u32, OwnedFd)>),
}

impl Held {
    /// Whether to hold sockets, on a machine and with rights like ours.
    pub(super) fn for_this_machine(notify: &Notify) -> Self {
        match take(std::process::id(), notify.as_fd().as_raw_fd()) {
            Ok(_) => Self::NotNeeded,
            Err(_) => Self::Sockets(BTreeMap::new()),
        }
    }

    /// Holds a copy of a socket that the tool is given.
    pub(super) fn hold(&mut self, thread: u32, socket: Socket) {
        if let Self::Sockets(sockets) = self {
            sockets.insert(socket.inode, (thread, socket.file));
            if sockets.len() > HELD_MAX {
                sockets.pop_first();
            }
        }
    }

    /// Lets go of a socket: it lives as long as the tool wants now.
    pub(super) fn let_go(&mut self, inode: u64) {
        if let Self::Sockets(sockets) = self {
            sockets.remove(&inode);
        }
    }

    /// Lets go of sockets that those have closed for whom they were made: they keep their ports in use. (A
    /// process that inherited one cannot connect it any more.) Whether there were any.
    pub(super) fn let_go_of_closed(&mut self) -> bool {
        let Self::Sockets(sockets) = self else { return false };
        let before = sockets.len();
        sockets.retain(|inode, (thread, _)| has_open(*thread, *inode));
        sockets.len() < before
    }

    fn find(&self, thread: u32, descriptor: libc::c_int) -> io::Result<Option<OwnedFd>> {
        match self {
            Self::NotNeeded => {
                // Only of sockets: closing a copy of a file takes away the locks that this process has on it. Where that
                // cannot be seen beforehand, the copy shows it.
                match socket_inode(&link(thread, descriptor)) {
                    Err(error) if matches!(error.raw_os_error(), Some(libc::EBADF | libc::ENOTSOCK)) => Err(error),
                    _ => take(thread, descriptor).map(Some),
                }
            }
            Self::Sockets(sockets) => {
                let inode = socket_inode(&link(thread, descriptor))?;
                sockets.get(&inode).map(|(_, socket)| socket.try_clone()).transpose()
            }
        }
    }
}

impl Supervisor {
    /// The socket behind the descriptor that is the call's first argument; `None` when it was not made here and
    /// cannot be had, so it is no internet socket.
    pub(super) fn find(&self, call: &Call) -> Stepped<Option<Socket>> {
        let found = self.look(call);
        if !self.notify.stands(call) {
            return Err(Early::Decided(Outcome::Settled));
        }
        found.map_err(|error| match error.raw_os_error() {
            Some(errno @ (libc::EBADF | libc::ENOTSOCK)) => Early::fails(errno),
            _ => self.refuse_unreadable(),
        })
    }

    /// The same, for a call that does no harm.
    ///
    /// # Errors
    /// It cannot be had.
    pub(super) fn look(&self, call: &Call) -> io::Result<Option<Socket>> {
        let [descriptor, ..] = call.args;
        self.held.find(call.thread, descriptor as libc::c_int)?.map(Socket::new).transpose()
    }

    /// What the socket behind the descriptor is known by, for a call that does no harm.
    pub(super) fn inode(&self, call: &Call) -> Option<u64> {
        let [descriptor, ..] = call.args;
        let inode = socket_inode(&link(call.thread, descriptor as libc::c_int)).ok()?;
        self.notify.stands(call).then_some(inode)
    }
}

fn has_open(thread: u32, inode: u64) -> bool {
    fs::read_dir(format!("/proc/{thread}/fd"))
        .is_ok_and(|files| files.flatten().any(|file| socket_inode(&file.path()).is_ok_and(|found| found == inode)))
}

pub(super) fn link(thread: u32, descriptor: libc::c_int) -> PathBuf {
    PathBuf::from(format!("/proc/{thread}/fd/{descriptor}"))
}

/// The inode of the socket that a link in `/proc` leads to.
fn socket_inode(link: &Path) -> io::Result<u64> {
    let target = fs::read_link(link).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => io::Error::from_raw_os_error(libc::EBADF),
        _ => error,
    })?;
    target
        .to_str()
        .and_then(|text| text.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok())
        .ok_or_else(|| io::Error::from_raw_os_error(libc::ENOTSOCK))
}

fn take(thread: u32, descriptor: libc::c_int) -> io::Result<OwnedFd> {
    let owner = match process(thread, libc::PIDFD_THREAD) {
        // Before Linux 6.9 only the first thread of a process can be named. Its files are those of the others,
        // but for a thread that parted with them: then what is taken is another's, and still all that is acted on.
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => process(first_thread(thread)?, 0)?,
        other => other?,
    };
    // SAFETY: plain numbers; the descriptor returned is new and nobody else's.
    unsafe {
        let taken = check(libc::syscall(libc::SYS_pidfd_getfd, owner.as_raw_fd(), descriptor, 0))?;
        Ok(OwnedFd::from_raw_fd(taken as libc::c_int))
    }
}

fn process(id: u32, flags: libc::c_uint) -> io::Result<OwnedFd> {
    // SAFETY: plain numbers; the descriptor returned is new and nobody else's.
    unsafe {
        let opened = check(libc::syscall(libc::SYS_pidfd_open, id, flags))?;
        Ok(OwnedFd::from_raw_fd(opened as libc::c_int))
    }
}

pub(super) fn first_thread(thread: u32) -> io::Result<u32> {
    let status = fs::read_to_string(format!("/proc/{thread}/status"))?;
    status
        .lines()
        .find_map(|line| line.strip_prefix("Tgid:")?.trim().parse().ok())
        .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
}

fn inode(file: BorrowedFd<'_>) -> io::Result<u64> {
    // SAFETY: all zeroes is a valid value.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel writes one such structure.
    check_int(unsafe { libc::fstat(file.as_raw_fd(), &raw mut stat) })?;
    Ok(stat.st_ino)
}

/// A number that a socket is set to.
pub(super) fn option(socket: BorrowedFd<'_>, level: libc::c_int, name: libc::c_int) -> io::Result<libc::c_int> {
    let mut value: libc::c_int = 0;
    let mut length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the kernel writes no more than the length of the number.
    check_int(unsafe { libc::getsockopt(socket.as_raw_fd(), level, name, (&raw mut value).cast(), &raw mut length) })?;
    Ok(value)
}
