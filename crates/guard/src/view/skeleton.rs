//! The root that everything is put into: a small file system in memory, read-only in the end.

use std::fs;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::{DirBuilderExt as _, symlink};
use std::path::{Path, PathBuf};

use super::{SYSTEM, Trees, trouble};
use crate::error::{LaunchError, Layer};
use crate::plan::{self, View};
use crate::sys::c_path;
use crate::sys::mount::{self, Depth, Links, NO_DEVICES, NO_EXEC, NO_SETUID, READ_ONLY};
use crate::sys::process;
use crate::weaken;

/// Where the new root is made; it has to be somewhere. The first that is there.
const BASES: [&str; 4] = ["/tmp", "/mnt", "/var", "/usr"];
/// Where covers are kept until the root is closed.
pub(super) const COVERS: &str = "/.covers";
/// LIMIT: files in the folders in memory, one for so many bytes: each costs memory of the kernel's.
const SCRATCH_BYTES_OF_A_FILE: u64 = 4096;
/// Folders in memory: where, how they are called in theirs, and their permissions.
const SCRATCH: [(&str, &str, u32); 5] = [
    ("/tmp", "tmp", 0o1777),
    ("/var/tmp", "var-tmp", 0o1777),
    ("/dev/shm", "shm", 0o1777),
    ("/run", "run", 0o755),
    (plan::HOME, "home", 0o700),
];
/// Devices that everybody may use.
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];
/// What programs expect beside them.
const DEVICE_LINKS: [(&str, &str); 5] = [
    ("ptmx", "pts/ptmx"),
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
];

/// What is put somewhere.
struct Piece {
    path: PathBuf,
    tree: OwnedFd,
    owner: Owner,
}

/// Who else may change what is in a piece while it is put in place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// Nobody: it was made for this root.
    Us,
    /// Whoever may outside.
    Others,
}

/// A root that is being made.
pub(super) struct Root {
    base: PathBuf,
    /// The trees of the system and the devices, taken before the new root covers anything.
    pieces: Vec<Piece>,
    links: Vec<(PathBuf, PathBuf)>,
    /// What others own and is in place already: nothing is made in it.
    attached: Vec<PathBuf>,
}

impl Root {
    /// Takes what is the same for everybody.
    pub(super) fn make() -> Result<Self, LaunchError> {
        let base = BASES.iter().map(Path::new).find(|base| base.is_dir());
        let base = base.ok_or_else(|| trouble("find a place for the root")(io::ErrorKind::NotFound.into()))?;
        let mut root = Self { base: base.to_owned(), pieces: Vec::new(), links: Vec::new(), attached: Vec::new() };
        for path in SYSTEM.iter().map(Path::new) {
            if let Ok(target) = fs::read_link(path) {
                root.links.push((path.to_owned(), target));
            } else if path.is_dir() {
                root.take(path, NO_SETUID | NO_DEVICES | READ_ONLY, Depth::All)?;
            }
        }
        for device in DEVICES {
            let path = Path::new("/dev").join(device);
            if path.exists() {
                root.take(&path, NO_SETUID | NO_EXEC, Depth::One)?;
            }
        }
        Ok(root)
    }

    fn take(&mut self, path: &Path, attributes: u64, depth: Depth) -> Result<(), LaunchError> {
        let named = c_path(path).map_err(trouble("name a path"))?;
        let taken = mount::take(&named, depth).and_then(|tree| {
            mount::set(tree.as_fd(), attributes, depth)?;
            Ok(tree)
        });
        let what = format!("take {}", path.display());
        self.pieces.push(Piece { path: path.to_owned(), tree: taken.map_err(trouble(&what))?, owner: Owner::Others });
        Ok(())
    }

    /// Puts everything in place.
    pub(super) fn furnish(&mut self, view: &View, trees: Trees) -> Result<(), LaunchError> {
        let trees = trees.into_all(view)?;
        let base = c_path(&self.base).map_err(trouble("name the root"))?;
        let flags = libc::MS_NOSUID | libc::MS_NODEV;
        mount::mount(c"tmpfs", &base, flags, c"mode=755,size=16m,nr_inodes=4k").map_err(trouble("mount the root"))?;
        process::change_folder(&base).map_err(trouble("enter the root"))?;
        for (path, target) in &self.links {
            symlink(target, self.inside(path)).map_err(trouble("make the links of the root"))?;
        }
        for folder in ["/proc", "/sys", "/dev/pts", "/var", "/root", "/home", "/mnt", "/srv", COVERS] {
            fs::create_dir_all(self.inside(Path::new(folder))).map_err(trouble("make the folders of the root"))?;
        }
        symlink("/run", self.inside(Path::new("/var/run"))).map_err(trouble("make the links of the root"))?;
        let mut pieces = std::mem::take(&mut self.pieces);
        pieces.extend(self.scratch(view)?);
        pieces.extend(trees.into_iter().map(|tree| Piece { path: tree.path, tree: tree.fd, owner: Owner::Others }));
        // What lies in something else comes after it; what was named later lies over what was named before.
        pieces.sort_by_key(|piece| piece.path.components().count());
        for piece in pieces {
            self.put(&piece)?;
        }
        self.processes()?;
        self.terminals()?;
        for (name, target) in DEVICE_LINKS {
            symlink(target, self.inside(&Path::new("/dev").join(name))).map_err(trouble("make the links of /dev"))?;
        }
        Ok(())
    }

