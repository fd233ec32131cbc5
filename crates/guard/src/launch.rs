//! The supervisor's side: asks the spawner for jails, and their keepers for commands.
//!
//! All of it blocks for a few milliseconds at most and may be called from any thread. A [`Jail`] and a [`Process`] are
//! held by descriptors: when this process ends, however it ends, they are closed, and what hangs on them dies.

mod jail;
mod process;
mod stdio;

pub use jail::Jail;
pub use process::Process;
pub use stdio::Stdio;

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio as ChildStdio};
use std::sync::{Arc, Mutex, PoisonError};

use crate::door::{Door, Origin, Redirects};
use crate::error::{LaunchError, Layer};
use crate::plan::Plan;
use crate::protocol::{self, Told};
use crate::rung::Rung;
use crate::spawner::{self, Early};
use crate::sys::process::Made;
use crate::sys::{self, fd};
use crate::view::placeholder;

/// A handle on the one process that starts jails. When the last one is dropped, that process ends.
#[derive(Debug, Clone)]
pub struct Launcher(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    program: PathBuf,
    spawner: Mutex<Arc<Spawner>>,
}

/// The process, and the socket it serves.
#[derive(Debug)]
struct Spawner {
    socket: Option<OwnedFd>,
    process: Mutex<Kind>,
}

/// How it was made.
#[derive(Debug)]
enum Kind {
    /// As this program again.
    Executed(Child),
    /// As a copy of this process when that had done nothing yet.
    Copied(Made),
}

impl Launcher {
    /// Starts the spawner: this very program again, with one thread and an empty environment; or takes the one that
    /// [`spawner::prepare_if_asked`] made.
    ///
    /// The program must call [`spawner::run_if_asked`] before anything else.
    ///
    /// # Errors
    /// It could not be started, or does not answer.
    pub fn start() -> Result<Self, LaunchError> {
        let program = Path::new("/proc/self/exe");
        match spawner::take_early().map(Spawner::adopt) {
            Some(Ok(spawner)) => Ok(Self::with(program, spawner)),
            Some(Err(_)) | None => Self::start_with(program),
        }
    }

    /// The same with another program that calls [`spawner::run_if_asked`]: for tests and benches.
    ///
    /// # Errors
    /// It could not be started, or does not answer.
    pub fn start_with(program: &Path) -> Result<Self, LaunchError> {
        Ok(Self::with(program, Spawner::start(program).map_err(LaunchError::spawner)?))
    }

    fn with(program: &Path, spawner: Spawner) -> Self {
        let spawner = Mutex::new(Arc::new(spawner));
        Self(Arc::new(Inner { program: program.to_owned(), spawner }))
    }

    /// The process id of the spawner, for whoever shows what runs.
    #[must_use]
    pub fn spawner_id(&self) -> u32 {
        let spawner = self.0.spawner.lock().unwrap_or_else(PoisonError::into_inner);
        spawner.process.lock().unwrap_or_else(PoisonError::into_inner).id()
    }

    /// The program that was started as the spawner.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.0.program
    }

    /// Makes a jail with nothing in it but its keeper.
    ///
    /// # Errors
    /// See [`LaunchError`]. Nothing is left of it.
    pub fn launch(&self, plan: &Plan) -> Result<Jail, LaunchError> {
        let placeholders = match plan.rung {
            Rung::A => placeholder::put(&plan.view)?,
            Rung::B => Vec::new(),
        };
        let body = protocol::plan_body(plan).map_err(LaunchError::spawner)?;
        let (control, keepers) = fd::packet_pair().map_err(LaunchError::spawner)?;
        self.ask(&[body.as_fd(), keepers.as_fd()])?;
        // Only the keeper holds its end from here on: its death is heard.
        drop(keepers);
        let mut jail = Jail::heard(control, plan, placeholders)?;
        if plan.rung == Rung::B {
            jail.doors = noted_doors().map_err(LaunchError::of(Layer::SocketInjection, "listen"))?;
        }
        Ok(jail)
    }

    /// Sends a request; a spawner that is gone is replaced once.
    fn ask(&self, with: &[std::os::fd::BorrowedFd<'_>]) -> Result<(), LaunchError> {
        let current = Arc::clone(&self.0.spawner.lock().unwrap_or_else(PoisonError::into_inner));
        if current.ask(with).is_ok() {
            return Ok(());
        }
        let mut place = self.0.spawner.lock().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(&place, &current) {
            *place = Arc::new(Spawner::start(&self.0.program).map_err(LaunchError::spawner)?);
        }
        let next = Arc::clone(&place);
        drop(place);
        next.ask(with).map_err(|_| LaunchError::Gone)
    }
}

