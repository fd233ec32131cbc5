//! Unix sockets: those of the jail may be connected to, those of the machine not, wherever they lie.
//!
//! A path is opened as the tool sees it, once; what was opened is looked at and connected to, so it does not
//! matter what the path leads to later. Whether its socket belongs to the jail, the kernel says
//! ([`UnixDiag`](crate::net::UnixDiag)). A name without a file is looked up in the network of the socket itself,
//! which is the jail's own in rung A.
//!
//! In rung B there is no network of its own. There the jail's are those that the supervisor saw being bound
//! ([`Supervisor::bind`]): the kernel says which socket is behind a file. (Names without a file are nobody's
//! there: they could change hands between the look and the connection.)
//!
//! LIMIT: a server that asks who is at the other end (`SO_PEERCRED`) is told the supervisor, which is what connected.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::mem::offset_of;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use super::connect::{Dial, connect, errno};
use super::descriptor::Socket;
use super::{Outcome, Stepped, Supervisor};
use crate::attempt::{Attempt, Destination, Seen};
use crate::notify::Call;
use crate::rung::Rung;
use crate::sys::{c_path, check, check_int};
use crate::weaken;

/// Where the name begins, in an address.
const NAME: usize = offset_of!(libc::sockaddr_un, sun_path);
/// How often a path is looked up that changes while it is.
const LOOKUPS: usize = 16;

/// Whose a socket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    Jail,
    Machine,
    /// Nobody is behind it: a file that its server left, a name that nobody has.
    Nobody,
}

impl Supervisor {
    /// `connect` of a unix socket. Where the socket itself cannot be had it is only found out what to tell.
    pub(super) fn connect_unix(
        &mut self,
        call: &Call,
        socket: impl Into<Option<Socket>>,
        to: &[u8],
    ) -> Stepped<Outcome> {
        let name = to.get(NAME..).unwrap_or_default();
        if !is_unix(to) || name.is_empty() {
            return Ok(Outcome::fails(libc::EINVAL));
        }
        if name.first() == Some(&0) {
            return self.connect_name(call, socket.into(), to, name);
        }
        let path = name.split(|byte| *byte == 0).next().unwrap_or_default();
        self.connect_path(call, socket.into(), path)
    }

    fn connect_path(&mut self, call: &Call, socket: Option<Socket>, path: &[u8]) -> Stepped<Outcome> {
        let opened = open(call.thread, path);
        if !self.notify.stands(call) {
            return Ok(Outcome::Settled);
        }
        let opened = match opened {
            Ok(opened) => opened,
            Err(error) if error.raw_os_error() == Some(libc::ELOOP) => return Err(self.refuse_unreadable()),
            Err(error) => {
                self.tell(Seen::notice(towards(Destination::HostSocket)).at(path))?;
                return Ok(Outcome::fails(errno(&error)));
            }
        };
        let to = address(format!("/proc/self/fd/{}", opened.as_raw_fd()).as_bytes());
        let owner = if weaken::asked("skip_unix_guard") { Owner::Jail } else { self.owner(&opened, &to) };
        match (owner, socket) {
            (Owner::Jail, Some(socket)) => Ok(self.dial(call, Dial { socket, to, through: Some(opened) })),
            (Owner::Nobody, _) => {
                self.tell(Seen::notice(towards(Destination::HostSocket)).at(path))?;
                Ok(Outcome::fails(libc::ECONNREFUSED))
            }
            // Its own, but with no copy of the socket to connect there is no way to it.
            (Owner::Jail, None) => {
                self.tell(Seen::notice(towards(Destination::HostSocket)).at(path))?;
                Ok(Outcome::fails(libc::EACCES))
            }
            (Owner::Machine, _) => {
                self.tell(Seen::violation(towards(Destination::HostSocket)).at(path))?;
                Ok(Outcome::fails(libc::EACCES))
            }
        }
    }

    fn connect_name(&mut self, call: &Call, socket: Option<Socket>, to: &[u8], name: &[u8]) -> Stepped<Outcome> {
        if let (Rung::A, Some(socket)) = (self.rung, socket) {
            let outcome = self.dial(call, Dial { socket, to: to.to_vec(), through: None });
            if outcome != Outcome::fails(libc::ECONNREFUSED) {
                return Ok(outcome);
            }
        }
        let attempt = towards(Destination::AbstractSocket);
        let (seen, errno) = match who_has(name) {
            Ok(None) => (Seen::notice(attempt), libc::ECONNREFUSED),
            Ok(Some(socket)) if self.own.has_unix(socket) => (Seen::notice(attempt), libc::EACCES),
            _ => (Seen::violation(attempt), libc::EACCES),
        };
        self.tell(seen.at(name))?;
        Ok(Outcome::fails(errno))
    }

