//! What processes have used so far, as the kernel counts it.

use std::fs::read_to_string;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

/// CPU time of one process, user and system, with the resolution of the kernel's clock tick (10 ms as a rule).
pub(super) fn cpu(pid: u32) -> Result<Duration> {
    let stat = Stat::read(pid).with_context(|| format!("reading /proc/{pid}/stat"))?;
    Ok(stat.cpu)
}

/// CPU time of a process and its present children; of PostgreSQL, the connections among them.
pub(super) fn cpu_with_children(pid: u32) -> Result<Duration> {
    let own = cpu(pid)?;
    let others = std::fs::read_dir("/proc").context("reading /proc")?.flatten();
    let others = others.filter_map(|entry| Stat::read(entry.file_name().to_str()?.parse().ok()?));
    Ok(others.filter(|stat| stat.parent == pid).map(|stat| stat.cpu).sum::<Duration>() + own)
}

/// Resident memory of a process in MiB.
pub(super) fn rss_mib(pid: u32) -> Result<f64> {
    let status =
        read_to_string(format!("/proc/{pid}/status")).with_context(|| format!("reading /proc/{pid}/status"))?;
    let kib =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse::<f64>().ok());
    Ok(kib.context("no VmRSS in the status of the process")? / 1024.0)
}

/// Whether a directory is kept in memory: a commit costs nothing there, so figures from it mean nothing.
pub(super) fn is_in_memory(dir: &Path) -> bool {
    let place = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    let mounts = read_to_string("/proc/mounts").unwrap_or_default();
    let mounts = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        Some((fields.next()?.to_owned(), fields.next()?.to_owned()))
    });
    let holding = mounts.filter(|(at, _)| place.starts_with(at)).max_by_key(|(at, _)| at.len());
    holding.is_some_and(|(_, kind)| matches!(kind.as_str(), "tmpfs" | "ramfs"))
}

struct Stat {
    parent: u32,
    cpu: Duration,
}

impl Stat {
    fn read(pid: u32) -> Option<Self> {
        let stat = read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name of the program is free text in parentheses; the fields that matter come after the last one.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
        let ticks = number(11)? + number(12)?;
        let cpu = Duration::from_micros(ticks * 1_000_000 / rustix::param::clock_ticks_per_second().max(1));
        Some(Self { parent: u32::try_from(number(1)?).ok()?, cpu })
    }
}