    /// The folders in memory: one file system, so that one bound holds for all of them together.
    fn scratch(&self, view: &View) -> Result<Vec<Piece>, LaunchError> {
        let bytes = view.scratch();
        let files = (bytes / SCRATCH_BYTES_OF_A_FILE).max(64);
        let options = format!("mode=755,size={bytes},nr_inodes={files}");
        let options = std::ffi::CString::new(options).map_err(|error| trouble("bound the scratch")(error.into()))?;
        let at = self.inside(Path::new("/mnt"));
        let named = c_path(&at).map_err(trouble("name the scratch"))?;
        let flags = libc::MS_NOSUID | libc::MS_NODEV;
        mount::mount(c"tmpfs", &named, flags, &options).map_err(trouble("mount the scratch"))?;
        let mut pieces = Vec::new();
        for (path, name, mode) in SCRATCH {
            let folder = at.join(name);
            fs::DirBuilder::new().mode(0o700).create(&folder).map_err(trouble("make the scratch folders"))?;
            fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(mode))
                .map_err(trouble("make the scratch folders"))?;
            let named = c_path(&folder).map_err(trouble("name the scratch"))?;
            let tree = mount::take(&named, Depth::One).map_err(trouble("take the scratch folders"))?;
            pieces.push(Piece { path: PathBuf::from(path), tree, owner: Owner::Us });
        }
        mount::let_go(&named).map_err(trouble("let the scratch go"))?;
        Ok(pieces)
    }

    fn put(&mut self, piece: &Piece) -> Result<(), LaunchError> {
        let what = format!("put {} in place", piece.path.display());
        let relative = piece.path.strip_prefix("/").unwrap_or(&piece.path);
        let named = c_path(relative).map_err(trouble(&what))?;
        if !self.attached.iter().any(|above| piece.path.starts_with(above)) {
            self.make_room(piece).map_err(trouble(&what))?;
        }
        let base = fs::File::open(".").map_err(trouble(&what))?;
        // Not by a link: in a folder that others write to as well, it could lead anywhere.
        let place = mount::place(base.as_fd(), &named, Links::Refuse).map_err(trouble(&what))?;
        mount::put_over(piece.tree.as_fd(), place.as_fd()).map_err(trouble(&what))?;
        if piece.owner == Owner::Others {
            self.attached.push(piece.path.clone());
        }
        Ok(())
    }

    /// Makes the file or folder that a piece is put over, in what is ours alone.
    fn make_room(&self, piece: &Piece) -> io::Result<()> {
        let place = self.inside(&piece.path);
        if fs::File::from(piece.tree.try_clone()?).metadata()?.is_dir() {
            return fs::create_dir_all(place);
        }
        if let Some(folder) = place.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::File::options().create(true).append(true).open(place).map(drop)
    }

    /// A `/proc` of the call's own processes. The kernel gives it only to who still sees a whole one; where that is
    /// not so (containers cover parts of theirs), the one that is there is shown, and nothing of it can be changed.
    /// Others' processes are listed there then, but neither looked into nor reached: they are in other namespaces.
    fn processes(&self) -> Result<(), LaunchError> {
        let at = c_path(&self.inside(Path::new("/proc"))).map_err(trouble("name /proc"))?;
        let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
        if !weaken::asked("skip_pid_namespace") {
            match mount::mount(c"proc", &at, flags, c"") {
                Err(error) if error.raw_os_error() == Some(libc::EPERM) => {}
                other => return other.map_err(LaunchError::of(Layer::PidNamespace, "mount /proc")),
            }
        }
        let show = || -> io::Result<()> {
            let tree = mount::take(c"/proc", Depth::All)?;
            mount::set(tree.as_fd(), NO_SETUID | NO_DEVICES | NO_EXEC | READ_ONLY, Depth::All)?;
            mount::put(tree.as_fd(), &at)
        };
        show().map_err(LaunchError::of(Layer::PidNamespace, "show /proc"))
    }

    fn terminals(&self) -> Result<(), LaunchError> {
        let at = c_path(&self.inside(Path::new("/dev/pts"))).map_err(trouble("name /dev/pts"))?;
        let flags = libc::MS_NOSUID | libc::MS_NOEXEC;
        mount::mount(c"devpts", &at, flags, c"newinstance,ptmxmode=0666,mode=620,max=256")
            .map_err(trouble("mount /dev/pts"))
    }

    fn inside(&self, path: &Path) -> PathBuf {
        self.base.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// Makes it the root of this process.
    pub(super) fn enter(&self) -> Result<(), LaunchError> {
        let base = c_path(&self.base).map_err(trouble("name the root"))?;
        process::change_folder(&base).map_err(trouble("enter the root"))?;
        mount::make_root().map_err(trouble("change the root"))
    }
}

/// Makes the root of this process one that nothing more is put into, by anybody.
pub(super) fn close() -> Result<(), LaunchError> {
    fs::remove_dir_all(COVERS).map_err(trouble("remove the covers"))?;
    let attributes = READ_ONLY | NO_SETUID | NO_DEVICES | NO_EXEC;
    mount::set_at(c"/", attributes).map_err(trouble("make the root read-only"))?;
    process::change_folder(c"/").map_err(trouble("go to the root"))
}
