//! Changing what is said of a file: its mode, owners, times and attributes. Done to an open file, whatever it is called.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt as _;

use crate::sys::{check, check_int};

/// A change, with all that it needs: nothing of it is in the memory of who asked any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// Who may do what.
    Mode(libc::mode_t),
    /// Whose it is: a user, a group.
    Owners(libc::uid_t, libc::gid_t),
    /// When it was used and changed; without, now.
    Times(Option<[Time; 2]>),
    /// An attribute gets this value, by these flags.
    Attribute(CString, Vec<u8>, libc::c_int),
    /// An attribute is taken away.
    NoAttribute(CString),
    /// What its file system does with it: a request, and the structure it names.
    Flags(u32, Vec<u8>),
}

/// A time: seconds and nanoseconds, as the kernel takes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Time {
    pub(super) seconds: i64,
    pub(super) nanoseconds: i64,
}

impl Change {
    /// Makes it, with the rights of the calling thread. A link is changed itself.
    ///
    /// # Errors
    /// What the kernel says.
    pub(super) fn make(&self, file: BorrowedFd<'_>) -> io::Result<()> {
        // What is held leads to itself and no further, links too; and unlike the file, its path may be held without
        // being open.
        let path = format!("/proc/self/fd/{}\0", file.as_raw_fd());
        let path = path.as_ptr().cast::<libc::c_char>();
        let made = match self {
            // SAFETY: the path ends in zero and lives until the call returns.
            Self::Mode(mode) => unsafe { libc::chmod(path, *mode) },
            // SAFETY: as above.
            Self::Owners(user, group) => unsafe { libc::chown(path, *user, *group) },
            Self::Times(times) => {
                let times = times.map(|times| {
                    times.map(|time| libc::timespec { tv_sec: time.seconds, tv_nsec: time.nanoseconds as _ })
                });
                let times = times.as_ref().map_or(std::ptr::null(), |times| times.as_ptr());
                // SAFETY: as above; the times are none or two that live as long.
                unsafe { libc::utimensat(libc::AT_FDCWD, path, times, 0) }
            }
            // SAFETY: as above; the value has the length that is given.
            Self::Attribute(name, value, flags) => unsafe {
                libc::setxattr(path, name.as_ptr(), value.as_ptr().cast(), value.len(), *flags)
            },
            // SAFETY: as above.
            Self::NoAttribute(name) => unsafe { libc::removexattr(path, name.as_ptr()) },
            Self::Flags(request, structure) => return flags(file, *request, structure),
        };
        check_int(made).map(drop)
    }
}

/// Asks the file system. Only of files and folders: other things would take it for something else.
fn flags(file: BorrowedFd<'_>, request: u32, structure: &[u8]) -> io::Result<()> {
    let kind = File::from(file.try_clone_to_owned()?).metadata()?.file_type();
    if !kind.is_file() && !kind.is_dir() {
        return Err(io::Error::from_raw_os_error(libc::ENOTTY));
    }
    let opened = open(file)?;
    // A copy with room for what the kernel may read or write beyond what is asked for here.
    let mut words = [0_u64; 16];
    for (word, bytes) in words.iter_mut().zip(structure.chunks(8)) {
        let mut whole = [0; 8];
        whole.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        *word = u64::from_ne_bytes(whole);
    }
    // SAFETY: the structure is longer than those of the requests that are made (`files`), and lives as long.
    check(unsafe { libc::syscall(libc::SYS_ioctl, opened.as_raw_fd(), request, words.as_mut_ptr()) } as i64).map(drop)
}

/// Opens what is held, without waiting for anybody.
fn open(file: BorrowedFd<'_>) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).custom_flags(libc::O_NOCTTY | libc::O_NONBLOCK);
    options.open(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::fd::AsFd as _;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

    use super::*;
    use crate::given::hold;

    #[test]
    fn a_file_is_changed_whatever_it_is_called() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("file");
        fs::write(&file, "")?;
        let held = hold(&file)?;
        fs::rename(&file, folder.path().join("moved"))?;
        let about = || fs::metadata(folder.path().join("moved"));
        Change::Mode(0o640).make(held.as_fd())?;
        assert_eq!(about()?.permissions().mode() & 0o7777, 0o640);
        let day = |day: i64| Time { seconds: day * 86_400, nanoseconds: 5 };
        Change::Times(Some([day(1), day(2)])).make(held.as_fd())?;
        assert_eq!((about()?.atime(), about()?.mtime(), about()?.mtime_nsec()), (86_400, 172_800, 5));
        Change::Times(None).make(held.as_fd())?;
        assert!(about()?.mtime() > 172_800);
        Change::Owners(u32::MAX, about()?.gid()).make(held.as_fd())?;
        let other = folder.path().join("other");
        fs::write(&other, "")?;
        symlink(&other, folder.path().join("link"))?;
        let link = c_hold(&folder.path().join("link"))?;
        let before = fs::metadata(&other)?.ctime_nsec();
        Change::Times(Some([day(3), day(3)])).make(link.as_fd())?;
        assert_eq!(fs::symlink_metadata(folder.path().join("link"))?.mtime(), 3 * 86_400, "the link itself");
        assert_eq!(fs::metadata(&other)?.ctime_nsec(), before);
        let refused = Change::Mode(0o600).make(link.as_fd()).map_err(|error| error.raw_os_error());
        assert_eq!(refused, Err(Some(libc::EOPNOTSUPP)), "links have no mode");
        Ok(())
    }

    /// The link, not what it leads to.
    fn c_hold(path: &std::path::Path) -> io::Result<std::os::fd::OwnedFd> {
        let mut options = fs::File::options();
        options.read(true).custom_flags(libc::O_PATH | libc::O_NOFOLLOW);
        options.open(path).map(std::os::fd::OwnedFd::from)
    }
}
