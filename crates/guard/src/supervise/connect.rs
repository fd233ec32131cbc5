//! Connecting in the tool's place.
//!
//! The socket is shared with the tool, the address is our copy. The supervisor itself never waits: it connects
//! without blocking and, where the tool would block, answers when the socket is ready. (A unix socket whose other
//! end has no room says so at once; it is tried again while the tool waits.)

use std::collections::HashSet;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};

use super::descriptor::Socket;
use super::unix::is_unix;
use super::{Early, Outcome, Stepped, Supervisor};
use crate::notify::{Call, Notify};
use crate::sys::check_int;

/// LIMIT: the longest address, in bytes, as in the kernel.
const ADDRESS_BYTES_MAX: usize = 128;
/// LIMIT: the most calls that wait for a socket at once. What comes then is told to try again.
const WAITING_MAX: usize = 1024;
/// LIMIT: the most sockets remembered as connected without the tool having heard.
const UNHEARD_MAX: usize = 1024;
/// How often a full unix socket is tried again, in ms.
const ROOM_MS: libc::c_int = 5;
/// How often it is looked whether those who wait still do, in ms.
const PATIENCE_MS: libc::c_int = 250;

/// A connection to be made for the tool.
#[derive(Debug)]
pub(super) struct Dial {
    pub(super) socket: Socket,
    /// The address, as the kernel takes it.
    pub(super) to: Vec<u8>,
    /// What `to` leads through.
    #[expect(dead_code, reason = "it has to stay open until the connection is made")]
    pub(super) through: Option<OwnedFd>,
}

/// How far a connection has come.
#[derive(Debug, PartialEq, Eq)]
enum Progress {
    Done,
    /// The socket says when.
    UnderWay,
    /// Nobody says when.
    NoRoom,
    Failed(libc::c_int),
}

#[derive(Debug)]
struct Waiter {
    call: Call,
    dial: Dial,
    writable: bool,
}

/// Calls that wait for a socket.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    waiters: Vec<Waiter>,
    unheard: HashSet<u64>,
}

impl Supervisor {
    /// `connect(socket, address, length)`.
    pub(super) fn connect(&mut self, call: &Call) -> Stepped<Outcome> {
        let socket = self.find(call)?;
        let to = self.address(call)?;
        let Some(socket) = socket else { return self.connect_without_copy(call, &to) };
        match socket.domain {
            libc::AF_UNIX => self.connect_unix(call, socket, &to),
            libc::AF_INET | libc::AF_INET6 => self.connect_inet(call, socket, to),
            // To the kernel, and nobody else.
            libc::AF_NETLINK if to.get(4..12) == Some(&[0; 8]) => {
                Ok(self.dial(call, Dial { socket, to, through: None }))
            }
            _ => Ok(Outcome::fails(libc::EPERM)),
        }
    }

    /// `connect` of a socket that cannot be had: not an internet socket, or one that is connected.
    fn connect_without_copy(&mut self, call: &Call, to: &[u8]) -> Stepped<Outcome> {
        if self.inode(call).is_some_and(|inode| self.peers.wanted(inode).is_some()) {
            Ok(Outcome::fails(libc::EISCONN))
        } else if is_unix(to) {
            self.connect_unix(call, None, to)
        } else {
            Err(self.refuse_unreadable())
        }
    }

    /// A copy of the address that a call's second and third arguments name.
    pub(super) fn address(&self, call: &Call) -> Stepped<Vec<u8>> {
        let [_, address, length, ..] = call.args;
        match usize::try_from(length as libc::c_int) {
            Ok(length) if length <= ADDRESS_BYTES_MAX => self.read(call, address, length),
            _ => Err(Early::fails(libc::EINVAL)),
        }
    }

    /// Connects, or has the call wait until it is connected.
    pub(super) fn dial(&mut self, call: &Call, dial: Dial) -> Outcome {
        let blocks = match blocks(dial.socket.as_fd()) {
            Ok(blocks) => blocks,
            Err(error) => return Outcome::fails(errno(&error)),
        };
        let mut progress = begin(&dial, blocks);
        if progress == Progress::UnderWay && blocks {
            progress = continued(&dial, 0);
        }
        let inode = dial.socket.inode;
        match progress {
            Progress::Done => Outcome::Connected(inode),
            Progress::Failed(libc::EISCONN) if self.waiting.unheard.remove(&inode) => Outcome::Connected(inode),
            Progress::Failed(errno) => Outcome::fails(errno),
            Progress::UnderWay if blocks => self.waiting.wait(call, dial, true),
            Progress::UnderWay => Outcome::fails(libc::EINPROGRESS),
            Progress::NoRoom if blocks => self.waiting.wait(call, dial, false),
            Progress::NoRoom => Outcome::fails(libc::EAGAIN),
        }
    }
}

