//! Terminals: made inside, so that a command never has the one its caller sits at.
//!
//! Whoever has a terminal open can read what is typed there next, and on some kernels type itself; a command gets
//! one of its own, whose other end the supervisor relays.

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};

use crate::plan::WindowSize;
use crate::sys::check_int;

/// The two ends of a terminal.
#[derive(Debug)]
pub(crate) struct Terminal {
    /// The end that is relayed.
    pub(crate) outer: OwnedFd,
    /// The end that a command has.
    pub(crate) inner: OwnedFd,
}

/// Makes a terminal of the file system that this process sees.
pub(crate) fn open(size: Option<WindowSize>) -> io::Result<Terminal> {
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: a string that ends in zero; the descriptor is new and ours.
    let outer = unsafe { OwnedFd::from_raw_fd(check_int(libc::open(c"/dev/ptmx".as_ptr(), flags))?) };
    let unlocked: libc::c_int = 0;
    // SAFETY: reads an int that outlives the call.
    check_int(unsafe { libc::ioctl(outer.as_raw_fd(), libc::TIOCSPTLCK, &raw const unlocked) })?;
    // SAFETY: takes flags by value; the descriptor is new and ours. No path is walked for it.
    let inner = unsafe { OwnedFd::from_raw_fd(check_int(libc::ioctl(outer.as_raw_fd(), libc::TIOCGPTPEER, flags))?) };
    resize(std::os::fd::AsFd::as_fd(&outer), size.unwrap_or(WindowSize { rows: 24, columns: 80 }))?;
    Ok(Terminal { outer, inner })
}

/// Makes this process's session that of the terminal.
pub(crate) fn take_control(inner: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: takes a number: not to steal it from another session.
    check_int(unsafe { libc::ioctl(inner.as_raw_fd(), libc::TIOCSCTTY, 0) }).map(drop)
}

/// Tells a terminal its size; who is in the foreground hears of it.
///
/// # Errors
/// It is no terminal.
pub fn resize(terminal: BorrowedFd<'_>, size: WindowSize) -> io::Result<()> {
    let size = libc::winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: reads a structure that outlives the call.
    check_int(unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) }).map(drop)
}

/// The size of a terminal.
///
/// # Errors
/// It is no terminal.
pub fn size(terminal: BorrowedFd<'_>) -> io::Result<WindowSize> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: writes a structure that outlives the call.
    check_int(unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) })?;
    Ok(WindowSize { rows: size.ws_row, columns: size.ws_col })
}

/// A terminal that passes every key on as it is, until this is dropped: for the caller's own, while it is relayed.
#[derive(Debug)]
pub struct Raw {
    terminal: OwnedFd,
    before: libc::termios,
}

impl Raw {
    /// See [`Raw`].
    ///
    /// # Errors
    /// It is no terminal.
    pub fn enter(terminal: BorrowedFd<'_>) -> io::Result<Self> {
        let terminal = terminal.try_clone_to_owned()?;
        // SAFETY: all zeroes is a valid value; the calls write and read it while it lives.
        unsafe {
            let mut before: libc::termios = std::mem::zeroed();
            check_int(libc::tcgetattr(terminal.as_raw_fd(), &raw mut before))?;
            let mut raw = before;
            libc::cfmakeraw(&raw mut raw);
            check_int(libc::tcsetattr(terminal.as_raw_fd(), libc::TCSADRAIN, &raw const raw))?;
            Ok(Self { terminal, before })
        }
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // SAFETY: a value that the kernel gave, and that lives. A terminal that is gone needs nothing.
        unsafe { libc::tcsetattr(self.terminal.as_raw_fd(), libc::TCSADRAIN, &raw const self.before) };
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;

    use super::*;

    #[test]
    fn a_terminal_knows_its_size_and_its_other_end() -> io::Result<()> {
        let terminal = open(Some(WindowSize { rows: 7, columns: 33 }))?;
        assert_eq!(size(terminal.inner.as_fd())?, WindowSize { rows: 7, columns: 33 });
        resize(terminal.outer.as_fd(), WindowSize { rows: 9, columns: 44 })?;
        assert_eq!(size(terminal.inner.as_fd())?, WindowSize { rows: 9, columns: 44 });
        assert!(resize(std::fs::File::open("/dev/null")?.as_fd(), WindowSize { rows: 1, columns: 1 }).is_err());
        Ok(())
    }
}
