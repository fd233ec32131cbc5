//! How much lies in a call's own folder, where that is a folder of the machine (rung B) and no file system of its own.
//!
//! It is measured now and then: what the folder holds, and what was deleted there and is still open. A glance at how much
//! is free around it says when, and comes the more often the fuller it is, so that what can be written between two looks
//! stays small beside what was given.
//!
//! LIMIT: not seen is what was deleted and is held by a mapping alone, by a message under way, or by a process that lets
//! nobody look into it. Who sets out to hide is bounded by the size of a file and the number of those that are open.

use std::collections::HashSet;
use std::ffi::{CStr, CString};
use std::fs::{self, File, Metadata};
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::sys::check_int;

/// A file counts as this much at least of what there may be: as many as there are in a file system of rung A.
const BYTES_OF_A_FILE: u64 = 4096;
/// LIMIT: how many files there may be, however much room there is. So many are looked at in less than a second.
const FILES_MAX: u64 = 1 << 18;
/// LIMIT: how deep folders may lie in each other. Each is open while what is beneath it is looked at.
const DEPTH_MAX: usize = 256;
/// The fastest that anything is expected to be written, in bytes a second.
const SPEED: u64 = 2 << 30;
/// Between two looks: at least, at most.
const PAUSE: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(100));
const OWNER_READS: u32 = 0o500;

/// A folder that is measured.
#[derive(Debug)]
pub(super) struct Scratch {
    path: PathBuf,
    held: OwnedFd,
    device: u64,
    /// How much it may hold.
    bytes_max: u64,
    files_max: u64,
    /// How much it held at the last look, and how much was free around it.
    last: (u64, u64),
}

/// More than there may be.
#[derive(Debug)]
struct TooMuch;

/// What was counted until now.
#[derive(Debug, Default)]
struct Count {
    bytes: u64,
    files: u64,
    /// Files with several names, or several descriptors.
    seen: HashSet<(u64, u64)>,
}

impl Scratch {
    /// # Errors
    /// The folder cannot be looked at.
    pub(super) fn new(path: &Path, bytes_max: u64) -> io::Result<Self> {
        let held = crate::given::hold(path)?;
        let device = File::from(held.try_clone()?).metadata()?.dev();
        let files_max = (bytes_max / BYTES_OF_A_FILE).clamp(64, FILES_MAX);
        Ok(Self { path: path.canonicalize()?, held, device, bytes_max, files_max, last: (0, u64::MAX) })
    }

    /// How long it may be left alone.
    pub(super) fn pause(&self) -> Duration {
        let (least, most) = PAUSE;
        let room = self.bytes_max.saturating_sub(self.last.0);
        Duration::from_micros(room.saturating_mul(1_000_000) / SPEED).clamp(least, most)
    }

    /// Whether so much less is free around it than at the last look that it is worth another.
    pub(super) fn may_have_grown(&self) -> bool {
        let room = self.bytes_max.saturating_sub(self.last.0);
        self.last.1.saturating_sub(self.free()) > room / 8
    }

    /// Whether it holds too much, with what these processes have open of it.
    pub(super) fn exceeds(&mut self, pids: &[libc::pid_t]) -> bool {
        let free = self.free();
        let mut count = Count::default();
        let counted = self
            .count_folder(&mut count)
            .and_then(|()| pids.iter().try_for_each(|pid| self.count_open(*pid, &mut count)));
        self.last = (count.bytes, free);
        counted.is_err()
    }

    fn free(&self) -> u64 {
        // SAFETY: all zeroes is a valid value.
        let mut about: libc::statvfs = unsafe { std::mem::zeroed() };
        // SAFETY: the place it is written to outlives the call.
        match check_int(unsafe { libc::fstatvfs(self.held.as_raw_fd(), &raw mut about) }) {
            Ok(_) => about.f_bfree.saturating_mul(about.f_frsize),
            Err(_) => 0,
        }
    }

    fn add(&self, about: &Metadata, count: &mut Count) -> Result<(), TooMuch> {
        if !about.is_dir() && about.nlink() != 1 && !count.seen.insert((about.dev(), about.ino())) {
            return Ok(());
        }
        count.files += 1;
        count.bytes = count.bytes.saturating_add(about.blocks().saturating_mul(512));
        if count.bytes > self.bytes_max || count.files > self.files_max { Err(TooMuch) } else { Ok(()) }
    }

