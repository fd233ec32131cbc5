//! What a call of rung B may change beyond what is in its files: their modes, owners, times, attributes.
//!
//! Landlock has no right for any of that, so the [supervisor](crate::supervise) decides, by the file itself and never
//! by the words it was named with: a file is held by a descriptor, and the kernel says where that lies now. A folder
//! that was given is held the same way, so it stays what it was when it was given, whatever happens to its name.
//!
//! Nobody inside can bring a file of others in: to move or link it they would have to take it from a folder that
//! Landlock lets them write.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::plan::View;
use crate::sys::{c_path, check_int};

/// What the kernel calls memory that is used as a file.
const MEMORY: &[u8] = b"/memfd:";

/// Folders whose files a call may change. Without any, it may change none.
#[derive(Debug, Clone, Default)]
pub struct Given(Arc<Places>);

#[derive(Debug, Default)]
struct Places {
    writable: Vec<OwnedFd>,
    kept: Vec<PathBuf>,
}

/// Where a file lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lies {
    /// Where the call may write.
    Inside,
    /// There too, but it is not to be changed.
    Kept,
    /// Anywhere else.
    Outside,
}

impl Given {
    /// What a view gives.
    ///
    /// # Errors
    /// What was given is not there.
    pub fn of(view: &View) -> io::Result<Self> {
        Self::with(view, Vec::new())
    }

    /// The same, and the call's own folder.
    ///
    /// # Errors
    /// What was given is not there.
    pub(crate) fn and_own(view: &View, scratch: OwnedFd) -> io::Result<Self> {
        Self::with(view, vec![scratch])
    }

    fn with(view: &View, mut writable: Vec<OwnedFd>) -> io::Result<Self> {
        for path in &view.writable {
            writable.push(hold(path)?);
        }
        let kept = view.protected.iter().chain(&view.read_only).cloned().collect();
        Ok(Self(Arc::new(Places { writable, kept })))
    }

    /// Where an open file lies now. The deepest of what was said of a place counts.
    ///
    /// # Errors
    /// The kernel does not say.
    pub(crate) fn place(&self, file: BorrowedFd<'_>) -> io::Result<Lies> {
        let there = whereabouts(file)?;
        if there.as_os_str().as_bytes().starts_with(MEMORY) && is_nameless(file)? {
            return Ok(Lies::Inside);
        }
        let depth = |above: &Path| there.starts_with(above).then(|| above.components().count());
        let inside = self.0.writable.iter().filter_map(|folder| depth(&whereabouts(folder.as_fd()).ok()?)).max();
        let kept = self.0.kept.iter().filter_map(|path| depth(path)).max();
        Ok(match inside {
            None => Lies::Outside,
            // What is given both ways may be written: rules of rung B only add.
            Some(inside) if kept.is_some_and(|kept| kept > inside) => Lies::Kept,
            Some(_) => Lies::Inside,
        })
    }
}

/// Holds what is at a path.
///
/// # Errors
/// What the kernel says.
pub(crate) fn hold(path: &Path) -> io::Result<OwnedFd> {
    let path = c_path(path)?;
    // SAFETY: the path lives until the call returns; the descriptor is nobody else's.
    unsafe {
        let held = check_int(libc::open(path.as_ptr(), libc::O_PATH | libc::O_CLOEXEC))?;
        Ok(OwnedFd::from_raw_fd(held))
    }
}

/// Where an open file lies, as one glance of the kernel's. What was deleted is where it was, under another name; what
/// is out of sight of this process's root does not begin with a slash.
fn whereabouts(file: BorrowedFd<'_>) -> io::Result<PathBuf> {
    let link = format!("/proc/self/fd/{}", file.as_raw_fd());
    let there = std::fs::read_link(link)?.into_os_string().into_vec();
    if there.starts_with(b"/") {
        Ok(PathBuf::from(OsString::from_vec(there)))
    } else {
        // A pipe, a socket: nowhere.
        Ok(PathBuf::new())
    }
}

/// Whether no name leads to it any more.
fn is_nameless(file: BorrowedFd<'_>) -> io::Result<bool> {
    let about = File::from(file.try_clone_to_owned()?).metadata()?;
    Ok(about.is_file() && about.nlink() == 0)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn the_file_counts_and_not_its_name() -> io::Result<()> {
        let top = tempfile::tempdir()?;
        let top = top.path().canonicalize()?;
        for folder in ["given/kept/open", "given/plain", "givenmore", "own"] {
            fs::create_dir_all(top.join(folder))?;
        }
        for file in ["given/file", "given/kept/file", "given/kept/open/file", "givenmore/file", "file", "own/file"] {
            fs::write(top.join(file), "")?;
        }
        symlink(top.join("file"), top.join("given/link"))?;
        symlink(top.join("given/file"), top.join("link"))?;
        let view = View {
            writable: vec![top.join("given"), top.join("given/kept/open")],
            protected: vec![top.join("given/kept")],
            ..View::default()
        };
        let given = Given::and_own(&view, hold(&top.join("own"))?)?;
        for (path, want) in [
            ("given", Lies::Inside),
            ("given/file", Lies::Inside),
            ("given/plain", Lies::Inside),
            ("given/plain/../../file", Lies::Outside),
            ("given/link", Lies::Outside),
            ("link", Lies::Inside),
            ("given/kept", Lies::Kept),
            ("given/kept/file", Lies::Kept),
            ("given/kept/open/file", Lies::Inside),
            ("givenmore/file", Lies::Outside),
            ("file", Lies::Outside),
            (".", Lies::Outside),
            ("own/file", Lies::Inside),
        ] {
            assert_eq!(given.place(hold(&top.join(path))?.as_fd())?, want, "{path}");
            assert_eq!(Given::default().place(hold(&top.join(path))?.as_fd())?, Lies::Outside, "{path}: nothing given");
        }
        // A folder that was given stays what it was, whatever takes its name.
        fs::rename(top.join("given"), top.join("moved"))?;
        fs::create_dir(top.join("given"))?;
        fs::write(top.join("given/file"), "")?;
        assert_eq!(given.place(hold(&top.join("moved/file"))?.as_fd())?, Lies::Inside);
        assert_eq!(given.place(hold(&top.join("given/file"))?.as_fd())?, Lies::Outside);
        Ok(())
    }

    #[test]
    fn what_has_no_name_is_where_it_was_or_nowhere() -> io::Result<()> {
        let top = tempfile::tempdir()?;
        let top = top.path().canonicalize()?;
        for folder in ["given", "other"] {
            fs::create_dir(top.join(folder))?;
        }
        let view = View { writable: vec![top.join("given")], ..View::default() };
        let given = Given::of(&view)?;
        for (folder, want) in [("given", Lies::Inside), ("other", Lies::Outside)] {
            let path = top.join(folder).join("file");
            fs::write(&path, "")?;
            let held = hold(&path)?;
            fs::remove_file(&path)?;
            assert_eq!(given.place(held.as_fd())?, want, "{folder}");
        }
        let (reader, _writer) = io::pipe()?;
        assert_eq!(given.place(reader.as_fd())?, Lies::Outside);
        // SAFETY: a string that ends in zero; the descriptor is nobody else's.
        let memory = unsafe {
            let made = check_int(libc::memfd_create(c"../given/file".as_ptr(), libc::MFD_CLOEXEC))?;
            OwnedFd::from_raw_fd(made)
        };
        assert_eq!(given.place(memory.as_fd())?, Lies::Inside, "memory of its own");
        Ok(())
    }
}
