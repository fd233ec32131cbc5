//! What lies over something else: emptiness over what must not be seen, the thing itself, read-only, over what must
//! not be changed, and files of our own.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use super::skeleton::COVERS;
use super::{ALWAYS_MASKED, PROC_MASKED, trouble};
use crate::error::LaunchError;
use crate::plan::View;
use crate::sys::c_path;
use crate::sys::mount::{self, Depth, Links, READ_ONLY};

/// Puts all of it in place. The process's root is the view already.
pub(super) fn all(view: &View) -> Result<(), LaunchError> {
    let root = File::open("/").map_err(trouble("open the root"))?;
    let root = root.as_fd();
    protect(root, view)?;
    mask(root, view)?;
    add_files(view)
}

fn mask(root: BorrowedFd<'_>, view: &View) -> Result<(), LaunchError> {
    let covers = Path::new(COVERS);
    let (file, folder) = (covers.join("file"), covers.join("folder"));
    write_cover(&file, b"").and_then(|()| fs::create_dir(&folder)).map_err(trouble("make an empty cover"))?;
    let always = ALWAYS_MASKED.iter().chain(&PROC_MASKED).map(PathBuf::from);
    for path in always.chain(host_keys()).chain(view.masked.iter().cloned()) {
        let what = format!("mask {}", path.display());
        let relative = c_path(path.strip_prefix("/").unwrap_or(&path)).map_err(trouble(&what))?;
        // Through links: what is masked is what the path leads to, inside.
        let place = match mount::place(root, &relative, Links::Inside) {
            Ok(place) => place,
            Err(error) if unreachable(&error) => continue,
            Err(error) => return Err(trouble(&what)(error)),
        };
        let is_folder = is_folder(&place).map_err(trouble(&what))?;
        let cover = take_cover(if is_folder { &folder } else { &file }).map_err(trouble(&what))?;
        mount::put_over(cover.as_fd(), place.as_fd()).map_err(trouble(&what))?;
    }
    Ok(())
}

/// Not there, or not to be reached: by nobody inside either, who has the same rights.
fn unreachable(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR | libc::EACCES | libc::ELOOP))
}

/// What no call sees of the system, whatever it was given.
pub(crate) fn always() -> Vec<PathBuf> {
    ALWAYS_MASKED.iter().map(PathBuf::from).chain(host_keys()).collect()
}

/// The keys by which others know this machine.
fn host_keys() -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir("/etc/ssh") else { return Vec::new() };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths.filter(|path| path.extension().is_none() && path.to_string_lossy().ends_with("_key")).collect()
}

/// Puts protected paths over themselves, read-only. The folders between them and the writable one they lie in are put
/// over themselves too: what something is mounted on cannot be renamed, and so not be replaced.
fn protect(root: BorrowedFd<'_>, view: &View) -> Result<(), LaunchError> {
    let mut held = BTreeSet::new();
    let mut paths: Vec<&PathBuf> = view.protected.iter().collect();
    paths.sort_by_key(|path| path.components().count());
    for path in paths {
        let Some(writable) =
            view.writable.iter().filter(|above| path.starts_with(above)).max_by_key(|w| w.as_os_str().len())
        else {
            continue;
        };
        let what = format!("protect {}", path.display());
        let mut between: Vec<&Path> = path
            .ancestors()
            .skip(1)
            .take_while(|above| *above != writable.as_path() && above.starts_with(writable))
            .collect();
        between.reverse();
        for above in between {
            if held.insert(above.to_owned()) {
                match over_itself(root, above, 0) {
                    Err(error) if unreachable(&error) => {}
                    other => other.map_err(trouble(&what))?,
                }
            }
        }
        match over_itself(root, path, READ_ONLY) {
            Err(error) if error.raw_os_error() == Some(libc::ELOOP) => {
                over_link(root, path).map_err(trouble(&what))?;
            }
            Err(error) if unreachable(&error) => {}
            other => other.map_err(trouble(&what))?,
        }
    }
    Ok(())
}

fn over_itself(root: BorrowedFd<'_>, path: &Path, attributes: u64) -> io::Result<()> {
    let relative = c_path(path.strip_prefix("/").unwrap_or(path))?;
    let place = mount::place(root, &relative, Links::Refuse)?;
    let tree = mount::take_from(place.as_fd(), Depth::All)?;
    if attributes != 0 {
        mount::set(tree.as_fd(), attributes, Depth::All)?;
    }
    mount::put_over(tree.as_fd(), place.as_fd())
}

/// A link: what it leads to is protected under its own name, and the link can no longer be replaced. A link to a
/// folder leads nowhere inside, as no folder can lie over what is none.
fn over_link(root: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
    let relative = c_path(path.strip_prefix("/").unwrap_or(path))?;
    let nothing = || {
        let file = Path::new(COVERS).join("nothing");
        write_cover(&file, b"")?;
        take_cover(&file)
    };
    let tree = match mount::place(root, &relative, Links::Inside) {
        Ok(target) => {
            let tree = mount::take_from(target.as_fd(), Depth::All)?;
            mount::set(tree.as_fd(), READ_ONLY, Depth::All)?;
            mount::put_over(tree.as_fd(), target.as_fd())?;
            if is_folder(&target)? {
                nothing()?
            } else {
                mount::take_from(mount::place(root, &relative, Links::Inside)?.as_fd(), Depth::One)?
            }
        }
        Err(error) if unreachable(&error) => nothing()?,
        Err(error) => return Err(error),
    };
    mount::put(tree.as_fd(), &c_path(path)?)
}

fn add_files(view: &View) -> Result<(), LaunchError> {
    for (number, (path, content)) in view.files.iter().enumerate() {
        let what = format!("put a file at {}", path.display());
        let cover = Path::new(COVERS).join(number.to_string());
        let add = || -> io::Result<()> {
            write_cover(&cover, content)?;
            let tree = take_cover(&cover)?;
            // A link at its end is covered, not followed: where it leads to may not even be there.
            match mount::put(tree.as_fd(), &c_path(path)?) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    let folder = path.parent().unwrap_or(Path::new("/"));
                    fs::create_dir_all(folder)?;
                    write_cover(path, b"")?;
                    mount::put(tree.as_fd(), &c_path(path)?)
                }
                other => other,
            }
        };
        add().map_err(trouble(&what))?;
    }
    Ok(())
}

fn write_cover(path: &Path, content: &[u8]) -> io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    match File::options().write(true).create_new(true).mode(0o444).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && content.is_empty() => Ok(()),
        file => file?.write_all(content),
    }
}

fn take_cover(path: &Path) -> io::Result<OwnedFd> {
    let tree = mount::take(&c_path(path)?, Depth::One)?;
    mount::set(tree.as_fd(), READ_ONLY, Depth::One)?;
    Ok(tree)
}

fn is_folder(place: &OwnedFd) -> io::Result<bool> {
    Ok(File::from(place.try_clone()?).metadata()?.is_dir())
}
