//! Something empty where a protected path is not there yet: what is not there cannot be protected.
//!
//! `.git/hooks` or `.envrc` are executed later, by people, outside; a tool that could make one would have its way out
//! then. A mount needs something to lie on, so the supervisor (with its caller's own rights) makes an empty file or
//! folder there, and takes it away when the last jail that needs it is gone: each holds a lock on it. What another
//! process died with is recognised (an odd mode, nothing in it) and taken away by the next.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::error::{LaunchError, Layer};
use crate::plan::View;
use crate::sys::mount::{self, Links};
use crate::sys::{c_path, check_int};

/// The modes that placeholders have and nothing else: nobody sets a sticky bit on a file that cannot be written.
const FILE_MODE: u32 = 0o1444;
const FOLDER_MODE: u32 = 0o1555;

/// An empty file or folder that is ours.
#[derive(Debug)]
pub(crate) struct Placeholder {
    /// The folder it is in, and its name there.
    folder: OwnedFd,
    name: PathBuf,
    /// Itself, with a lock that others share.
    itself: OwnedFd,
}

/// Makes placeholders for protected paths that are not there, in writable folders, where their folder is.
///
/// # Errors
/// One could not be made: what it stands for could not be protected.
pub(crate) fn put(view: &View) -> Result<Vec<Placeholder>, LaunchError> {
    let mut placeholders = Vec::new();
    for path in &view.protected {
        let Some(writable) =
            view.writable.iter().filter(|above| path.starts_with(above)).max_by_key(|w| w.as_os_str().len())
        else {
            continue;
        };
        match put_one(writable, path) {
            Ok(placeholder) => placeholders.extend(placeholder),
            Err(error) => {
                let what = format!("keep the place of {}", path.display());
                return Err(LaunchError::Layer { layer: Layer::MountView, what, error });
            }
        }
    }
    Ok(placeholders)
}

fn put_one(writable: &Path, path: &Path) -> io::Result<Option<Placeholder>> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Ok(None) };
    let root = File::open("/")?;
    let Ok(inside) = parent.strip_prefix(writable) else { return Ok(None) };
    let within = mount::place(root.as_fd(), &relative(writable)?, Links::Inside)?;
    // Below the writable folder no link is followed: those who write there could lead us anywhere.
    let inside = if inside.as_os_str().is_empty() { Path::new(".") } else { inside };
    let flags = libc::O_RDONLY | libc::O_DIRECTORY;
    let folder = match mount::open_below(within.as_fd(), &c_path(inside)?, flags, 0, Links::Refuse) {
        Ok(folder) => folder,
        // No folder that it would be in: then it is not made by making one file.
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR | libc::ELOOP)) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let name = PathBuf::from(name);
    let made = make(folder.as_fd(), &name);
    match made {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        // The caller could not make it, so nobody inside can.
        Err(error) if matches!(error.raw_os_error(), Some(libc::EACCES | libc::EROFS)) => return Ok(None),
        Err(error) => return Err(error),
    }
    let flags = libc::O_RDONLY | libc::O_NONBLOCK | libc::O_NOFOLLOW;
    let itself = match mount::open_below(folder.as_fd(), &c_path(&name)?, flags, 0, Links::Refuse) {
        Ok(itself) => itself,
        // Something real that cannot be opened; it is there, and that is enough.
        Err(_) => return Ok(None),
    };
    if !is_placeholder(&itself)? {
        return Ok(None);
    }
    lock(itself.as_fd(), libc::LOCK_SH)?;
    Ok(Some(Placeholder { folder, name, itself }))
}

/// A folder where the name is one of a folder, as far as names tell.
fn make(folder: BorrowedFd<'_>, name: &Path) -> io::Result<()> {
    let named = c_path(name)?;
    let is_folder = matches!(name.to_str(), Some("hooks" | ".vscode" | ".idea" | ".git" | ".devcontainer" | ".husky"));
    if is_folder {
        // SAFETY: a string that ends in zero and outlives the call.
        check_int(unsafe { libc::mkdirat(folder.as_raw_fd(), named.as_ptr(), 0o555) })?;
    } else {
        let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL;
        mount::open_below(folder, &named, flags, 0o444, Links::Refuse)?;
    }
    let mode = if is_folder { FOLDER_MODE } else { FILE_MODE };
    // SAFETY: a string that ends in zero and outlives the call.
    check_int(unsafe { libc::fchmodat(folder.as_raw_fd(), named.as_ptr(), mode, 0) }).map(drop)
}

fn is_placeholder(itself: &OwnedFd) -> io::Result<bool> {
    let metadata = File::from(itself.try_clone()?).metadata()?;
    let mode = metadata.mode() & 0o7777;
    Ok((metadata.is_file() && mode == FILE_MODE && metadata.len() == 0) || (metadata.is_dir() && mode == FOLDER_MODE))
}

fn lock(file: BorrowedFd<'_>, how: libc::c_int) -> io::Result<()> {
    // SAFETY: takes numbers.
    check_int(unsafe { libc::flock(file.as_raw_fd(), how | libc::LOCK_NB) }).map(drop)
}

fn relative(path: &Path) -> io::Result<std::ffi::CString> {
    c_path(path.strip_prefix("/").unwrap_or(path))
}

impl Drop for Placeholder {
    fn drop(&mut self) {
        // Another jail still needs it, or it is no longer what was made: it stays.
        if lock(self.itself.as_fd(), libc::LOCK_EX).is_err() || !is_placeholder(&self.itself).unwrap_or(false) {
            return;
        }
        let Ok(name) = c_path(&self.name) else { return };
        let is_folder = File::from(match self.itself.try_clone() {
            Ok(copy) => copy,
            Err(_) => return,
        })
        .metadata()
        .is_ok_and(|metadata| metadata.is_dir());
        let flags = if is_folder { libc::AT_REMOVEDIR } else { 0 };
        // SAFETY: a string that ends in zero and outlives the call. A folder with something in it is not removed.
        unsafe { libc::unlinkat(self.folder.as_raw_fd(), name.as_ptr(), flags) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_held_while_it_is_needed() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let top = folder.path().canonicalize()?;
        std::fs::create_dir(top.join(".git"))?;
        std::fs::write(top.join(".git/config"), "real")?;
        std::fs::create_dir(top.join("empty"))?;
        let view = View {
            writable: vec![top.clone()],
            protected: [".git/hooks", ".git/config", ".envrc", "not/there", "empty"].map(|path| top.join(path)).into(),
            ..View::default()
        };
        let first = put(&view)?;
        let second = put(&view)?;
        assert_eq!((first.len(), second.len()), (2, 2));
        drop(first);
        assert!(top.join(".git/hooks").is_dir() && top.join(".envrc").is_file(), "still needed");
        drop(second);
        assert!(!top.join(".git/hooks").exists() && !top.join(".envrc").exists(), "left behind");
        assert!(top.join("empty").is_dir() && top.join(".git/config").is_file(), "real things stay");
        Ok(())
    }
}
