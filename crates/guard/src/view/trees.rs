//! The folders that a plan names, taken as trees.
//!
//! Who takes them decides what may be seen of them: root does it as root and shows its own files as nobody's, so
//! that the call (which is nobody) works in them as their owner; everybody else's call has its caller's rights anyway.

use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd, RawFd};
use std::path::{Path, PathBuf};

use super::trouble;
use crate::error::{LaunchError, Layer};
use crate::plan::View;
use crate::spawner::Identities;
use crate::sys::c_path;
use crate::sys::mount::{self, Depth, NO_DEVICES, NO_SETUID, READ_ONLY};

/// A tree, and where it is to be seen.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) path: PathBuf,
    pub(crate) fd: OwnedFd,
}

/// All that a plan names.
#[derive(Debug, Default)]
pub(crate) struct Trees(Option<Vec<Tree>>);

impl Trees {
    /// Takes them as root.
    ///
    /// # Errors
    /// A path is not there, or the owners of its files cannot be shown otherwise (the file system is too old for it).
    pub(crate) fn as_root(view: &View, identities: &mut Identities) -> Result<Self, LaunchError> {
        let mut trees = Vec::new();
        for (path, attributes) in named(view) {
            let fd = take(path)?;
            let namespace =
                identities.namespace().map_err(LaunchError::of(Layer::UserNamespace, "map root's files"))?;
            if let Err(error) = mount::map_ids(fd.as_fd(), namespace) {
                // What is only read can be read by those whom its permissions let.
                if attributes & READ_ONLY == 0 {
                    let what = format!("show root's files in {} as the call's", path.display());
                    return Err(LaunchError::Layer { layer: Layer::MountView, what, error });
                }
            }
            mount::set(fd.as_fd(), attributes, Depth::All).map_err(trouble("set attributes"))?;
            trees.push(Tree { path: path.to_owned(), fd });
        }
        Ok(Self(Some(trees)))
    }

    /// Those that root took, or takes them now.
    ///
    /// # Errors
    /// A path is not there.
    pub(crate) fn into_all(self, view: &View) -> Result<Vec<Tree>, LaunchError> {
        if let Some(trees) = self.0 {
            return Ok(trees);
        }
        let mut trees = Vec::new();
        for (path, attributes) in named(view) {
            let fd = take(path)?;
            mount::set(fd.as_fd(), attributes, Depth::All).map_err(trouble("set attributes"))?;
            trees.push(Tree { path: path.to_owned(), fd });
        }
        Ok(trees)
    }

    /// Their descriptors.
    pub(crate) fn numbers(&self) -> Vec<RawFd> {
        self.0.iter().flatten().map(|tree| tree.fd.as_raw_fd()).collect()
    }
}

/// Read-only ones first: where one path is both, it can be written.
fn named(view: &View) -> impl Iterator<Item = (&Path, u64)> {
    let attributes = NO_SETUID | NO_DEVICES;
    let read_only = view.read_only.iter().map(move |path| (path.as_path(), attributes | READ_ONLY));
    read_only.chain(view.writable.iter().map(move |path| (path.as_path(), attributes)))
}

fn take(path: &Path) -> Result<OwnedFd, LaunchError> {
    if !path.is_absolute() || path.parent().is_none() {
        return Err(LaunchError::Plan(format!("`{}` cannot be given: it is no path below the root", path.display())));
    }
    let named = c_path(path).map_err(|error| LaunchError::Plan(format!("`{}`: {error}", path.display())))?;
    mount::take(&named, Depth::All).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::PermissionDenied => {
            LaunchError::Plan(format!("`{}`: {error}", path.display()))
        }
        _ => LaunchError::Layer { layer: Layer::MountView, what: format!("take {}", path.display()), error },
    })
}
