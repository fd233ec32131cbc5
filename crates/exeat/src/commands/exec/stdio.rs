//! The first three descriptors of a command.
//!
//! With a terminal on all three the command gets one of its own, made inside, and this process relays. Otherwise
//! files, pipes and devices that are no terminal are handed over as they are. A terminal or a socket is never
//! handed over: whoever holds one can do more with it than read and write, so it is relayed by a pipe. A folder
//! is refused.

use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::thread::JoinHandle;

use confine::{Stdio, WindowSize};
use rustix::fs::FileType;

use crate::failure::Failure;

/// How one descriptor is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Given {
    AsItIs,
    ByPipe,
}

/// What a descriptor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    kind: FileType,
    terminal: bool,
}

fn seen(fd: BorrowedFd<'_>) -> io::Result<Seen> {
    Ok(Seen { kind: FileType::from_raw_mode(rustix::fs::fstat(fd)?.st_mode), terminal: fd.is_terminal() })
}

fn decide(name: &str, seen: Seen) -> Result<Given, Failure> {
    match seen.kind {
        FileType::Directory => {
            Err(Failure::usage(format!("{name} is a folder, which is not handed over")).next("redirect it from a file"))
        }
        FileType::Socket => Ok(Given::ByPipe),
        _ if seen.terminal => Ok(Given::ByPipe),
        _ => Ok(Given::AsItIs),
    }
}

/// The size of the terminal that a command's own is to have; `None` when it gets none.
pub(super) fn terminal() -> Option<WindowSize> {
    let all = io::stdin().is_terminal() && io::stdout().is_terminal() && io::stderr().is_terminal();
    if !all {
        return None;
    }
    Some(size().unwrap_or(WindowSize { rows: 24, columns: 80 }))
}

/// The size of the caller's terminal.
pub(super) fn size() -> Option<WindowSize> {
    let size = rustix::termios::tcgetwinsize(io::stdin()).ok()?;
    Some(WindowSize { rows: size.ws_row, columns: size.ws_col })
}

/// The threads that carry what is relayed.
#[derive(Debug, Default)]
pub(super) struct Relays {
    outward: Vec<JoinHandle<()>>,
}

impl Relays {
    /// Waits until everything that the command wrote is where it was to go. Its processes are dead by now.
    pub(super) fn finish(self) {
        for relay in self.outward {
            let _ = relay.join();
        }
    }
}

/// The descriptors, and what relays them.
///
/// # Errors
/// One that is closed, or a folder.
pub(super) fn files() -> Result<(Stdio, Relays), Failure> {
    let mut relays = Relays::default();
    let (stdin, stdout, stderr) = (io::stdin(), io::stdout(), io::stderr());
    let stdin = inward(stdin.as_fd())?;
    let stdout = outward("standard output", stdout.as_fd(), &mut relays)?;
    let stderr = outward("standard error", stderr.as_fd(), &mut relays)?;
    Ok((Stdio::Files { stdin, stdout, stderr }, relays))
}

fn inward(fd: BorrowedFd<'_>) -> Result<OwnedFd, Failure> {
    let own = fd.try_clone_to_owned()?;
    match decide("standard input", seen(fd)?)? {
        Given::AsItIs => Ok(own),
        Given::ByPipe => {
            let (reader, mut writer) = io::pipe()?;
            let mut from = std::fs::File::from(own);
            // It ends with the input, with the reader, or with this process.
            std::thread::Builder::new().name("stdin".to_owned()).spawn(move || carry(&mut from, &mut writer))?;
            Ok(reader.into())
        }
    }
}

fn outward(name: &str, fd: BorrowedFd<'_>, relays: &mut Relays) -> Result<OwnedFd, Failure> {
    let own = fd.try_clone_to_owned()?;
    match decide(name, seen(fd)?)? {
        Given::AsItIs => Ok(own),
        Given::ByPipe => {
            let (mut reader, writer) = io::pipe()?;
            let mut to = std::fs::File::from(own);
            let relay = std::thread::Builder::new().name(name.to_owned()).spawn(move || carry(&mut reader, &mut to))?;
            relays.outward.push(relay);
            Ok(writer.into())
        }
    }
}

/// Carries bytes until either side has ended.
fn carry(from: &mut impl Read, to: &mut impl Write) {
    let mut room = [0; 32 * 1024];
    loop {
        let read = match from.read(&mut room) {
            Ok(0) => return,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return,
        };
        let Some(bytes) = room.get(..read) else { return };
        if to.write_all(bytes).and_then(|()| to.flush()).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_do_more_than_read_and_write_is_not_handed_over() {
        for (kind, terminal, want) in [
            (FileType::RegularFile, false, Some(Given::AsItIs)),
            (FileType::Fifo, false, Some(Given::AsItIs)),
            (FileType::CharacterDevice, false, Some(Given::AsItIs)),
            (FileType::CharacterDevice, true, Some(Given::ByPipe)),
            (FileType::Socket, false, Some(Given::ByPipe)),
            (FileType::Directory, false, None),
        ] {
            assert_eq!(decide("it", Seen { kind, terminal }).ok(), want, "{kind:?} {terminal}");
        }
    }

    #[test]
    fn a_socket_is_relayed_to_its_last_byte() {
        let (mut ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        let mut relays = Relays::default();
        let inside = outward("it", theirs.as_fd(), &mut relays).unwrap();
        drop(theirs);
        assert_eq!(seen(inside.as_fd()).unwrap().kind, FileType::Fifo);
        std::fs::File::from(inside).write_all(b"the last byte").unwrap();
        relays.finish();
        let mut said = String::new();
        ours.read_to_string(&mut said).unwrap();
        assert_eq!(said, "the last byte");
    }
}
