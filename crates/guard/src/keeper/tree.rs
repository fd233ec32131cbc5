//! Who belongs to a command, by what `/proc` says: its session, or everybody who descends from the keeper.

use std::collections::HashSet;
use std::os::fd::{AsFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::sys::{check, process};

/// One process, as its `stat` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    pid: libc::pid_t,
    parent: libc::pid_t,
    session: libc::pid_t,
    threads: u64,
}

/// Signals everybody in the session that a command leads, its group, and itself.
pub(super) fn signal_session(leader: libc::pid_t, signal: i32) {
    let _ = process::signal(-leader, signal);
    for stat in everybody().into_iter().filter(|stat| stat.session == leader && stat.pid != leader) {
        signal_if(stat, signal, |now| now.session == leader);
    }
    // Not reaped yet, so the number is still its own.
    let _ = process::signal(leader, signal);
}

/// Signals everybody who descends from this process.
pub(super) fn signal_descendants(signal: i32) {
    for stat in descendants() {
        signal_if(stat, signal, |now| now.parent == stat.parent);
    }
}

/// The numbers of everybody who descends from this process, and how many threads they have together.
pub(super) fn numbers() -> (Vec<libc::pid_t>, u64) {
    let all = descendants();
    (all.iter().map(|stat| stat.pid).collect(), all.iter().map(|stat| stat.threads).fold(0, u64::saturating_add))
}

/// How many processes and threads a user has on the machine. Those that let nobody look into them are not seen.
pub(super) fn crowd_of(user: u32) -> u64 {
    let Ok(entries) = std::fs::read_dir("/proc") else { return 0 };
    let entries = entries.filter_map(Result::ok);
    let processes = entries.filter(|entry| entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit));
    let own = processes.filter(|process| process.metadata().is_ok_and(|about| about.uid() == user));
    own.filter_map(|process| threads(&process.path())).fold(0, u64::saturating_add)
}

/// How many threads a process has: a folder for each, beside the two links that every folder has.
fn threads(process: &Path) -> Option<u64> {
    Some(std::fs::metadata(process.join("task")).ok()?.nlink().saturating_sub(2))
}

fn descendants() -> Vec<Stat> {
    let all = everybody();
    let mut mine: HashSet<libc::pid_t> = HashSet::from([own()]);
    loop {
        let before = mine.len();
        mine.extend(all.iter().filter(|stat| mine.contains(&stat.parent)).map(|stat| stat.pid).collect::<Vec<_>>());
        if mine.len() == before {
            break;
        }
    }
    all.into_iter().filter(|stat| mine.contains(&stat.parent)).collect()
}

/// Signals a process that is still the one that was meant: its number may have gone to another one meanwhile.
fn signal_if(meant: Stat, signal: i32, same: impl FnOnce(Stat) -> bool) {
    // SAFETY: takes numbers.
    let Ok(fd) = check(unsafe { libc::syscall(libc::SYS_pidfd_open, meant.pid, 0) } as i64) else { return };
    // SAFETY: it was opened just now for this process.
    let handle = unsafe { OwnedFd::from_raw_fd(i32::try_from(fd).unwrap_or(-1)) };
    if read(meant.pid).is_some_and(same) {
        // Gone between: then there is nothing to signal.
        let _ = process::signal_handle(handle.as_fd(), signal);
    }
}

fn own() -> libc::pid_t {
    libc::pid_t::try_from(std::process::id()).unwrap_or(1)
}

/// Nobody, where `/proc` is another namespace's: its numbers mean others here.
fn everybody() -> Vec<Stat> {
    let myself = std::fs::read_link("/proc/self").ok();
    if myself.and_then(|myself| myself.to_str()?.parse().ok()) != Some(own()) {
        return Vec::new();
    }
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    numbers.filter_map(read).collect()
}

fn read(pid: libc::pid_t) -> Option<Stat> {
    parse(pid, &std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The name may have anything in it, brackets too: what counts comes after the last one.
fn parse(pid: libc::pid_t, stat: &str) -> Option<Stat> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let parent = fields.nth(1)?.parse().ok()?;
    let session = fields.nth(1)?.parse().ok()?;
    let threads = fields.nth(13)?.parse().ok()?;
    Some(Stat { pid, parent, session, threads })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_does_not_mislead() {
        let stat = "42 (a) S 1 (b)) R 7 40 41 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 9 0 1234";
        assert_eq!(parse(42, stat), Some(Stat { pid: 42, parent: 7, session: 41, threads: 9 }));
        assert_eq!(parse(42, "nonsense"), None);
    }

    #[test]
    fn threads_are_part_of_the_crowd() {
        let (user, _) = process::identity();
        let own = || threads(Path::new("/proc/self")).unwrap_or(0);
        let before = own();
        let stop = std::sync::Barrier::new(101);
        let (during, crowd) = std::thread::scope(|scope| {
            for _ in 0..100 {
                scope.spawn(|| stop.wait());
            }
            let counted = (own(), crowd_of(user));
            stop.wait();
            counted
        });
        // Other tests of this process come and go meanwhile.
        assert!(before > 0 && during.abs_diff(before + 100) < 50, "{before} and then {during}");
        assert!(crowd >= 100, "{crowd}");
        assert_eq!(crowd_of(u32::MAX - 7), 0, "nobody has none");
    }

    #[test]
    fn finds_itself() {
        assert!(everybody().iter().any(|stat| stat.pid == own()));
    }
}