impl Spawner {
    fn start(program: &Path) -> io::Result<Self> {
        let (ours, theirs) = fd::packet_pair()?;
        let mut command = std::process::Command::new(program);
        command.arg(spawner::ARGUMENT).env_clear();
        #[cfg(feature = "weaken")]
        if let Some(names) = std::env::var_os("EXEAT_WEAKEN") {
            command.env("EXEAT_WEAKEN", names);
        }
        command.stdin(ChildStdio::from(theirs)).stdout(ChildStdio::null()).stderr(ChildStdio::null());
        let process = command.spawn()?;
        // The command holds the other end until it is dropped: it would hide that the spawner died.
        drop(command);
        Self::answering(ours, Kind::Executed(process))
    }

    /// One that was made early.
    fn adopt(early: Early) -> io::Result<Self> {
        Self::answering(early.socket, Kind::Copied(early.process))
    }

    fn answering(socket: OwnedFd, process: Kind) -> io::Result<Self> {
        let spawner = Self { socket: Some(socket), process: Mutex::new(process) };
        match spawner.socket.as_ref().map(|socket| protocol::hear::<Told>(socket.as_fd())) {
            Some(Ok(Some((Told::Started, _)))) => Ok(spawner),
            _ => Err(io::Error::from(io::ErrorKind::BrokenPipe)),
        }
    }

    fn ask(&self, with: &[std::os::fd::BorrowedFd<'_>]) -> io::Result<()> {
        let socket = self.socket.as_ref().ok_or(io::ErrorKind::BrokenPipe)?;
        fd::send(socket.as_fd(), b"jail", with)
    }
}

impl Drop for Spawner {
    fn drop(&mut self) {
        // It ends when its socket does; waiting for it leaves no dead process behind.
        drop(self.socket.take());
        self.process.get_mut().unwrap_or_else(PoisonError::into_inner).wait();
    }
}

impl Kind {
    fn id(&self) -> u32 {
        match self {
            Self::Executed(child) => child.id(),
            Self::Copied(made) => u32::try_from(made.pid).unwrap_or(0),
        }
    }

    /// Waits for its end.
    fn wait(&mut self) {
        match self {
            Self::Executed(child) => {
                let _ = child.wait();
            }
            Self::Copied(made) => sys::process::wait_for_end(made.pid),
        }
    }
}

/// Where the supervisor leads what it connects for a call of rung B. They listen on the machine's loopback: whoever
/// else finds them has noted nothing, and is dropped unread.
fn noted_doors() -> io::Result<Vec<Door>> {
    let redirects = Arc::new(Redirects::default());
    let mut doors = Vec::new();
    for address in [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), SocketAddr::from((Ipv6Addr::LOCALHOST, 0))] {
        let listener = match TcpListener::bind(address) {
            // A machine without IPv6 has nothing to lead there.
            Err(_) if address.is_ipv6() => continue,
            bound => bound?,
        };
        listener.set_nonblocking(true)?;
        doors.push(Door { listener, origin: Origin::Noted(Arc::clone(&redirects)) });
    }
    Ok(doors)
}
