//! The calls that no tool needs and that nobody inside may make: what each is called in evidence, how trying
//! it counts, and what it fails with.
//!
//! A name is the same on every instruction set. What trying counts as is decided here and nowhere else.

use crate::attempt::{Attempt, Class, Destination};

/// A call that is never made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rare {
    /// Its number, of the instruction set that this is built for.
    pub(crate) number: u32,
    /// How it is recorded.
    pub(crate) attempt: Attempt,
    /// How it counts.
    pub(crate) class: Class,
    /// What it fails with.
    pub(crate) errno: u16,
}

/// What is never allowed, whatever its arguments.
pub(crate) const REFUSED: &[Rare] = &[
    // Other processes.
    prying(libc::SYS_ptrace, "ptrace"),
    prying(libc::SYS_process_vm_readv, "process_vm_readv"),
    prying(libc::SYS_process_vm_writev, "process_vm_writev"),
    prying(libc::SYS_pidfd_getfd, "pidfd_getfd"),
    // Mounts, roots and namespaces.
    escape(libc::SYS_mount, "mount"),
    escape(libc::SYS_umount2, "umount2"),
    escape(libc::SYS_pivot_root, "pivot_root"),
    escape(libc::SYS_chroot, "chroot"),
    escape(libc::SYS_fsopen, "fsopen"),
    escape(libc::SYS_fsconfig, "fsconfig"),
    escape(libc::SYS_fsmount, "fsmount"),
    escape(libc::SYS_fspick, "fspick"),
    escape(libc::SYS_move_mount, "move_mount"),
    escape(libc::SYS_open_tree, "open_tree"),
    escape(OPEN_TREE_ATTR, "open_tree_attr"),
    escape(libc::SYS_mount_setattr, "mount_setattr"),
    escape(libc::SYS_open_by_handle_at, "open_by_handle_at"),
    escape(libc::SYS_setns, "setns"),
    // The kernel itself.
    escape(libc::SYS_bpf, "bpf"),
    escape(libc::SYS_kexec_load, "kexec_load"),
    escape(libc::SYS_kexec_file_load, "kexec_file_load"),
    escape(libc::SYS_init_module, "init_module"),
    escape(libc::SYS_finit_module, "finit_module"),
    escape(libc::SYS_delete_module, "delete_module"),
    escape(libc::SYS_reboot, "reboot"),
    escape(libc::SYS_swapon, "swapon"),
    escape(libc::SYS_swapoff, "swapoff"),
    escape(libc::SYS_acct, "acct"),
    #[cfg(target_arch = "x86_64")]
    escape(libc::SYS_iopl, "iopl"),
    #[cfg(target_arch = "x86_64")]
    escape(libc::SYS_ioperm, "ioperm"),
    // What runtimes and libraries feel for, and do without.
    probe(libc::SYS_io_uring_setup, "io_uring_setup", libc::ENOSYS),
    probe(libc::SYS_io_uring_enter, "io_uring_enter", libc::ENOSYS),
    probe(libc::SYS_io_uring_register, "io_uring_register", libc::ENOSYS),
    probe(libc::SYS_keyctl, "keyctl", libc::EPERM),
    probe(libc::SYS_add_key, "add_key", libc::EPERM),
    probe(libc::SYS_request_key, "request_key", libc::EPERM),
    probe(libc::SYS_perf_event_open, "perf_event_open", libc::EPERM),
    probe(libc::SYS_userfaultfd, "userfaultfd", libc::EPERM),
    probe(libc::SYS_fanotify_init, "fanotify_init", libc::EPERM),
    probe(libc::SYS_syslog, "syslog", libc::EPERM),
    probe(libc::SYS_quotactl, "quotactl", libc::EPERM),
    probe(libc::SYS_quotactl_fd, "quotactl_fd", libc::EPERM),
    probe(libc::SYS_vhangup, "vhangup", libc::EPERM),
    probe(libc::SYS_settimeofday, "settimeofday", libc::EPERM),
    probe(libc::SYS_clock_settime, "clock_settime", libc::EPERM),
    probe(libc::SYS_adjtimex, "adjtimex", libc::EPERM),
    probe(libc::SYS_clock_adjtime, "clock_adjtime", libc::EPERM),
    probe_process(libc::SYS_kcmp, "kcmp"),
    probe_process(libc::SYS_move_pages, "move_pages"),
    probe_process(libc::SYS_migrate_pages, "migrate_pages"),
];

