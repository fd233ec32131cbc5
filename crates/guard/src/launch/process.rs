//! A command that runs, as the supervisor holds it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::plan::{Exit, WindowSize};
use crate::protocol::{self, Request, Told};
use crate::stages::Stage;
use crate::terminal;

/// A command that runs. Dropping it neither ends it nor waits for it: its jail does.
#[derive(Debug)]
pub struct Process {
    /// The other end of its terminal, when it has one.
    pub terminal: Option<OwnedFd>,
    /// How long the steps of its start took.
    pub stages: Vec<Stage>,
    id: u64,
    /// Where the keeper tells how it ended.
    told: OwnedFd,
    control: Arc<OwnedFd>,
    /// Set once it is known; the lock is held while it is waited for.
    exit: OnceLock<Exit>,
    waiting: Mutex<()>,
}

impl Process {
    pub(super) fn new(
        id: u64,
        told: OwnedFd,
        control: Arc<OwnedFd>,
        terminal: Option<OwnedFd>,
        stages: Vec<Stage>,
    ) -> Self {
        Self { terminal, stages, id, told, control, exit: OnceLock::new(), waiting: Mutex::new(()) }
    }

    /// Waits until it has ended, and says how; the same as often as it is asked.
    pub fn wait(&self) -> Exit {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let exit = *self.exit.get_or_init(|| match protocol::hear::<Told>(self.told.as_fd()) {
            Ok(Some((Told::Ended(exit), _))) => exit,
            // The keeper is gone, and with it everything it kept.
            _ => Exit::Killed,
        });
        drop(waiting);
        exit
    }

    /// Signals its group of processes. That it has ended meanwhile is no error.
    ///
    /// # Errors
    /// The jail is gone.
    pub fn signal(&self, signal: i32) -> io::Result<()> {
        protocol::tell(self.control.as_fd(), &Request::Signal { id: self.id, signal }, &[])
    }

    /// Tells its terminal a new size; whoever is in the foreground there hears of it.
    ///
    /// # Errors
    /// It has no terminal.
    pub fn resize(&self, size: WindowSize) -> io::Result<()> {
        let terminal = self.terminal.as_ref().ok_or(io::ErrorKind::NotFound)?;
        terminal::resize(terminal.as_fd(), size)
    }
}

/// Readable when it has ended: [`Process::wait`] then returns at once.
impl AsFd for Process {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.told.as_fd()
    }
}
