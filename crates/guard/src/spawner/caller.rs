//! Whose calls these are, and so as whom they run.

use std::fs::read_to_string;

use super::NOBODY;
use crate::sys::process;

/// Who a call runs as, and what it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Root, whose calls run as nobody.
    Root,
    /// Somebody, whose calls run as themselves. That may be root by name only, as in many containers: without
    /// the capabilities, or in a user namespace that knows no other user.
    User {
        /// Their user.
        uid: u32,
        /// Their group.
        gid: u32,
    },
}

impl Caller {
    pub(crate) fn current() -> Self {
        let read = |name: &str| read_to_string(format!("/proc/self/{name}")).unwrap_or_default();
        match process::identity() {
            (0, _) if can(&read("status")) && knows(&read("uid_map")) && knows(&read("gid_map")) => Self::Root,
            (uid, gid) => Self::User { uid, gid },
        }
    }

    /// The user and group inside.
    pub(crate) const fn inside(self) -> (u32, u32) {
        match self {
            Self::Root => (NOBODY, NOBODY),
            Self::User { uid, gid } => (uid, gid),
        }
    }
}

/// Whether it has what it takes to start somebody else's process and show it files: `CAP_SETGID`, `CAP_SETUID`,
/// `CAP_SYS_ADMIN`. `status` is the kernel's description of a process.
fn can(status: &str) -> bool {
    const NEEDED: u64 = 1 << 6 | 1 << 7 | 1 << 21;
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let effective = effective.and_then(|set| u64::from_str_radix(set.trim(), 16).ok());
    effective.is_some_and(|set| set & NEEDED == NEEDED)
}

/// Whether nobody is somebody there. A line of a map: the first id inside, the first outside, how many.
fn knows(map: &str) -> bool {
    map.lines().any(|line| {
        let mut numbers = line.split_whitespace().map(str::parse::<u64>);
        let (Some(Ok(first)), Some(Ok(_)), Some(Ok(count))) = (numbers.next(), numbers.next(), numbers.next()) else {
            return false;
        };
        u64::from(NOBODY).checked_sub(first).is_some_and(|at| at < count)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_by_name_is_not_always_root() {
        for (status, want) in [
            ("Name:\tx\nCapInh:\t0\nCapEff:\t000001ffffffffff\n", true),
            ("CapEff:\t00000000002000c0\n", true),
            // What container engines leave by default.
            ("CapEff:\t00000000a80425fb\n", false),
            ("CapEff:\t0000000000000000\n", false),
            ("CapEff:\tmany\n", false),
            ("", false),
        ] {
            assert_eq!(can(status), want, "{status}");
        }
        for (map, want) in [
            ("         0          0 4294967295\n", true),
            ("0 1000 1\n1 100000 65536\n", true),
            ("0 100000 65535\n", true),
            ("0 100000 65534\n", false),
            ("0 1000 1\n", false),
            ("65535 5 10\n", false),
            ("a b c\n", false),
            ("", false),
        ] {
            assert_eq!(knows(map), want, "{map}");
        }
    }
}