    /// Everything in the folder. What is gone by the time it is looked at does not count.
    fn count_folder(&self, count: &mut Count) -> Result<(), TooMuch> {
        let Ok(top) = Opened::beneath(self.held.as_fd(), c".") else { return Ok(()) };
        let mut open = vec![top];
        while let Some(folder) = open.last_mut() {
            let Some(entry) = folder.names.next() else {
                open.pop();
                continue;
            };
            let Ok((entry, about)) = entry.and_then(|entry| entry.metadata().map(|about| (entry, about))) else {
                continue;
            };
            self.add(&about, count)?;
            // Of files a file system of several layers may say that they are on another.
            if about.is_dir() && about.dev() == self.device {
                if open.len() >= DEPTH_MAX {
                    return Err(TooMuch);
                }
                let deeper = CString::new(entry.file_name().into_vec()).map_err(io::Error::from);
                if let Some(Ok(deeper)) = open.last().map(|folder| Opened::beneath(folder.file.as_fd(), &deeper?)) {
                    open.push(deeper);
                }
            }
        }
        Ok(())
    }

    /// What a process has open of it that no name leads to any more.
    fn count_open(&self, pid: libc::pid_t, count: &mut Count) -> Result<(), TooMuch> {
        for thread in tables(pid) {
            let Ok(entries) = fs::read_dir(format!("/proc/{pid}/task/{thread}/fd")) else { continue };
            for link in entries.flatten().map(|entry| entry.path()) {
                let Ok(about) = fs::metadata(&link) else { continue };
                if about.is_file()
                    && about.nlink() == 0
                    && fs::read_link(&link).is_ok_and(|there| there.starts_with(&self.path))
                {
                    self.add(&about, count)?;
                }
            }
        }
        Ok(())
    }
}

/// A folder that is being looked through.
#[derive(Debug)]
struct Opened {
    file: File,
    names: fs::ReadDir,
    /// The mode that kept its owner from looking, to be given back.
    mode: Option<u32>,
}

impl Opened {
    /// Opens a folder. Its owner, who this is, may look into it whatever its mode says.
    fn beneath(folder: BorrowedFd<'_>, name: &CStr) -> io::Result<Self> {
        let held = File::from(hold_at(folder, name)?);
        let link = PathBuf::from(format!("/proc/self/fd/{}", held.as_raw_fd()));
        let mode = held.metadata()?.permissions().mode() & 0o7777;
        let closed = mode & OWNER_READS != OWNER_READS;
        if closed {
            fs::set_permissions(&link, fs::Permissions::from_mode(mode | OWNER_READS))?;
        }
        let file = File::open(&link)?;
        let names = fs::read_dir(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
        Ok(Self { file, names, mode: closed.then_some(mode) })
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        let Some(mode) = self.mode else { return };
        // Unless somebody gave it another meanwhile. Should it be gone, so is its mode.
        let now = self.file.metadata().map(|about| about.permissions().mode() & 0o7777);
        if now.is_ok_and(|now| now == mode | OWNER_READS) {
            let _ = self.file.set_permissions(fs::Permissions::from_mode(mode));
        }
    }
}

/// Those threads of a process that have descriptors of their own, the first one among them.
fn tables(pid: libc::pid_t) -> Vec<libc::pid_t> {
    const FILES: libc::c_int = 2;
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let threads = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    threads
        .filter(|thread: &libc::pid_t| {
            // SAFETY: takes numbers.
            *thread == pid || unsafe { libc::syscall(libc::SYS_kcmp, pid, *thread, FILES, 0, 0) } != 0
        })
        .collect()
}

fn hold_at(folder: BorrowedFd<'_>, name: &CStr) -> io::Result<OwnedFd> {
    let flags = libc::O_PATH | libc::O_NOFOLLOW | libc::O_CLOEXEC;
    // SAFETY: a name that ends in zero and outlives the call; the descriptor is nobody else's.
    unsafe {
        let held = check_int(libc::openat(folder.as_raw_fd(), name.as_ptr(), flags))?;
        Ok(OwnedFd::from_raw_fd(held))
    }
}

/// Removes a folder with all that is in it, also what its owner made so that it cannot be looked into.
pub(super) fn clear(path: &Path) {
    if fs::remove_dir_all(path).is_ok() {
        return;
    }
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        // What cannot be made removable stays: it is only in its own folder.
        let _ = fs::set_permissions(&folder, fs::Permissions::from_mode(0o700));
        let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
        folders.extend(entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|e| e.path()));
    }
    let _ = fs::remove_dir_all(path);
}