    /// Whose the socket is that was opened; `to` is its address from here.
    fn owner(&self, opened: &OwnedFd, to: &[u8]) -> Owner {
        let Ok(about) = about(opened.as_fd()) else { return Owner::Machine };
        if !about.file_type().is_socket() {
            return Owner::Nobody;
        }
        let bound = self.diag.as_ref().and_then(|diag| diag.bound(about.dev(), about.ino()).ok().flatten());
        let ours = match self.rung {
            Rung::A => bound.is_some(),
            Rung::B => bound.is_some_and(|socket| self.own.has_unix(socket)),
        };
        if ours {
            Owner::Jail
        } else if is_anybody_behind(to) {
            Owner::Machine
        } else {
            Owner::Nobody
        }
    }
}

const fn towards(destination: Destination) -> Attempt {
    Attempt { op: "connect", family: "unix", protocol: "none", destination, port: None }
}

/// Whether an address is of a unix socket.
pub(super) fn is_unix(address: &[u8]) -> bool {
    address.first_chunk().is_some_and(|family| libc::c_int::from(u16::from_ne_bytes(*family)) == libc::AF_UNIX)
}

/// The address of a path, as the kernel takes it.
fn address(path: &[u8]) -> Vec<u8> {
    let mut address = Vec::from((libc::AF_UNIX as libc::sa_family_t).to_ne_bytes());
    address.extend(path);
    address.push(0);
    address
}

/// Whether somebody has bound a socket there, as seen from here. Found out without anybody noticing: a socket
/// of the wrong kind is refused before it reaches the one that is asked for, and a datagram socket may be
/// connected without its end hearing of it.
fn is_anybody_behind(to: &[u8]) -> bool {
    let feeler = match datagram_socket() {
        Ok(feeler) => feeler,
        Err(_) => return true,
    };
    let refused = connect(feeler.as_fd(), to).err().map(|error| errno(&error));
    refused != Some(libc::ECONNREFUSED)
}

/// The lower half of the inode of the socket that has this name without a file, on the network that the calling
/// process is in. The kernel's list shows each zero byte of a name as `@`.
fn who_has(name: &[u8]) -> io::Result<Option<u32>> {
    let shown: Vec<u8> = name.iter().map(|byte| if *byte == 0 { b'@' } else { *byte }).collect();
    let list = fs::read("/proc/self/net/unix")?;
    let socket = list.split(|byte| *byte == b'\n').find_map(|line| {
        let (inode, path) = named(line)?;
        (path == shown).then_some(inode)
    });
    Ok(socket)
}

/// A line of the list that has a name: address, references, protocol, flags, type, state, inode, name.
fn named(line: &[u8]) -> Option<(u32, &[u8])> {
    const BEFORE_INODE: usize = 6;
    let mut rest = line;
    for _ in 0..BEFORE_INODE {
        rest = after_word(rest)?.1;
    }
    let (inode, rest) = after_word(rest)?;
    let inode: u64 = std::str::from_utf8(inode).ok()?.parse().ok()?;
    Some(((inode & 0xffff_ffff) as u32, rest.get(1..)?))
}

/// The first word of a line, and what follows.
fn after_word(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let line = line.get(line.iter().position(|byte| *byte != b' ')?..)?;
    line.split_at_checked(line.iter().position(|byte| *byte == b' ').unwrap_or(line.len()))
}

fn datagram_socket() -> io::Result<OwnedFd> {
    // SAFETY: plain numbers; the descriptor returned is new and nobody else's.
    unsafe {
        let socket = check_int(libc::socket(libc::AF_UNIX, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0))?;
        Ok(OwnedFd::from_raw_fd(socket))
    }
}

fn about(opened: BorrowedFd<'_>) -> io::Result<fs::Metadata> {
    File::from(opened.try_clone_to_owned()?).metadata()
}

