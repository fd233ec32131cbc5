//! Ids of a call that root starts: it runs as nobody, and yet works in root's folders as their owner.
//!
//! A mount can show the owners of its files through a user namespace. Ours maps what root owns to nobody and back, so
//! that inside, root's folders belong to the one who runs there, while a file made inside is root's outside. Everybody
//! else's files keep their owners, and so the permissions that others have on them.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use super::NOBODY;
use crate::sys::process;

/// The namespace that shows root's files as nobody's; made when it is first needed.
#[derive(Debug, Default)]
pub(crate) struct Identities(Option<OwnedFd>);

impl Identities {
    /// See [`Identities`].
    ///
    /// # Errors
    /// No user namespace may be made, or its ids not be mapped.
    pub(crate) fn namespace(&mut self) -> io::Result<BorrowedFd<'_>> {
        let made = match self.0.take() {
            Some(made) => made,
            None => make()?,
        };
        let held: &OwnedFd = self.0.insert(made);
        Ok(held.as_fd())
    }
}

/// Writes the maps of a process that is alone in a new user namespace.
///
/// # Errors
/// What the kernel says.
pub(super) fn map(pid: libc::pid_t, lines: &str) -> io::Result<()> {
    let write = |name: &str, text: &str| {
        File::options().write(true).open(format!("/proc/{pid}/{name}"))?.write_all(text.as_bytes())
    };
    write("setgroups", "deny")?;
    write("uid_map", lines)?;
    write("gid_map", lines)
}

fn make() -> io::Result<OwnedFd> {
    // Everybody is themselves but root and nobody, as far as there are others where this process lives.
    let before = NOBODY - 1;
    let after = NOBODY + 1;
    let rest = u32::MAX - after;
    let everybody = format!("0 {NOBODY} 1\n1 1 {before}\n{after} {after} {rest}");
    let few = format!("0 {NOBODY} 1\n1 1 {before}");
    let root = format!("0 {NOBODY} 1");
    let mut last = io::Error::from(io::ErrorKind::Unsupported);
    for lines in [everybody, few, root] {
        match with_lines(&lines) {
            Ok(namespace) => return Ok(namespace),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn with_lines(lines: &str) -> io::Result<OwnedFd> {
    // SAFETY: the spawner has one thread.
    let Some(made) = (unsafe { process::clone(libc::CLONE_NEWUSER) })? else {
        // Only there to be in the namespace until it is held by a descriptor.
        loop {
            let _ = process::wait_for(&mut [], None);
        }
    };
    let namespace = map(made.pid, lines).and_then(|()| File::open(format!("/proc/{}/ns/user", made.pid)));
    process::signal_handle(made.handle.as_fd(), libc::SIGKILL)?;
    Ok(namespace?.into())
}