impl Waiting {
    fn wait(&mut self, call: &Call, dial: Dial, writable: bool) -> Outcome {
        if self.waiters.len() >= WAITING_MAX {
            return Outcome::fails(libc::EAGAIN);
        }
        self.waiters.push(Waiter { call: *call, dial, writable });
        Outcome::Later
    }

    /// Remembers that a socket is connected and the tool was not told so.
    pub(super) fn unheard(&mut self, inode: u64) {
        if self.unheard.len() < UNHEARD_MAX {
            self.unheard.insert(inode);
        }
    }

    /// What to wait for.
    pub(super) fn polled(&self) -> impl Iterator<Item = libc::pollfd> {
        self.waiters.iter().filter(|waiter| waiter.writable).map(|waiter| libc::pollfd {
            fd: waiter.dial.socket.as_fd().as_raw_fd(),
            events: libc::POLLOUT,
            revents: 0,
        })
    }

    /// How long to wait, in ms; negative is for ever.
    pub(super) fn patience(&self) -> libc::c_int {
        if self.waiters.is_empty() {
            -1
        } else if self.waiters.iter().all(|waiter| waiter.writable) {
            PATIENCE_MS
        } else {
            ROOM_MS
        }
    }

    /// Those whose wait is over, and what became of it. Calls that were taken back are forgotten.
    pub(super) fn settle(&mut self, notify: &Notify) -> Vec<(Call, Outcome)> {
        let mut over = Vec::new();
        self.waiters.retain(|waiter| {
            if !notify.stands(&waiter.call) {
                return false;
            }
            let progress = if waiter.writable { continued(&waiter.dial, 0) } else { begin(&waiter.dial, true) };
            let outcome = match progress {
                Progress::Done => Outcome::Connected(waiter.dial.socket.inode),
                Progress::Failed(errno) => Outcome::fails(errno),
                Progress::UnderWay | Progress::NoRoom => return true,
            };
            over.push((waiter.call, outcome));
            false
        });
        over
    }
}

/// Connects without blocking.
fn begin(dial: &Dial, blocks: bool) -> Progress {
    let socket = dial.socket.as_fd();
    if blocks && set_blocking(socket, false).is_err() {
        return Progress::Failed(libc::EBADF);
    }
    let connected = connect(socket, &dial.to);
    if blocks && set_blocking(socket, true).is_err() {
        return Progress::Failed(libc::EBADF);
    }
    match connected.map_err(|error| errno(&error)) {
        Ok(()) => Progress::Done,
        Err(libc::EINPROGRESS) => Progress::UnderWay,
        // Asked again after a signal, or from another thread: where the tool blocks, it waits for the first.
        Err(libc::EALREADY) if blocks => Progress::UnderWay,
        Err(libc::EAGAIN) if dial.socket.domain == libc::AF_UNIX => Progress::NoRoom,
        Err(errno) => Progress::Failed(errno),
    }
}

/// Looks after a connection that is under way, for at most `patience` ms.
fn continued(dial: &Dial, patience: libc::c_int) -> Progress {
    let socket = dial.socket.as_fd();
    let mut polled = libc::pollfd { fd: socket.as_raw_fd(), events: libc::POLLOUT, revents: 0 };
    // SAFETY: one descriptor, which is open.
    if unsafe { libc::poll(&raw mut polled, 1, patience) } != 1 {
        return Progress::UnderWay;
    }
    // The kernel notes how it went, and says so, when it is asked to connect once more.
    match begin(dial, true) {
        Progress::Failed(libc::EISCONN) => Progress::Done,
        other => other,
    }
}

/// Connects a socket to an address as the kernel takes it.
pub(super) fn connect(socket: BorrowedFd<'_>, to: &[u8]) -> io::Result<()> {
    // SAFETY: the kernel reads as many bytes as there are.
    check_int(unsafe { libc::connect(socket.as_raw_fd(), to.as_ptr().cast(), to.len() as libc::socklen_t) }).map(drop)
}

pub(super) fn errno(error: &io::Error) -> libc::c_int {
    error.raw_os_error().unwrap_or(libc::EIO)
}

fn blocks(file: BorrowedFd<'_>) -> io::Result<bool> {
    // SAFETY: plain numbers.
    let flags = check_int(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GETFL) })?;
    Ok(flags & libc::O_NONBLOCK == 0)
}

fn set_blocking(file: BorrowedFd<'_>, blocking: bool) -> io::Result<()> {
    // SAFETY: plain numbers.
    let flags = check_int(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GETFL) })?;
    let flags = if blocking { flags & !libc::O_NONBLOCK } else { flags | libc::O_NONBLOCK };
    // SAFETY: plain numbers.
    check_int(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETFL, flags) }).map(drop)
}
