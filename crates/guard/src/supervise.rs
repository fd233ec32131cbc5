//! Answers the calls that the [filter](crate::filter) asks about, one after the other, on a thread of its own.
//!
//! A filter sees registers. Where a call means what lies in memory, or what a descriptor is, the call is never
//! let go on after a look: another thread of the tool could change either in between. The supervisor takes a
//! copy of the memory and of the descriptor, and does with the copies what it decided on.
//!
//! | call | rung A | rung B |
//! |---|---|---|
//! | `connect`, internet | made: its end is the gate ([`net`](crate::net)) | made, to the gate's door, after noting where it wanted to go |
//! | `connect`, unix | made when the other end is inside | made when the other end was seen being bound |
//! | `socket`, TCP | not asked | made here and handed in |
//! | `bind`, `listen` | not asked | made, on loopback only |
//! | modes, owners, times, attributes of files | not asked | made, where it was given to be written |
//! | limits and priorities of other processes | not asked | refused |
//! | what leads out | told, refused | told, refused |
//!
//! # Invariants
//! 1. What was tried is told to the witness before the call has its answer.
//! 2. What cannot be looked at is refused and told (`unreadable_call`).
//! 3. Whatever was read of a thread counts only if its call still stands afterwards: else its number may by then
//!    be another's.
//! 4. When this thread ends for any reason but that nobody is left, the tree is killed.

mod address;
mod change;
mod connect;
mod descriptor;
mod files;
mod inet;
mod memory;
mod others;
pub(crate) mod own;
mod peer;
mod rare;
mod unix;

use std::net::{SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::sync::Arc;

use crate::attempt::{Seen, Unrecorded, Witness};
use crate::door::Redirects;
use crate::filter::{self, calls, sockets::Kind};
use crate::given::Given;
use crate::net::UnixDiag;
use crate::notify::{self, Answer, Call, Notify};
use crate::rung::Rung;
use crate::sys;

/// What the calls of one filter are answered by.
pub struct Supervision {
    /// How the call is held.
    pub rung: Rung,
    /// Knows the unix sockets inside (rung A; in B the machine's own list is asked). Without it there is none.
    pub diag: Option<UnixDiag>,
    /// The gate's doors on the loopback that is shared (rung B), and where it is noted who comes for what.
    /// Without it nothing is connected there.
    pub redirects: Option<(Arc<Redirects>, SocketAddrV4, Option<SocketAddrV6>)>,
    /// Ports of the machine's loopback that may be connected to (rung B; in A they are listeners inside).
    pub exposed: Vec<u16>,
    /// Whose modes, owners, times and attributes may be changed (rung B; in A they are not asked about).
    pub given: Given,
    /// Who is told.
    pub witness: Arc<dyn Witness>,
    /// Kills the tree.
    pub kill: Box<dyn Fn() + Send>,
}

impl std::fmt::Debug for Supervision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Supervision").field("rung", &self.rung).field("exposed", &self.exposed).finish_non_exhaustive()
    }
}

/// Answers until nobody is left who could ask. Blocks; a panic, or an attempt that cannot be recorded, kills
/// the tree.
pub fn supervise(notify: Notify, with: Supervision) {
    let Supervision { rung, diag, redirects, exposed, given, witness, kill } = with;
    if !notify::understood() {
        kill();
        return;
    }
    notify.wake_at_once();
    let mut supervisor = Supervisor {
        rung,
        diag: diag.or_else(|| (rung == Rung::B).then(UnixDiag::here)?.ok()),
        own: redirects.as_ref().map_or_else(Arc::default, |(shared, ..)| shared.own()),
        door: redirects.map(|(redirects, v4, v6)| inet::Door { redirects, v4, v6 }),
        exposed,
        given,
        witness,
        held: descriptor::Held::for_this_machine(&notify),
        waiting: connect::Waiting::default(),
        peers: peer::Peers::default(),
        notify,
    };
    // Dropped before the supervisor: whoever waits for an answer is dead before the line to it closes.
    let mut tree = Tree { kill, over: false };
    while supervisor.turn() == Turn::Again {}
    tree.over = supervisor.is_alone();
}

/// Kills the tree when it is dropped before its time.
struct Tree {
    kill: Box<dyn Fn() + Send>,
    over: bool,
}

impl Drop for Tree {
    fn drop(&mut self) {
        if !self.over {
            (self.kill)();
        }
    }
}

struct Supervisor {
    notify: Notify,
    rung: Rung,
    diag: Option<UnixDiag>,
    door: Option<inet::Door>,
    exposed: Vec<u16>,
    given: Given,
    witness: Arc<dyn Witness>,
    held: descriptor::Held,
    waiting: connect::Waiting,
    own: Arc<own::Own>,
    peers: peer::Peers,
}

/// Whether there is more to come.
#[derive(Debug, PartialEq, Eq)]
enum Turn {
    Again,
    Last,
}