/// Opens what a path is to a thread: from its root, never above it.
///
/// # Errors
/// What the kernel says; `ELOOP` when the path leads through links that the kernel makes up (`/proc/self/root`):
/// they lead elsewhere for us.
fn open(thread: u32, path: &[u8]) -> io::Result<OwnedFd> {
    let path = Path::new(OsStr::from_bytes(path));
    let absolute: PathBuf =
        if path.is_absolute() { path.to_path_buf() } else { fs::read_link(format!("/proc/{thread}/cwd"))?.join(path) };
    let inside = PathBuf::from(std::ffi::OsString::from_vec(
        absolute.as_os_str().as_bytes().iter().copied().skip_while(|byte| *byte == b'/').collect(),
    ));
    if inside.starts_with("proc") {
        return Err(io::Error::from_raw_os_error(libc::ELOOP));
    }
    let inside = if inside.as_os_str().is_empty() { PathBuf::from(".") } else { inside };
    let root = plain_open(&PathBuf::from(format!("/proc/{thread}/root")))?;
    let name = c_path(&inside)?;
    // SAFETY: all zeroes is a valid value.
    let mut how: libc::open_how = unsafe { std::mem::zeroed() };
    how.flags = (libc::O_PATH | libc::O_CLOEXEC) as u64;
    how.resolve = libc::RESOLVE_IN_ROOT | libc::RESOLVE_NO_MAGICLINKS;
    for _ in 0..LOOKUPS {
        // SAFETY: the name and the structure live until the call returns; the descriptor is nobody else's.
        let opened = unsafe {
            check(libc::syscall(
                libc::SYS_openat2,
                root.as_raw_fd(),
                name.as_ptr(),
                &raw const how,
                size_of::<libc::open_how>(),
            ))
            .map(|opened| OwnedFd::from_raw_fd(opened as libc::c_int))
        };
        match opened {
            Err(error) if matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EINTR)) => {}
            other => return other,
        }
    }
    Err(io::Error::from_raw_os_error(libc::ENOENT))
}

fn plain_open(path: &Path) -> io::Result<OwnedFd> {
    let path = c_path(path)?;
    // SAFETY: the path lives until the call returns; the descriptor is nobody else's.
    unsafe {
        let opened = check_int(libc::open(path.as_ptr(), libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC))?;
        Ok(OwnedFd::from_raw_fd(opened))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::{UnixDatagram, UnixListener};

    use super::*;

    #[test]
    fn feels_who_is_behind_a_file_without_being_noticed() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let stream = folder.path().join("stream");
        let listener = UnixListener::bind(&stream)?;
        listener.set_nonblocking(true)?;
        let datagram = folder.path().join("datagram");
        let receiver = UnixDatagram::bind(&datagram)?;
        receiver.set_nonblocking(true)?;
        let left = folder.path().join("left");
        drop(UnixListener::bind(&left)?);
        let file = folder.path().join("file");
        fs::write(&file, "")?;
        for (path, want) in [(&stream, true), (&datagram, true), (&left, false), (&file, false)] {
            assert_eq!(is_anybody_behind(&address(path.as_os_str().as_bytes())), want, "{}", path.display());
        }
        assert_eq!(listener.accept().map(drop).map_err(|error| error.kind()), Err(io::ErrorKind::WouldBlock));
        let nothing = receiver.recv(&mut [0]).map_err(|error| error.kind());
        assert_eq!(nothing, Err(io::ErrorKind::WouldBlock));
        Ok(())
    }

    #[test]
    fn knows_the_names_that_are_taken() -> io::Result<()> {
        use std::os::linux::net::SocketAddrExt as _;
        let name = format!("guard-taken-{}\0more", std::process::id());
        let taken = [&[0], name.as_bytes()].concat();
        assert_eq!(who_has(&taken)?, None);
        let address = std::os::unix::net::SocketAddr::from_abstract_name(name.as_bytes())?;
        let listener = UnixListener::bind_addr(&address)?;
        let inode = Socket::new(listener.as_fd().try_clone_to_owned()?)?.inode;
        assert_eq!(who_has(&taken)?.map(u64::from), Some(inode & 0xffff_ffff));
        assert_eq!(who_has(taken.get(..taken.len() - 1).unwrap_or_default())?, None, "only the whole name");
        drop(listener);
        assert_eq!(who_has(&taken)?, None);
        Ok(())
    }

    #[test]
    fn a_path_is_what_it_is_to_the_one_who_names_it() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("file");
        fs::write(&file, "")?;
        let me = std::process::id();
        let opened = open(me, file.as_os_str().as_bytes())?;
        assert_eq!(about(opened.as_fd())?.ino(), fs::metadata(&file)?.ino());
        assert!(open(me, b"/").is_ok());
        assert!(open(me, b".").is_ok());
        let link = format!("/proc/self/fd/{}", opened.as_raw_fd());
        let refused = open(me, link.as_bytes()).map(drop).map_err(|error| error.raw_os_error());
        assert_eq!(refused, Err(Some(libc::ELOOP)), "no links that the kernel makes up");
        let missing = open(me, b"/nowhere/to/be/found").map(drop).map_err(|error| error.raw_os_error());
        assert_eq!(missing, Err(Some(libc::ENOENT)));
        Ok(())
    }
}
