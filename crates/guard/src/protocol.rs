//! What the supervisor, the spawner and the keeper tell each other.
//!
//! A message is one packet of JSON with descriptors. What may be long (a plan, a command) travels in a file in memory
//! that comes along, so that no buffer of a socket limits it. Nobody but these three ever writes to these sockets: a
//! command has none of them open.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, FromRawFd as _, OwnedFd};
use std::os::unix::fs::FileExt as _;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{LaunchError, Layer};
use crate::plan::{Exit, Plan};
use crate::stages::Stage;
use crate::sys::{check_int, fd};

/// LIMIT: the longest message itself, in bytes: reasons of errors are cut.
const PACKET_MAX: usize = 16 * 1024;
/// LIMIT: the longest plan or command, in bytes.
const BODY_MAX: u64 = 64 * 1024 * 1024;

/// The supervisor to the keeper of a jail.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    /// Run a command. With: the command, where to tell of it, and, but for a terminal, its descriptors 0 to 2.
    Spawn {
        /// How it is called later.
        id: u64,
        /// Whether it gets a terminal.
        terminal: bool,
    },
    /// Signal a command's group.
    Signal {
        /// Which.
        id: u64,
        /// The signal.
        signal: i32,
    },
    /// Make a TCP socket inside. With: where to send it.
    Socket,
}

/// The keeper, or the spawner before there is one, to the supervisor.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Told {
    /// The jail is there. With: descriptors in this order.
    Ready {
        /// What they are.
        parts: Vec<Part>,
        /// How long it took.
        stages: Vec<Stage>,
    },
    /// More of its exposed listeners.
    Exposed,
    /// There will be no jail, no command, or no socket.
    Failed(Failure),
    /// The command has its filter. With: the notifications, and the terminal when it has one.
    Filtered {
        /// How long it took.
        stages: Vec<Stage>,
    },
    /// The command runs.
    Started,
    /// The command has ended.
    Ended(Exit),
    /// A socket that was made inside is with this.
    Made,
}

/// A descriptor of a jail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Part {
    /// The keeper itself.
    Keeper,
    /// The folder that is the call's own (rung B).
    Scratch,
    /// The proxy's listener.
    Proxy,
    /// What was captured, IPv4.
    CapturedV4,
    /// What was captured, IPv6.
    CapturedV6,
    /// The nameserver's datagrams.
    NameserverUdp,
    /// The nameserver's connections.
    NameserverTcp,
    /// The packet log.
    Packets,
    /// Whose unix sockets are whose.
    UnixDiag,
}

/// A [`LaunchError`] on its way.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Failure {
    /// A layer.
    Layer {
        /// Which.
        layer: Layer,
        /// What was being done.
        what: String,
        /// What the kernel said.
        errno: i32,
    },
    /// The plan.
    Plan(String),
    /// The command.
    Command {
        /// The first word.
        command: String,
        /// What the kernel said.
        errno: i32,
    },
}

impl From<&LaunchError> for Failure {
    fn from(error: &LaunchError) -> Self {
        let errno = |error: &io::Error| error.raw_os_error().unwrap_or(libc::EIO);
        match error {
            LaunchError::Layer { layer, what, error } => {
                Self::Layer { layer: *layer, what: short(what), errno: errno(error) }
            }
            LaunchError::Plan(reason) => Self::Plan(short(reason)),
            LaunchError::Command { command, error } => Self::Command { command: short(command), errno: errno(error) },
            LaunchError::Gone => Self::Layer { layer: Layer::Spawner, what: "answer".into(), errno: libc::EPIPE },
        }
    }
}

impl From<Failure> for LaunchError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Layer { layer, what, errno } => {
                Self::Layer { layer, what, error: io::Error::from_raw_os_error(errno) }
            }
            Failure::Plan(reason) => Self::Plan(reason),
            Failure::Command { command, errno } => {
                Self::Command { command, error: io::Error::from_raw_os_error(errno) }
            }
        }
    }
}

fn short(text: &str) -> String {
    text.chars().take(500).collect()
}

/// Tells one thing.
///
/// # Errors
/// The other end is gone.
pub(crate) fn tell<T: Serialize>(to: BorrowedFd<'_>, message: &T, with: &[BorrowedFd<'_>]) -> io::Result<()> {
    fd::send(to, &serde_json::to_vec(message)?, with)
}

