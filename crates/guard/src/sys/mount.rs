//! Mounts by descriptor: a tree is taken, changed while nobody sees it, and put in place.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::ptr;

use super::{check, check_int};

const OPEN_TREE_CLONE: libc::c_uint = 1;
const AT_RECURSIVE: libc::c_uint = 0x8000;
const MOVE_FROM_DESCRIPTOR: libc::c_uint = 0x4;
const MOVE_TO_DESCRIPTOR: libc::c_uint = 0x40;
/// May not be changed.
pub(crate) const READ_ONLY: u64 = 0x1;
/// Programs on it run as whoever runs them.
pub(crate) const NO_SETUID: u64 = 0x2;
/// Device files on it are nothing.
pub(crate) const NO_DEVICES: u64 = 0x4;
/// Nothing on it can be executed.
pub(crate) const NO_EXEC: u64 = 0x8;
const MAP_IDS: u64 = 0x0010_0000;

/// The kernel's `mount_attr`.
#[repr(C)]
struct Attributes {
    set: u64,
    clear: u64,
    propagation: u64,
    user_namespace: u64,
}

/// With what is mounted below, or without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Only the one.
    One,
    /// All that is below.
    All,
}

impl Depth {
    const fn flag(self) -> libc::c_uint {
        match self {
            Self::One => 0,
            Self::All => AT_RECURSIVE,
        }
    }
}

fn owned(returned: libc::c_long) -> io::Result<OwnedFd> {
    let number = check(returned)?;
    // SAFETY: only called with what a call that opens a new descriptor returned.
    Ok(unsafe { OwnedFd::from_raw_fd(RawFd::try_from(number).unwrap_or(-1)) })
}

/// A copy of the tree at a path, attached nowhere.
pub(crate) fn take(path: &CStr, depth: Depth) -> io::Result<OwnedFd> {
    take_at(libc::AT_FDCWD, path, depth.flag())
}

/// A copy of the tree that a descriptor is in.
pub(crate) fn take_from(fd: BorrowedFd<'_>, depth: Depth) -> io::Result<OwnedFd> {
    take_at(fd.as_raw_fd(), c"", depth.flag() | libc::AT_EMPTY_PATH as libc::c_uint)
}

fn take_at(from: RawFd, path: &CStr, flags: libc::c_uint) -> io::Result<OwnedFd> {
    let flags = flags | OPEN_TREE_CLONE | libc::O_CLOEXEC as libc::c_uint;
    // SAFETY: a string that ends in zero and outlives the call.
    owned(unsafe { libc::syscall(libc::SYS_open_tree, from, path.as_ptr(), flags) })
}

/// Sets attributes of a tree.
pub(crate) fn set(tree: BorrowedFd<'_>, attributes: u64, depth: Depth) -> io::Result<()> {
    change(tree.as_raw_fd(), c"", libc::AT_EMPTY_PATH as libc::c_uint | depth.flag(), attributes, 0)
}

/// Sets attributes of what is mounted at a path, and only that.
pub(crate) fn set_at(path: &CStr, attributes: u64) -> io::Result<()> {
    change(libc::AT_FDCWD, path, 0, attributes, 0)
}

/// Shows the owners of a tree's files as the namespace maps them.
pub(crate) fn map_ids(tree: BorrowedFd<'_>, namespace: BorrowedFd<'_>) -> io::Result<()> {
    let namespace = u64::try_from(namespace.as_raw_fd()).unwrap_or(u64::MAX);
    change(tree.as_raw_fd(), c"", libc::AT_EMPTY_PATH as libc::c_uint | AT_RECURSIVE, MAP_IDS, namespace)
}

fn change(at: RawFd, path: &CStr, flags: libc::c_uint, set: u64, user_namespace: u64) -> io::Result<()> {
    let attributes = Attributes { set, clear: 0, propagation: 0, user_namespace };
    // SAFETY: the string and the structure outlive the call, and the structure's size is given.
    let done = unsafe {
        libc::syscall(libc::SYS_mount_setattr, at, path.as_ptr(), flags, &raw const attributes, size_of::<Attributes>())
    };
    check(done as i64).map(drop)
}

