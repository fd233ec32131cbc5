//! The line on which the kernel asks what is to become of a call, while the thread that made it stands still.

use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};

use crate::sys::{check, check_int};

/// Where the questions of one filter come out. Closing it fails all of them, and all to come.
#[derive(Debug)]
pub struct Notify(OwnedFd);

/// A call that stands still.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    /// What it is answered by.
    pub(crate) id: u64,
    /// The thread that made it, as seen from here.
    pub(crate) thread: u32,
    /// Its number; what that means depends on [`Call::arch`].
    pub(crate) number: u32,
    /// The instruction set it was made with.
    pub(crate) arch: u32,
    /// Its arguments, as registers.
    pub(crate) args: [u64; 6],
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It returns this.
    Returns(i64),
    /// It fails with this number.
    Fails(libc::c_int),
    /// It is made. Never where what it does depends on memory or on what a descriptor is: both may have
    /// changed since they were looked at.
    Continues,
}

impl Notify {
    /// The descriptor that [`install`](crate::filter::install) gave.
    #[must_use]
    pub const fn new(listener: OwnedFd) -> Self {
        Self(listener)
    }

    /// Asks the kernel to wake whoever is being answered on this processor, at once. An old kernel cannot.
    pub(crate) fn wake_at_once(&self) {
        const SYNC_WAKE_UP: libc::c_ulong = 1;
        // SAFETY: the argument is a plain number.
        unsafe { libc::ioctl(self.0.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SET_FLAGS, SYNC_WAKE_UP) };
    }

    /// The next call, if it still stands. To be called when there is something to read; waits else.
    ///
    /// # Errors
    /// What the kernel says; nothing can be asked any more.
    pub(crate) fn receive(&self) -> io::Result<Option<Call>> {
        // SAFETY: it is made of numbers, and the kernel wants it to be zero.
        let mut asked: libc::seccomp_notif = unsafe { std::mem::zeroed() };
        // SAFETY: the kernel writes one such structure, whose size was compared (`understood`).
        let returned = unsafe { libc::ioctl(self.0.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut asked) };
        match check_int(returned) {
            Ok(_) => Ok(Some(Call {
                id: asked.id,
                thread: asked.pid,
                number: asked.data.nr as u32,
                arch: asked.data.arch,
                args: asked.data.args,
            })),
            Err(error) if matches!(error.raw_os_error(), Some(libc::EINTR | libc::ENOENT)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether the call still stands: what was read of its thread until now was its own.
    pub(crate) fn stands(&self, call: &Call) -> bool {
        // SAFETY: the kernel reads one number that lives until the call returns.
        unsafe { libc::ioctl(self.0.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_ID_VALID, &raw const call.id) == 0 }
    }

    /// Answers. `false` when nobody waits for it any more.
    ///
    /// # Errors
    /// What the kernel says; nothing can be answered any more.
    pub(crate) fn answer(&self, id: u64, answer: Answer) -> io::Result<bool> {
        let (val, error, flags) = match answer {
            Answer::Returns(value) => (value, 0, 0),
            Answer::Fails(number) => (0, number.saturating_neg(), 0),
            Answer::Continues => (0, 0, libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32),
        };
        let mut response = libc::seccomp_notif_resp { id, val, error, flags };
        // SAFETY: the kernel reads one such structure, whose size was compared (`understood`).
        let returned = unsafe { libc::ioctl(self.0.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, &raw mut response) };
        match check_int(returned) {
            Ok(_) => Ok(true),
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Answers with a descriptor: the file is opened there as well, and its number is what the call returns.
    ///
    /// # Errors
    /// What the kernel says: `ENOENT` when nobody waits any more, `EMFILE` when there is no number left. The
    /// call still stands, but for `ENOENT`.
    pub(crate) fn answer_with(&self, call: &Call, file: BorrowedFd<'_>, close_on_exec: bool) -> io::Result<()> {
        let add = libc::seccomp_notif_addfd {
            id: call.id,
            flags: libc::SECCOMP_ADDFD_FLAG_SEND as u32,
            srcfd: file.as_raw_fd() as u32,
            newfd: 0,
            newfd_flags: if close_on_exec { libc::O_CLOEXEC as u32 } else { 0 },
        };
        // SAFETY: the kernel reads one such structure, and the descriptor in it is open.
        check_int(unsafe { libc::ioctl(self.0.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_ADDFD, &raw const add) }).map(drop)
    }
}

impl AsFd for Notify {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Whether this kernel's questions and answers are laid out as here: a newer one may ask at more length.
pub(crate) fn understood() -> bool {
    let mut sizes = libc::seccomp_notif_sizes { seccomp_notif: 0, seccomp_notif_resp: 0, seccomp_data: 0 };
    // SAFETY: the kernel writes one such structure, made of three numbers.
    let returned = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_GET_NOTIF_SIZES, 0, &raw mut sizes) };
    check(returned).is_ok()
        && usize::from(sizes.seccomp_notif) == size_of::<libc::seccomp_notif>()
        && usize::from(sizes.seccomp_notif_resp) == size_of::<libc::seccomp_notif_resp>()
        && usize::from(sizes.seccomp_data) == size_of::<libc::seccomp_data>()
}
