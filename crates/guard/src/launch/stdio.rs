//! What a command has as its descriptors 0 to 2.
//!
//! A descriptor is a right that no layer takes back: a connected socket is a way out, a folder is a way to every
//! file below it, a device is whatever it is. So only what carries bytes and nothing else is passed in.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};

use crate::error::LaunchError;
use crate::spawner::Caller;
use crate::sys::process;

/// A command's descriptors 0 to 2.
#[derive(Debug)]
pub enum Stdio {
    /// These: pipes, files, terminals, `/dev/null`.
    Files {
        /// Read from.
        stdin: OwnedFd,
        /// Written to.
        stdout: OwnedFd,
        /// Written to.
        stderr: OwnedFd,
    },
    /// A terminal made inside, of the size that the command names; its other end is [`super::Process::terminal`].
    Terminal,
}

impl Stdio {
    /// Nothing to read; what is written is lost.
    ///
    /// # Errors
    /// There is no `/dev/null`.
    pub fn null() -> io::Result<Self> {
        let open = || File::options().read(true).write(true).open("/dev/null").map(OwnedFd::from);
        Ok(Self::Files { stdin: open()?, stdout: open()?, stderr: open()? })
    }

    /// The very descriptors 0 to 2 of this process.
    ///
    /// # Errors
    /// One of them is closed.
    pub fn inherit() -> io::Result<Self> {
        let stdin = process::copy_above(io::stdin().as_fd(), 3)?;
        let stdout = process::copy_above(io::stdout().as_fd(), 3)?;
        let stderr = process::copy_above(io::stderr().as_fd(), 3)?;
        Ok(Self::Files { stdin, stdout, stderr })
    }
}

/// Whether a descriptor may be passed in.
///
/// # Errors
/// [`LaunchError::Plan`], with the reason.
pub(crate) fn admit(name: &str, fd: BorrowedFd<'_>) -> Result<(), LaunchError> {
    let refused =
        |what: &str| Err(LaunchError::Plan(format!("{name} is {what}, which a guarded command does not get")));
    let metadata = match fd.try_clone_to_owned().and_then(|copy| File::from(copy).metadata()) {
        Ok(metadata) => metadata,
        Err(error) => return Err(LaunchError::Plan(format!("{name}: {error}"))),
    };
    let kind = metadata.file_type();
    if kind.is_socket() {
        refused("a socket")
    } else if kind.is_dir() {
        refused("a folder")
    } else if kind.is_symlink() {
        refused("a link")
    } else if kind.is_block_device() || (kind.is_char_device() && !harmless(fd, metadata.rdev())) {
        refused("a device")
    } else if kind.is_file() || kind.is_fifo() || kind.is_char_device() {
        Ok(())
    } else {
        // No kind at all: what the kernel makes for events, timers, processes, filters.
        refused("no file")
    }
}

/// Makes a pipe that root made its command's, who is nobody: `/dev/stdout` and `/dev/stderr` open it anew, for which
/// it has to be one's own. What has a name in the file system stays whose it is.
pub(crate) fn give(fd: BorrowedFd<'_>, caller: Caller) {
    const PIPES: libc::c_long = 0x5049_5045;
    if caller != Caller::Root {
        return;
    }
    let (uid, gid) = caller.inside();
    // SAFETY: all zeroes is a valid value of numbers, which the call writes while it lives; the other takes numbers.
    unsafe {
        let mut system: libc::statfs = std::mem::zeroed();
        if libc::fstatfs(fd.as_raw_fd(), &raw mut system) == 0 && system.f_type as libc::c_long == PIPES {
            // Were it refused, only these two names would not work.
            libc::fchown(fd.as_raw_fd(), uid, gid);
        }
    }
}

/// Whether a character device does nothing but carry bytes: the memory devices that everybody may use, or a terminal.
fn harmless(fd: BorrowedFd<'_>, device: u64) -> bool {
    let memory = libc::major(device) == 1 && matches!(libc::minor(device), 3 | 5 | 7 | 8 | 9);
    memory || io::IsTerminal::is_terminal(&fd)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_carries_bytes_is_admitted() -> Result<(), Box<dyn std::error::Error>> {
        let (pipe, _other) = io::pipe()?;
        let socket = std::net::TcpListener::bind("127.0.0.1:0")?;
        let (unix, _peer) = std::os::unix::net::UnixStream::pair()?;
        let folder = File::open("/")?;
        for (name, fd, admitted) in [
            ("null", OwnedFd::from(File::open("/dev/null")?), true),
            ("pipe", pipe.into(), true),
            ("file", tempfile::tempfile()?.into(), true),
            ("tcp socket", socket.into(), false),
            ("unix socket", unix.into(), false),
            ("folder", folder.into(), false),
            ("handle on a process", process::own_handle()?, false),
        ] {
            assert_eq!(admit(name, fd.as_fd()).is_ok(), admitted, "{name}");
        }
        Ok(())
    }
}