/// What was decided about a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// It is to be answered.
    Answer(Answer),
    /// It returns 0: the socket with this inode is connected.
    Connected(u64),
    /// It was answered already, or nobody waits for it.
    Settled,
    /// It is answered when the socket it waits for is ready.
    Later,
}

/// Why looking further into a call makes no sense.
#[derive(Debug)]
enum Early {
    /// It is decided.
    Decided(Outcome),
    /// It cannot be recorded, so nothing more happens.
    Unrecorded,
}

type Stepped<T> = Result<T, Early>;

impl From<Unrecorded> for Early {
    fn from(_: Unrecorded) -> Self {
        Self::Unrecorded
    }
}

impl Early {
    const fn fails(errno: libc::c_int) -> Self {
        Self::Decided(Outcome::fails(errno))
    }
}

impl Outcome {
    const fn fails(errno: libc::c_int) -> Self {
        Self::Answer(Answer::Fails(errno))
    }

    const fn returns(value: i64) -> Self {
        Self::Answer(Answer::Returns(value))
    }

    /// Whether the call fails, for good.
    const fn failed(self) -> bool {
        matches!(self, Self::Answer(Answer::Fails(errno)) if errno != libc::EINPROGRESS)
    }
}

impl Supervisor {
    /// Waits for something to happen, and sees to it.
    fn turn(&mut self) -> Turn {
        let mut polled = vec![libc::pollfd { fd: self.notify.as_fd().as_raw_fd(), events: libc::POLLIN, revents: 0 }];
        polled.extend(self.waiting.polled());
        // SAFETY: the descriptors are open, and the kernel writes no more than there are.
        let ready = sys::check_int(unsafe {
            libc::poll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, self.waiting.patience())
        });
        if let Err(error) = ready {
            return if error.kind() == std::io::ErrorKind::Interrupted { Turn::Again } else { Turn::Last };
        }
        for (call, outcome) in self.waiting.settle(&self.notify) {
            if self.settle(&call, outcome) == Turn::Last {
                return Turn::Last;
            }
        }
        let events = polled.first().map_or(0, |polled| polled.revents);
        if events & libc::POLLIN == 0 {
            return if events == 0 { Turn::Again } else { Turn::Last };
        }
        match self.notify.receive() {
            Ok(None) => Turn::Again,
            Ok(Some(call)) => match self.decide(&call) {
                Ok(outcome) | Err(Early::Decided(outcome)) => self.settle(&call, outcome),
                Err(Early::Unrecorded) => Turn::Last,
            },
            Err(_) => Turn::Last,
        }
    }

    /// Gives the answer.
    fn settle(&mut self, call: &Call, outcome: Outcome) -> Turn {
        let (answer, connected) = match outcome {
            Outcome::Answer(answer) => (answer, None),
            Outcome::Connected(inode) => (Answer::Returns(0), Some(inode)),
            Outcome::Settled | Outcome::Later => return Turn::Again,
        };
        match (self.notify.answer(call.id, answer), connected) {
            // A signal took the question back; when it is asked again, it is done already.
            (Ok(false), Some(inode)) => self.waiting.unheard(inode),
            (Ok(_), _) => {}
            (Err(_), _) => return Turn::Last,
        }
        Turn::Again
    }

    fn decide(&mut self, call: &Call) -> Stepped<Outcome> {
        if call.arch != filter::ARCH || call.number >= filter::NUMBERS_END {
            return self.refuse(&calls::FOREIGN);
        }
        let kind = Kind::of(call.args);
        match libc::c_long::from(call.number) {
            libc::SYS_socket if self.rung == Rung::B && kind.is_tcp() => self.make_socket(call, kind),
            libc::SYS_socket | libc::SYS_socketpair => self.refuse_socket(kind),
            libc::SYS_connect => self.connect(call),
            libc::SYS_bind => self.bind(call),
            libc::SYS_listen => self.listen(call),
            libc::SYS_getpeername => self.peer_name(call),
            libc::SYS_sendto | libc::SYS_sendmsg | libc::SYS_sendmmsg => self.refuse_fast_open(call),
            libc::SYS_setpriority | libc::SYS_ioprio_set => self.about_a_process(call),
            number if calls::OF_A_PROCESS.contains(&number) => self.about_a_process(call),
            _ if self.rung == Rung::B && files::are_changed_by(call) => self.change(call),
            _ => self.refuse(&calls::find(call.number)),
        }
    }

    /// Tells the witness, and waits until it is recorded.
    fn tell(&self, seen: Seen) -> Stepped<()> {
        Ok(self.witness.saw(seen)?)
    }

    /// Whether nobody is left under the filter.
    fn is_alone(&self) -> bool {
        let mut polled = libc::pollfd { fd: self.notify.as_fd().as_raw_fd(), events: 0, revents: 0 };
        // SAFETY: one descriptor, which is open.
        let ready = unsafe { libc::poll(&raw mut polled, 1, 0) };
        ready == 1 && polled.revents & libc::POLLHUP != 0
    }
}
