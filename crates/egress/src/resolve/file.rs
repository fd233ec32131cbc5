//! A file that is read again when it changes, looked at every few seconds at most.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

/// How long a look at the file's metadata serves.
const LOOK_EVERY: Duration = Duration::from_secs(3);

/// A longer file is not one of ours.
const BYTES_MAX: u64 = 1 << 20;

#[derive(Debug)]
pub(super) struct Watched {
    path: PathBuf,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    looked: Option<Instant>,
    stamp: Option<(SystemTime, u64)>,
    read_once: bool,
}

impl Watched {
    pub(super) fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), seen: Mutex::default() }
    }

    /// The content when it is new to the caller, empty for a file that is gone. `None`: nothing new,
    /// or nobody may read it now, which leaves in force what was read before.
    pub(super) fn changed(&self) -> Option<Vec<u8>> {
        let Ok(mut seen) = self.seen.try_lock() else { return None };
        if seen.looked.is_some_and(|at| at.elapsed() < LOOK_EVERY) {
            return None;
        }
        seen.looked = Some(Instant::now());
        let stamp = stamp(&self.path);
        if seen.read_once && stamp == seen.stamp {
            return None;
        }
        let content = match stamp {
            Some((_, size)) if size <= BYTES_MAX => fs::read(&self.path).ok()?,
            Some(_) => return None,
            None => Vec::new(),
        };
        seen.stamp = stamp;
        seen.read_once = true;
        Some(content)
    }

    #[cfg(test)]
    pub(super) fn look_now(&self) {
        self.seen.lock().unwrap().looked = None;
    }
}

fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
