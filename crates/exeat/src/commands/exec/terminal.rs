//! The caller's terminal, while the command has one of its own: raw, so that every key reaches the inside,
//! and as it was on every way out.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::thread::JoinHandle;

use rustix::fs::OFlags;
use rustix::io::{Errno, read, write};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

/// The terminal in raw mode; as it was when this is dropped.
pub(super) struct Raw {
    before: Termios,
}

impl Raw {
    /// Makes it raw.
    ///
    /// # Errors
    /// It is no terminal.
    pub(super) fn enter() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let raw = Self { before };
        raw.again()?;
        Ok(raw)
    }

    /// Raw again, after the process was stopped.
    pub(super) fn again(&self) -> io::Result<()> {
        let mut raw = self.before.clone();
        raw.make_raw();
        Ok(tcsetattr(io::stdin(), OptionalActions::Drain, &raw)?)
    }

    /// As it was.
    pub(super) fn restore(&self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Drain, &self.before);
    }
}

impl Drop for Raw {
    // One call; when it fails the terminal is gone.
    fn drop(&mut self) {
        self.restore();
    }
}

/// The relay between the two terminals.
pub(super) struct Relay {
    outward: JoinHandle<()>,
}

impl Relay {
    /// Begins it.
    ///
    /// # Errors
    /// No thread can be started.
    pub(super) fn begin(inside: OwnedFd) -> io::Result<Self> {
        let flags = rustix::fs::fcntl_getfl(&inside)?;
        rustix::fs::fcntl_setfl(&inside, flags.difference(OFlags::NONBLOCK))?;
        let keys = inside.try_clone()?;
        // It ends with the process: nobody can be woken from a read of the keyboard.
        std::thread::Builder::new().name("keys".to_owned()).spawn(move || carry(io::stdin().as_fd(), keys.as_fd()))?;
        let screen = move || carry(inside.as_fd(), io::stdout().as_fd());
        let outward = std::thread::Builder::new().name("screen".to_owned()).spawn(screen)?;
        Ok(Self { outward })
    }

    /// Waits until what was written inside is on the screen. Whoever wrote is dead by now.
    pub(super) fn finish(self) {
        let _ = self.outward.join();
    }
}

fn carry(from: std::os::fd::BorrowedFd<'_>, to: std::os::fd::BorrowedFd<'_>) {
    let mut room = [0; 16 * 1024];
    loop {
        let read = match read(from, &mut room) {
            Ok(0) => return,
            Ok(read) => read,
            Err(Errno::INTR) => continue,
            // The other terminal's last user is gone.
            Err(_) => return,
        };
        let Some(mut left) = room.get(..read) else { return };
        while !left.is_empty() {
            match write(to, left) {
                Ok(written) => left = left.get(written..).unwrap_or_default(),
                Err(Errno::INTR) => {}
                Err(_) => return,
            }
        }
    }
}