/// What is refused where there is no namespace for it (rung B): whatever one process leaves there, any
/// process of the machine finds.
pub(crate) const SHARED: &[Rare] = &[
    probe(libc::SYS_shmget, "shmget", libc::ENOSYS),
    probe(libc::SYS_shmat, "shmat", libc::ENOSYS),
    probe(libc::SYS_shmctl, "shmctl", libc::ENOSYS),
    probe(libc::SYS_shmdt, "shmdt", libc::ENOSYS),
    probe(libc::SYS_msgget, "msgget", libc::ENOSYS),
    probe(libc::SYS_msgsnd, "msgsnd", libc::ENOSYS),
    probe(libc::SYS_msgrcv, "msgrcv", libc::ENOSYS),
    probe(libc::SYS_msgctl, "msgctl", libc::ENOSYS),
    probe(libc::SYS_semget, "semget", libc::ENOSYS),
    probe(libc::SYS_semop, "semop", libc::ENOSYS),
    probe(libc::SYS_semtimedop, "semtimedop", libc::ENOSYS),
    probe(libc::SYS_semctl, "semctl", libc::ENOSYS),
    probe(libc::SYS_mq_open, "mq_open", libc::ENOSYS),
    probe(libc::SYS_mq_unlink, "mq_unlink", libc::ENOSYS),
];

/// What the supervisor looks at and does itself where files are held by Landlock alone (rung B), which has no right for
/// it: changing what is said of a file. Refused for files that were not given to be written.
pub(crate) const CHANGES: &[Rare] = &[
    change(libc::SYS_fchmod, "fchmod"),
    change(libc::SYS_fchmodat, "fchmodat"),
    change(FCHMODAT2 as libc::c_long, "fchmodat2"),
    change(libc::SYS_fchown, "fchown"),
    change(libc::SYS_fchownat, "fchownat"),
    change(libc::SYS_utimensat, "utimensat"),
    change(libc::SYS_setxattr, "setxattr"),
    change(libc::SYS_lsetxattr, "lsetxattr"),
    change(libc::SYS_fsetxattr, "fsetxattr"),
    change(libc::SYS_removexattr, "removexattr"),
    change(libc::SYS_lremovexattr, "lremovexattr"),
    change(libc::SYS_fremovexattr, "fremovexattr"),
    #[cfg(target_arch = "x86_64")]
    change(libc::SYS_chmod, "chmod"),
    #[cfg(target_arch = "x86_64")]
    change(libc::SYS_chown, "chown"),
    #[cfg(target_arch = "x86_64")]
    change(libc::SYS_lchown, "lchown"),
    #[cfg(target_arch = "x86_64")]
    change(libc::SYS_utime, "utime"),
    #[cfg(target_arch = "x86_64")]
    change(libc::SYS_utimes, "utimes"),
    #[cfg(target_arch = "x86_64")]
    change(libc::SYS_futimesat, "futimesat"),
];

/// `setxattrat`, `removexattrat` and `file_setattr`.
pub(crate) const NEWER_CHANGES: [u32; 3] = [463, 466, 469];

/// Calls about another process, which comes first: its limits, and where and when it runs.
pub(crate) const OF_A_PROCESS: [libc::c_long; 5] = [
    libc::SYS_prlimit64,
    libc::SYS_sched_setaffinity,
    libc::SYS_sched_setattr,
    libc::SYS_sched_setparam,
    libc::SYS_sched_setscheduler,
];
/// Whom `setpriority` and `ioprio_set` are about, where it is one process.
pub(crate) const OF_ONE: [(libc::c_long, u64); 2] = [(libc::SYS_setpriority, 0), (libc::SYS_ioprio_set, 1)];
/// All processes of a user, for `setpriority`.
pub(crate) const ALL_OF_A_USER: u32 = 2;
/// The same for `ioprio_set`.
pub(crate) const IO_OF_A_USER: u32 = 3;

