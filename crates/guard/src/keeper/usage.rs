//! How much all processes of a jail use together, counted now and then.
//!
//! The kernel bounds each process by itself; what they use together it bounds only in a cgroup, which an ordinary
//! program is rarely given. So the keeper counts, some times a second, and kills them all when it is too much: what is
//! shared counts once, files in memory that nobody has mapped do not count (their size is bounded, as files').
//!
//! A bomb of processes is stopped by the kernel's own count, which there is for everybody but the machine's root in rung
//! B. There the keeper glances a hundred times a second at how many there are on the machine, which costs next to nothing,
//! and counts when those have become many more. Its call's own folder it measures the same way ([`scratch`](super::scratch)).

use std::time::{Duration, Instant};

use super::scratch::Scratch;
use super::tree;
use crate::child::Setting;
use crate::plan::Limits;
use crate::rung::Rung;
use crate::sys::process;

/// Between two counts of memory, which nothing cheaper stands for.
const INTERVAL: Duration = Duration::from_millis(100);
/// Between two counts of everything, whatever a glance says.
const WHOLE: Duration = Duration::from_secs(1);
/// Between two glances, where a count may come too late.
const GLANCE: Duration = Duration::from_millis(10);
/// A count that was much work is not made again before so many times as long.
const REST: u32 = 9;

/// Counts, if there is something to count against.
#[derive(Debug)]
pub(super) struct Usage {
    memory_bytes: u64,
    processes: u64,
    scratch: Option<Scratch>,
    next: Option<Instant>,
    times: Times,
    /// How many processes and threads there were on the machine at the last count.
    crowd: u16,
    /// Whether there was anybody to count.
    anybody: bool,
}

/// When to count again.
#[derive(Debug, Clone, Copy)]
struct Times {
    everything: Instant,
    memory: Instant,
    nothing_before: Instant,
}

impl Usage {
    /// What a jail of this setting is counted for. Processes only where the kernel does not: it counts them for a user
    /// in its namespace, but never for the machine's root, who a call of root's in rung B is.
    pub(super) fn of(setting: &Setting, scratch: Option<Scratch>) -> Self {
        let Limits { memory_bytes, processes, .. } = setting.limits;
        let processes = if setting.rung == Rung::B && process::identity().0 == 0 { processes } else { 0 };
        let now = Instant::now();
        let next = (memory_bytes > 0 || processes > 0 || scratch.is_some()).then_some(now);
        let times = Times { everything: now, memory: now, nothing_before: now };
        Self { memory_bytes, processes, scratch, next, times, crowd: 0, anybody: false }
    }

    /// When it is to be looked at next: as long as commands run, and those that they left.
    pub(super) fn due(&self, commands: bool) -> Option<Instant> {
        self.next.filter(|_| commands || self.anybody)
    }

    /// Whether it is too much. Looks only when it is time to.
    pub(super) fn exceeds(&mut self) -> bool {
        let now = Instant::now();
        if self.next.is_none_or(|next| next > now) {
            return false;
        }
        let Times { everything, memory, nothing_before } = self.times;
        let fuller = || self.scratch.as_ref().is_some_and(Scratch::may_have_grown);
        let due = now >= everything || (self.memory_bytes > 0 && now >= memory) || fuller();
        let exceeds = (self.is_crowded() || (due && now >= nothing_before)) && self.count(now);
        self.next = Some(Instant::now() + if exceeds { GLANCE } else { self.pause() });
        exceeds
    }

    fn pause(&self) -> Duration {
        let crowds = if self.processes > 0 { GLANCE } else { INTERVAL };
        self.scratch.as_ref().map_or(crowds, |scratch| scratch.pause().min(crowds))
    }

    /// Whether there are so many more processes on the machine that too many of them may be of this jail.
    fn is_crowded(&self) -> bool {
        self.processes > 0 && u64::from(crowd().saturating_sub(self.crowd)) > self.processes / 8
    }

    fn count(&mut self, now: Instant) -> bool {
        let before = process::worked();
        self.crowd = crowd();
        let everything = now >= self.times.everything;
        let (pids, threads) = tree::numbers();
        self.anybody = !pids.is_empty();
        let many = self.processes > 0 && threads > self.processes;
        // Roughly first, where what a copy shares with its original counts for both; exactly only when that is too much.
        let much = self.memory_bytes > 0
            && total(&pids, roughly) > self.memory_bytes
            && total(&pids, exactly) > self.memory_bytes;
        let measured = self.scratch.as_mut().filter(|scratch| everything || scratch.may_have_grown());
        let full = measured.is_some_and(|scratch| scratch.exceeds(&pids));
        let exceeds = many || much || (full && self.anybody);
        self.times.memory = now + INTERVAL;
        if exceeds {
            // Until nobody is left of what was too much.
            self.times.everything = now;
        } else {
            let work = process::worked().saturating_sub(before);
            self.times.nothing_before = Instant::now() + work.saturating_mul(REST);
            if everything {
                self.times.everything = now + WHOLE;
            }
        }
        exceeds
    }
}

/// How many processes and threads there are on the machine. More than can be said are as many as can be.
fn crowd() -> u16 {
    // SAFETY: all zeroes is a valid value.
    let mut about: libc::sysinfo = unsafe { std::mem::zeroed() };
    // SAFETY: the place it is written to outlives the call.
    match crate::sys::check_int(unsafe { libc::sysinfo(&raw mut about) }) {
        Ok(_) => about.procs,
        Err(_) => u16::MAX,
    }
}

fn total(pids: &[libc::pid_t], count: fn(libc::pid_t) -> Option<u64>) -> u64 {
    pids.iter().filter_map(|pid| count(*pid)).fold(0, u64::saturating_add)
}

/// What a process has in memory that is no file's, in bytes.
fn roughly(pid: libc::pid_t) -> Option<u64> {
    let statm = std::fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let mut pages = statm.split_ascii_whitespace().skip(1).map_while(|field| field.parse::<u64>().ok());
    let (resident, shared) = (pages.next()?, pages.next()?);
    Some(resident.saturating_sub(shared).saturating_mul(page_bytes()))
}

/// The same with each shared page divided among those who share it; roughly when it does not let itself be looked into.
fn exactly(pid: libc::pid_t) -> Option<u64> {
    let Ok(text) = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")) else { return roughly(pid) };
    let kilobytes = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        line.split_ascii_whitespace().nth(1)?.parse::<u64>().ok()
    };
    let anonymous = kilobytes("Pss_Anon:").or_else(|| kilobytes("Pss:"))?;
    Some((anonymous + kilobytes("Pss_Shmem:").unwrap_or(0)).saturating_mul(1024))
}

fn page_bytes() -> u64 {
    // SAFETY: takes a number and cannot fail for this one.
    u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_counts_what_is_its_own() {
        let own = libc::pid_t::try_from(std::process::id()).unwrap_or(0);
        let before = exactly(own).unwrap_or(0);
        let held = std::hint::black_box(vec![1_u8; 64 << 20]);
        let after = (exactly(own).unwrap_or(0), roughly(own).unwrap_or(0));
        drop(held);
        assert!(before > 0 && after.0 >= before + (60 << 20) && after.1 >= 60 << 20, "{before} {after:?}");
        assert_eq!((exactly(-1), roughly(-1)), (None, None));
    }
}
