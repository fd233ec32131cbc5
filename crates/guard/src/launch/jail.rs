//! A jail, as the supervisor holds it.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::{Process, Stdio, stdio};
use crate::door::{Door, Origin};
use crate::error::{LaunchError, Layer};
use crate::given::Given;
use crate::net::{DnsSocket, PacketLog, UnixDiag};
use crate::notify::Notify;
use crate::plan::{Command, Plan};
use crate::protocol::{self, Part, Request, Told};
use crate::rung::Rung;
use crate::spawner::Caller;
use crate::stages::Stage;
use crate::sys::{process, socket};
use crate::view::placeholder::Placeholder;

/// LIMIT: how long a keeper may take to answer. It works for milliseconds; a file system that does not answer
/// (a dead network mount in the view) would hold it forever.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(20);
/// LIMIT: how long a killed jail is waited for, where something is to be tidied up after it.
const DEATH_WAIT_MAX: Duration = Duration::from_secs(2);
/// LIMIT: how long a server inside may take to take a connection from outside.
const DIAL_WAIT_MAX: Duration = Duration::from_secs(5);

/// A jail: commands run in it, one after the other or at once, until it is killed or dropped.
#[derive(Debug)]
pub struct Jail {
    /// How strongly it is held.
    pub rung: Rung,
    /// Where what wants to leave comes in.
    pub doors: Vec<Door>,
    /// For each exposed port: the listener inside, whose connections are to be led to the machine's own port.
    /// Empty in rung B, where the machine's port cannot be told from one inside.
    pub exposed: Vec<(u16, TcpListener)>,
    /// The nameserver's datagrams (rung A).
    pub nameserver: Option<DnsSocket>,
    /// The packets that were dropped (rung A).
    pub packets: Option<PacketLog>,
    /// Whose unix sockets are whose (rung A): for [`crate::supervise::Supervision`].
    pub diag: Option<UnixDiag>,
    /// Whose modes, owners, times and attributes may be changed (rung B; in A the view says): for the same.
    pub given: Given,
    /// How long the steps took.
    pub stages: Vec<Stage>,
    /// Protected paths that are not: in rung B what lies in a writable folder can be changed. Whoever starts a command
    /// that is not to run then, must not.
    pub unprotected: Vec<PathBuf>,
    caller: Caller,
    keeper: OwnedFd,
    control: Arc<OwnedFd>,
    commands: AtomicU64,
    placeholders: Vec<Placeholder>,
}

impl Jail {
    /// Hears from the spawner or the keeper what became of a request.
    pub(super) fn heard(control: OwnedFd, plan: &Plan, placeholders: Vec<Placeholder>) -> Result<Self, LaunchError> {
        let deadline = Instant::now() + ANSWER_WAIT_MAX;
        let (told, with) = answer(control.as_fd(), deadline)?;
        let Told::Ready { parts, stages } = told else { return Err(unexpected(told)) };
        let (mut keeper, mut given) = (None, Given::default());
        let mut jail = Parts::default();
        for (part, fd) in parts.into_iter().zip(with) {
            match part {
                Part::Keeper => keeper = Some(fd),
                Part::Scratch => {
                    given =
                        Given::and_own(&plan.view, fd).map_err(LaunchError::of(Layer::Notify, "hold what is given"))?;
                }
                Part::Proxy | Part::CapturedV4 | Part::CapturedV6 | Part::NameserverTcp => jail.doors.push(door(fd)),
                Part::NameserverUdp => jail.nameserver = Some(DnsSocket::from(fd)),
                Part::Packets => jail.packets = Some(PacketLog::from(fd)),
                Part::UnixDiag => jail.diag = Some(UnixDiag::from(fd)),
            }
        }
        let mut jail = Self {
            rung: plan.rung,
            doors: jail.doors,
            exposed: Vec::new(),
            nameserver: jail.nameserver,
            packets: jail.packets,
            diag: jail.diag,
            given,
            stages,
            unprotected: unprotected(plan),
            caller: Caller::current(),
            keeper: keeper.ok_or(LaunchError::Gone)?,
            control: Arc::new(control),
            commands: AtomicU64::new(0),
            placeholders,
        };
        while plan.rung == Rung::A && jail.exposed.len() < plan.exposed_ports.len() {
            let (told, with) = answer(jail.control.as_fd(), deadline)?;
            let Told::Exposed = told else { return Err(unexpected(told)) };
            let ports = plan.exposed_ports.iter().skip(jail.exposed.len());
            let more: Vec<_> = ports.copied().zip(with.into_iter().map(|fd| door(fd).listener)).collect();
            if more.is_empty() {
                return Err(LaunchError::Gone);
            }
            jail.exposed.extend(more);
        }
        Ok(jail)
    }