/// What is refused for some of its arguments, which only the filter looks at.
pub(crate) const BY_ARGUMENT: &[Rare] = &[
    escape(libc::SYS_unshare, "unshare"),
    escape(libc::SYS_clone, "clone"),
    escape(libc::SYS_ioctl, "ioctl"),
    probe(libc::SYS_personality, "personality", libc::EPERM),
    probe(libc::SYS_setsockopt, "setsockopt", libc::EPERM),
    probe_process(libc::SYS_prlimit64, "prlimit64"),
    probe_process(libc::SYS_sched_setaffinity, "sched_setaffinity"),
    probe_process(libc::SYS_sched_setattr, "sched_setattr"),
    probe_process(libc::SYS_sched_setparam, "sched_setparam"),
    probe_process(libc::SYS_sched_setscheduler, "sched_setscheduler"),
    probe_process(libc::SYS_setpriority, "setpriority"),
    probe_process(libc::SYS_ioprio_set, "ioprio_set"),
    // Files that lend their owner's rights. (So do those that `chmod` and the like change: see CHANGES.)
    probe(libc::SYS_mknodat, "mknodat", libc::EPERM),
    probe(libc::SYS_openat, "openat", libc::EPERM),
    #[cfg(target_arch = "x86_64")]
    probe(libc::SYS_mknod, "mknod", libc::EPERM),
    #[cfg(target_arch = "x86_64")]
    probe(libc::SYS_creat, "creat", libc::EPERM),
    #[cfg(target_arch = "x86_64")]
    probe(libc::SYS_open, "open", libc::EPERM),
];

/// A call of another instruction set, or of another way to call with this one: it fails as unknown.
pub(crate) const FOREIGN: Rare = Rare { number: u32::MAX, ..escape_as("foreign_arch", libc::ENOSYS) };

/// A call that the filter asked about and that no rule knows: the two disagree.
pub(crate) const UNKNOWN: Rare = Rare { number: u32::MAX, ..escape_as("unknown_call", libc::EPERM) };

/// The refused call with this number.
pub(crate) fn find(number: u32) -> Rare {
    REFUSED
        .iter()
        .chain(SHARED)
        .chain(CHANGES)
        .chain(BY_ARGUMENT)
        .find(|call| call.number == number)
        .copied()
        .unwrap_or(UNKNOWN)
}

const OPEN_TREE_ATTR: libc::c_long = 467;
pub(crate) const FCHMODAT2: u32 = 452;

const fn escape(number: libc::c_long, name: &'static str) -> Rare {
    Rare { number: number as u32, ..escape_as(name, libc::EPERM) }
}

const fn escape_as(name: &'static str, errno: libc::c_int) -> Rare {
    Rare { number: 0, attempt: Attempt::call(name, Destination::Kernel), class: Class::Violation, errno: errno as u16 }
}

const fn prying(number: libc::c_long, name: &'static str) -> Rare {
    Rare { attempt: Attempt::call(name, Destination::Process), ..escape(number, name) }
}

const fn probe(number: libc::c_long, name: &'static str, errno: libc::c_int) -> Rare {
    Rare {
        number: number as u32,
        attempt: Attempt::call(name, Destination::Kernel),
        class: Class::Notice,
        errno: errno as u16,
    }
}

const fn change(number: libc::c_long, name: &'static str) -> Rare {
    probe(number, name, libc::EPERM)
}

const fn probe_process(number: libc::c_long, name: &'static str) -> Rare {
    Rare { attempt: Attempt::call(name, Destination::Process), ..probe(number, name, libc::EPERM) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_call_has_one_number_and_one_name() {
        let all: Vec<_> = REFUSED.iter().chain(SHARED).chain(CHANGES).chain(BY_ARGUMENT).collect();
        let numbers: BTreeSet<_> = all.iter().map(|call| call.number).collect();
        let names: BTreeSet<_> = all.iter().map(|call| call.attempt.op).collect();
        assert_eq!((numbers.len(), names.len()), (all.len(), all.len()));
    }

    #[test]
    fn a_call_is_found_by_its_number() {
        assert_eq!(find(libc::SYS_ptrace as u32).attempt, Attempt::call("ptrace", Destination::Process));
        assert_eq!(find(libc::SYS_mount as u32).class, Class::Violation);
        assert_eq!(find(libc::SYS_keyctl as u32).class, Class::Notice);
        assert_eq!(find(libc::SYS_read as u32).attempt.op, "unknown_call");
    }
}