/// Hears one thing; `None` when the other end is gone.
///
/// # Errors
/// It is not a message, or what the kernel says.
pub(crate) fn hear<T: DeserializeOwned>(from: BorrowedFd<'_>) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
    let mut buffer = [0; PACKET_MAX];
    let Some((length, with)) = fd::receive(from, &mut buffer)? else { return Ok(None) };
    let message = serde_json::from_slice(buffer.get(..length).unwrap_or_default())?;
    Ok(Some((message, with)))
}

/// Something long, in a file in memory.
///
/// # Errors
/// No memory.
pub(crate) fn body<T: Serialize>(value: &T) -> io::Result<OwnedFd> {
    let mut file = memory()?;
    file.write_all(&serde_json::to_vec(value)?)?;
    Ok(file.into())
}

/// What [`body`] was made of.
///
/// # Errors
/// It is too long, or not that.
pub(crate) fn read_body<T: DeserializeOwned>(fd: OwnedFd) -> io::Result<T> {
    Ok(serde_json::from_slice(&contents(fd)?)?)
}

/// A plan in a file in memory: its files' contents follow it as they are.
///
/// # Errors
/// No memory.
pub(crate) fn plan_body(plan: &Plan) -> io::Result<OwnedFd> {
    let mut bare = plan.clone();
    let contents: Vec<Vec<u8>> = bare.view.files.iter_mut().map(|(_, content)| std::mem::take(content)).collect();
    let lengths: Vec<usize> = contents.iter().map(Vec::len).collect();
    let head = serde_json::to_vec(&(bare, lengths))?;
    let mut file = memory()?;
    file.write_all(&(head.len() as u64).to_le_bytes())?;
    file.write_all(&head)?;
    for content in &contents {
        file.write_all(content)?;
    }
    Ok(file.into())
}

/// What [`plan_body`] was made of.
///
/// # Errors
/// It is too long, or not that.
pub(crate) fn read_plan(fd: OwnedFd) -> io::Result<Plan> {
    let bad = || io::Error::from(io::ErrorKind::InvalidData);
    let bytes = contents(fd)?;
    let (length, rest) = bytes.split_first_chunk::<8>().ok_or_else(bad)?;
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| bad())?;
    let (head, mut rest) = rest.split_at_checked(length).ok_or_else(bad)?;
    let (mut plan, lengths): (Plan, Vec<usize>) = serde_json::from_slice(head)?;
    for ((_, content), length) in plan.view.files.iter_mut().zip(lengths) {
        let (mine, others) = rest.split_at_checked(length).ok_or_else(bad)?;
        *content = mine.to_vec();
        rest = others;
    }
    Ok(plan)
}

fn memory() -> io::Result<File> {
    // SAFETY: a string that ends in zero; the descriptor is new and ours.
    Ok(unsafe { File::from_raw_fd(check_int(libc::memfd_create(c"exeat".as_ptr(), libc::MFD_CLOEXEC))?) })
}

fn contents(fd: OwnedFd) -> io::Result<Vec<u8>> {
    let mut file = File::from(fd);
    let length = file.seek(SeekFrom::End(0))?;
    if length > BODY_MAX {
        return Err(io::Error::from(io::ErrorKind::InvalidData));
    }
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}

/// The first of the descriptors that came, or none of them is worth anything.
///
/// # Errors
/// There are fewer than `N`.
pub(crate) fn exactly<const N: usize>(with: Vec<OwnedFd>) -> io::Result<[OwnedFd; N]> {
    with.try_into().map_err(|_| io::Error::from(io::ErrorKind::InvalidData))
}

/// Tells of a failure, if anybody still listens.
pub(crate) fn tell_failure(to: &OwnedFd, error: &LaunchError) {
    // Nobody there: then nobody waits for it.
    let _ = tell(to.as_fd(), &Told::Failed(Failure::from(error)), &[]);
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::plan::{Limits, View};
    use crate::rung::Rung;

    #[test]
    fn a_long_plan_arrives_as_it_was() -> io::Result<()> {
        let files = vec![(PathBuf::from("/etc/a"), vec![7; 3_000_000]), (PathBuf::from("/etc/b"), Vec::new())];
        let plan = Plan {
            rung: Rung::A,
            view: View { files, ..View::default() },
            limits: Limits::default(),
            exposed_ports: vec![5432],
            host_name: "inside".into(),
        };
        assert_eq!(read_plan(plan_body(&plan)?)?, plan);
        Ok(())
    }

    #[test]
    fn a_cut_plan_is_refused() -> io::Result<()> {
        let mut file = memory()?;
        file.write_all(&9_u64.to_le_bytes())?;
        assert!(read_plan(file.into()).is_err());
        Ok(())
    }
}