    /// Starts a command, and returns when it runs with everything in place. Its notifications must be answered by
    /// somebody ([`crate::supervise::supervise`]): a call that the filter asks about stands still until then.
    ///
    /// # Errors
    /// - [`LaunchError::Command`]: it could not be executed.
    /// - [`LaunchError::Plan`]: a descriptor or its folder cannot be had inside.
    /// - otherwise a layer is missing, or the jail is gone.
    pub fn spawn(&self, command: &Command, stdio: Stdio) -> Result<(Process, Notify), LaunchError> {
        let files = match stdio {
            Stdio::Terminal => Vec::new(),
            Stdio::Files { stdin, stdout, stderr } => {
                stdio::admit("stdin", stdin.as_fd())?;
                stdio::admit("stdout", stdout.as_fd())?;
                stdio::admit("stderr", stderr.as_fd())?;
                if self.rung == Rung::A {
                    for file in [&stdin, &stdout, &stderr] {
                        stdio::give(file.as_fd(), self.caller);
                    }
                }
                vec![stdin, stdout, stderr]
            }
        };
        let id = self.commands.fetch_add(1, Ordering::Relaxed);
        let body = protocol::body(command).map_err(LaunchError::spawner)?;
        let (ours, theirs) = crate::sys::fd::packet_pair().map_err(LaunchError::spawner)?;
        let mut with: Vec<BorrowedFd<'_>> = vec![body.as_fd(), theirs.as_fd()];
        with.extend(files.iter().map(|file| file.as_fd()));
        let request = Request::Spawn { id, terminal: files.is_empty() };
        protocol::tell(self.control.as_fd(), &request, &with).map_err(|_| LaunchError::Gone)?;
        drop((theirs, files));

        let deadline = Instant::now() + ANSWER_WAIT_MAX;
        let (told, with) = answer(ours.as_fd(), deadline)?;
        let Told::Filtered { stages } = told else { return Err(unexpected(told)) };
        let mut with = with.into_iter();
        let notify = with.next().map(Notify::new).ok_or(LaunchError::Gone)?;
        let terminal = with.next();
        let (told, _) = answer(ours.as_fd(), deadline)?;
        let Told::Started = told else { return Err(unexpected(told)) };
        Ok((Process::new(id, ours, Arc::clone(&self.control), terminal, stages), notify))
    }

    /// Connects to a port that a command inside serves on its loopback (rung A).
    ///
    /// # Errors
    /// Nobody serves it, or the jail is gone.
    pub fn dial(&self, port: u16) -> io::Result<TcpStream> {
        let (ours, theirs) = crate::sys::fd::packet_pair()?;
        protocol::tell(self.control.as_fd(), &Request::Socket, &[theirs.as_fd()])?;
        drop(theirs);
        match answer(ours.as_fd(), Instant::now() + ANSWER_WAIT_MAX) {
            Ok((Told::Made, with)) => {
                let [inside] = protocol::exactly(with)?;
                socket::connect(inside, SocketAddrV4::new(Ipv4Addr::LOCALHOST, port), DIAL_WAIT_MAX)
            }
            Ok((Told::Failed(failure), _)) => Err(io::Error::other(LaunchError::from(failure))),
            Ok(_) => Err(io::Error::from(io::ErrorKind::InvalidData)),
            Err(_) => Err(io::Error::from(io::ErrorKind::BrokenPipe)),
        }
    }

    /// Kills everything in it, now. It is no error that nothing lives.
    pub fn kill(&self) {
        if self.rung == Rung::A {
            // The first process of its namespace: the kernel kills all others with it.
            let _ = process::signal_handle(self.keeper.as_fd(), libc::SIGKILL);
        }
        // In rung B the keeper has to live to kill the others: this tells it.
        let _ = socket::shut(self.control.as_fd());
    }

    /// Whether its keeper lives; with it dies everything else.
    #[must_use]
    pub fn lives(&self) -> bool {
        !ready(self.keeper.as_fd(), Duration::ZERO)
    }
}

/// Readable once its keeper is dead, and everything else with it.
impl AsFd for Jail {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.keeper.as_fd()
    }
}

impl Drop for Jail {
    fn drop(&mut self) {
        self.kill();
        if !self.placeholders.is_empty() {
            // Taken away while somebody lives inside, a placeholder would protect nothing.
            ready(self.keeper.as_fd(), DEATH_WAIT_MAX);
        }
    }
}

#[derive(Default)]
struct Parts {
    doors: Vec<Door>,
    nameserver: Option<DnsSocket>,
    packets: Option<PacketLog>,
    diag: Option<UnixDiag>,
}

fn unprotected(plan: &Plan) -> Vec<PathBuf> {
    let changeable = |path: &&PathBuf| plan.view.writable.iter().any(|above| path.starts_with(above));
    match plan.rung {
        Rung::A => Vec::new(),
        Rung::B => plan.view.protected.iter().filter(changeable).cloned().collect(),
    }
}

fn door(fd: OwnedFd) -> Door {
    let listener = TcpListener::from(fd);
    // Made so by the keeper already.
    let _ = listener.set_nonblocking(true);
    Door { listener, origin: Origin::LocalAddress }
}

/// The next thing that is told before the deadline.
fn answer(from: BorrowedFd<'_>, deadline: Instant) -> Result<(Told, Vec<OwnedFd>), LaunchError> {
    if !ready(from, deadline.saturating_duration_since(Instant::now())) {
        return Err(LaunchError::Gone);
    }
    match protocol::hear(from) {
        Ok(Some((Told::Failed(failure), _))) => Err(failure.into()),
        Ok(Some(told)) => Ok(told),
        Ok(None) | Err(_) => Err(LaunchError::Gone),
    }
}

fn ready(fd: BorrowedFd<'_>, at_most: Duration) -> bool {
    let deadline = Instant::now() + at_most;
    loop {
        let mut watched = [process::readable(fd)];
        let left = deadline.saturating_duration_since(Instant::now());
        if process::wait_for(&mut watched, Some(left)).is_err() {
            return false;
        }
        if watched.iter().any(|one| one.revents != 0) {
            return true;
        }
        if left.is_zero() {
            return false;
        }
    }
}

fn unexpected(told: Told) -> LaunchError {
    match told {
        Told::Failed(failure) => failure.into(),
        _ => LaunchError::Layer {
            layer: Layer::Spawner,
            what: "answer".to_owned(),
            error: io::Error::from_raw_os_error(libc::EPROTO),
        },
    }
}