/// Puts a tree in place at a path. A link at its end is covered, not followed.
pub(crate) fn put(tree: BorrowedFd<'_>, path: &CStr) -> io::Result<()> {
    move_to(tree, libc::AT_FDCWD, path, MOVE_FROM_DESCRIPTOR)
}

/// Puts a tree over what a descriptor is at, whatever its path is by now.
pub(crate) fn put_over(tree: BorrowedFd<'_>, place: BorrowedFd<'_>) -> io::Result<()> {
    move_to(tree, place.as_raw_fd(), c"", MOVE_FROM_DESCRIPTOR | MOVE_TO_DESCRIPTOR)
}

fn move_to(tree: BorrowedFd<'_>, to: RawFd, path: &CStr, flags: libc::c_uint) -> io::Result<()> {
    // SAFETY: strings that end in zero and outlive the call.
    let done = unsafe { libc::syscall(libc::SYS_move_mount, tree.as_raw_fd(), c"".as_ptr(), to, path.as_ptr(), flags) };
    check(done as i64).map(drop)
}

/// Mounts a new file system of this kind.
pub(crate) fn mount(kind: &CStr, path: &CStr, flags: libc::c_ulong, options: &CStr) -> io::Result<()> {
    // SAFETY: strings that end in zero and outlive the call.
    check_int(unsafe { libc::mount(kind.as_ptr(), path.as_ptr(), kind.as_ptr(), flags, options.as_ptr().cast()) })
        .map(drop)
}

/// Lets nothing that is mounted here from now on be seen elsewhere, nor the reverse.
pub(crate) fn make_private() -> io::Result<()> {
    let (none, flags) = (ptr::null(), libc::MS_REC | libc::MS_PRIVATE);
    // SAFETY: a string that ends in zero; the rest is not read when propagation is changed.
    check_int(unsafe { libc::mount(none, c"/".as_ptr(), none, flags, ptr::null()) }).map(drop)
}

/// Makes the current folder the root, and lets go of the old one.
pub(crate) fn make_root() -> io::Result<()> {
    // SAFETY: strings that end in zero. The old root lies over the new one for a moment, and is what is let go of.
    unsafe {
        check(libc::syscall(libc::SYS_pivot_root, c".".as_ptr(), c".".as_ptr()) as i64)?;
        check_int(libc::umount2(c".".as_ptr(), libc::MNT_DETACH))?;
        check_int(libc::chdir(c"/".as_ptr())).map(drop)
    }
}

/// How a path is walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Links {
    /// A link anywhere is an error.
    Refuse,
    /// Links are followed, below the folder it starts at.
    Inside,
}

/// A handle on a place, which gives no access to what is there. Nothing outside of `folder` is reached.
pub(crate) fn place(folder: BorrowedFd<'_>, path: &CStr, links: Links) -> io::Result<OwnedFd> {
    open_below(folder, path, libc::O_PATH, 0, links)
}

/// Opens a path below a folder.
pub(crate) fn open_below(
    folder: BorrowedFd<'_>,
    path: &CStr,
    flags: libc::c_int,
    mode: u32,
    links: Links,
) -> io::Result<OwnedFd> {
    // SAFETY: all zeroes is a valid value: numbers only.
    let mut how: libc::open_how = unsafe { std::mem::zeroed() };
    how.flags = u64::try_from(flags | libc::O_CLOEXEC).unwrap_or(0);
    how.mode = u64::from(mode);
    how.resolve = libc::RESOLVE_NO_MAGICLINKS
        | match links {
            Links::Refuse => libc::RESOLVE_NO_SYMLINKS | libc::RESOLVE_BENEATH,
            Links::Inside => libc::RESOLVE_IN_ROOT,
        };
    let size = size_of::<libc::open_how>();
    // SAFETY: the string and the structure outlive the call, and the structure's size is given.
    owned(unsafe { libc::syscall(libc::SYS_openat2, folder.as_raw_fd(), path.as_ptr(), &raw const how, size) })
}

/// Lets go of what is mounted at a path: it is gone when nobody uses it any more.
pub(crate) fn let_go(path: &CStr) -> io::Result<()> {
    // SAFETY: a string that ends in zero and outlives the call.
    check_int(unsafe { libc::umount2(path.as_ptr(), libc::MNT_DETACH) }).map(drop)
}
