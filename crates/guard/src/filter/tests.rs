//! Every rule, run through the packet machine: no call is made.

use super::*;
use crate::bpf::evaluate::{Input, evaluate, steps};

const ALLOW: Action = Action::Allow;
const ASK: Action = Action::Notify;
const UNKNOWN: Action = Action::Errno(libc::ENOSYS as u16);

fn answer(rung: Rung, input: &Input) -> Result<u32, FilterError> {
    Ok(evaluate(&program(rung)?.notifying, input))
}

fn call(number: libc::c_long, args: &[i64]) -> Input {
    let mut input = Input::native(number as u32);
    for (to, from) in input.args.iter_mut().zip(args) {
        *to = *from as u64;
    }
    input
}

/// The call's number, its arguments, and what becomes of it in A and in B.
type Row<'a> = (libc::c_long, &'a [i64], Action, Action);

fn check(rows: &[Row<'_>]) -> Result<(), FilterError> {
    for (number, args, a, b) in rows {
        for (rung, want) in [(Rung::A, a), (Rung::B, b)] {
            assert_eq!(answer(rung, &call(*number, args))?, want.code(), "{rung}: call {number} with {args:x?}");
        }
    }
    Ok(())
}

#[test]
fn what_programs_live_on_is_allowed() -> Result<(), FilterError> {
    for number in [
        libc::SYS_read,
        libc::SYS_write,
        libc::SYS_openat,
        libc::SYS_close,
        libc::SYS_mmap,
        libc::SYS_mprotect,
        libc::SYS_futex,
        libc::SYS_epoll_pwait,
        libc::SYS_execve,
        libc::SYS_wait4,
        libc::SYS_accept4,
        libc::SYS_getsockname,
        libc::SYS_shutdown,
        libc::SYS_recvmsg,
        libc::SYS_prctl,
        libc::SYS_seccomp,
        libc::SYS_memfd_create,
        libc::SYS_landlock_restrict_self,
        libc::SYS_rseq,
        libc::SYS_pidfd_open,
        libc::SYS_close_range,
        libc::SYS_mbind,
        libc::SYS_set_mempolicy,
    ] {
        check(&[(number, &[], ALLOW, ALLOW)])?;
    }
    // The last that there is.
    check(&[(i64::from(NUMBERS_END) - 1, &[], ALLOW, UNKNOWN)])
}

#[test]
fn no_file_is_made_that_lends_its_owners_rights() -> Result<(), FilterError> {
    let making = i64::from(libc::O_CREAT | libc::O_WRONLY);
    let nameless = i64::from(libc::O_TMPFILE | libc::O_WRONLY);
    let folder = i64::from(libc::O_DIRECTORY);
    for (mode, want) in [(0o755, ALLOW), (0o1777, ALLOW), (0o4755, ASK), (0o2755, ASK), (0o6000, ASK)] {
        check(&[
            // In B each is asked about.
            (libc::SYS_fchmod, &[3, mode], want, ASK),
            (libc::SYS_fchmodat, &[3, 0, mode], want, ASK),
            (calls::FCHMODAT2.into(), &[3, 0, mode, 0], want, ASK),
            (libc::SYS_mknodat, &[3, 0, mode | 0o100_000], want, want),
            (libc::SYS_openat, &[3, 0, making, mode], want, want),
            (libc::SYS_openat, &[3, 0, nameless, mode], want, want),
            // Without one of those flags the mode is whatever stood in the register.
            (libc::SYS_openat, &[3, 0, 0, mode], ALLOW, ALLOW),
            (libc::SYS_openat, &[3, 0, folder, mode], ALLOW, ALLOW),
        ])?;
        #[cfg(target_arch = "x86_64")]
        check(&[
            (libc::SYS_chmod, &[0, mode], want, ASK),
            (libc::SYS_mknod, &[0, mode | 0o100_000], want, want),
            (libc::SYS_creat, &[0, mode], want, want),
            (libc::SYS_open, &[0, making, mode], want, want),
            (libc::SYS_open, &[0, 0, mode], ALLOW, ALLOW),
        ])?;
    }
    check(&[(libc::SYS_openat2, &[], UNKNOWN, UNKNOWN)])
}

#[test]
fn what_leads_out_is_asked() -> Result<(), FilterError> {
    for refused in calls::REFUSED {
        check(&[(refused.number.into(), &[], ASK, ASK)])?;
    }
    for shared in calls::SHARED {
        check(&[(shared.number.into(), &[], ALLOW, ASK)])?;
    }
    check(&[
        (libc::SYS_connect, &[], ASK, ASK),
        (libc::SYS_bind, &[], ALLOW, ASK),
        (libc::SYS_listen, &[], ALLOW, ASK),
        (libc::SYS_getpeername, &[], ALLOW, ASK),
        (libc::SYS_clone3, &[], UNKNOWN, UNKNOWN),
    ])
}

#[test]
fn a_socket_is_of_a_kind_that_can_be_watched() -> Result<(), FilterError> {
    let s = libc::SYS_socket;
    let (unix, inet, inet6) = (i64::from(libc::AF_UNIX), i64::from(libc::AF_INET), i64::from(libc::AF_INET6));
    let netlink = i64::from(libc::AF_NETLINK);
    let flags = i64::from(libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK);
    check(&[
        (s, &[unix, 1, 0], ALLOW, ALLOW),
        (s, &[unix, 1 | flags, 0], ALLOW, ALLOW),
        (s, &[unix, 5, 0], ALLOW, ALLOW),
        (s, &[unix, 2, 0], ASK, ASK),
        (s, &[unix, 3, 0], ASK, ASK),
        (s, &[inet, 1, 0], ALLOW, ASK),
        (s, &[inet6, 1 | flags, 6], ALLOW, ASK),
        (s, &[inet, 1, 132], ASK, ASK),
        (s, &[inet, 1, 262], ASK, ASK),
        (s, &[inet, 2, 0], ALLOW, ASK),
        (s, &[inet6, 2 | flags, 17], ALLOW, ASK),
        (s, &[inet, 2, 1], ASK, ASK),
        (s, &[inet, 2, 136], ASK, ASK),
        (s, &[inet, 3, 1], ASK, ASK),
        (s, &[inet, 3, 255], ASK, ASK),
        (s, &[inet, 5, 0], ASK, ASK),
        (s, &[inet, 6, 33], ASK, ASK),
        (s, &[netlink, 3, 0], ALLOW, ALLOW),
        (s, &[netlink, 2 | flags, 0], ALLOW, ALLOW),
        (s, &[netlink, 3, 12], ASK, ASK),
        (s, &[netlink, 3, 4], ASK, ASK),
        // The kernel looks at the lower half of an argument, so this is a unix datagram socket to it.
        (s, &[unix | (7 << 32), 2, 0], ASK, ASK),
        (s, &[inet | (7 << 32), 1, 0], ALLOW, ASK),
    ])?;
    for family in (0..64).filter(|family| ![unix, inet, inet6, netlink].contains(family)) {
        for kind in 0..16 {
            check(&[(s, &[family, kind, 0], ASK, ASK)])?;
        }
    }
    Ok(())
}

#[test]
fn a_pair_of_sockets_talks_only_to_itself() -> Result<(), FilterError> {
    let s = libc::SYS_socketpair;
    let unix = i64::from(libc::AF_UNIX);
    check(&[
        (s, &[unix, 1, 0], ALLOW, ALLOW),
        (s, &[unix, 5 | i64::from(libc::SOCK_CLOEXEC), 0], ALLOW, ALLOW),
        (s, &[unix, 2, 0], ASK, ASK),
        (s, &[i64::from(libc::AF_TIPC), 1, 0], ASK, ASK),
        (s, &[i64::from(libc::AF_INET), 1, 0], ASK, ASK),
    ])
}

#[test]
fn no_new_namespace_of_any_kind() -> Result<(), FilterError> {
    let thread = i64::from(libc::CLONE_VM | libc::CLONE_FILES | libc::CLONE_THREAD | libc::CLONE_SIGHAND);
    check(&[
        (libc::SYS_clone, &[i64::from(libc::SIGCHLD)], ALLOW, ALLOW),
        (libc::SYS_clone, &[thread], ALLOW, ALLOW),
        // In `clone` the bit of a time namespace is part of a signal's number.
        (libc::SYS_clone, &[0x80], ALLOW, ALLOW),
        (libc::SYS_unshare, &[0x80], ASK, ASK),
        (libc::SYS_unshare, &[i64::from(libc::CLONE_FILES | libc::CLONE_FS)], ALLOW, ALLOW),
    ])?;
    for namespace in [
        libc::CLONE_NEWUSER,
        libc::CLONE_NEWNET,
        libc::CLONE_NEWNS,
        libc::CLONE_NEWPID,
        libc::CLONE_NEWIPC,
        libc::CLONE_NEWUTS,
        libc::CLONE_NEWCGROUP,
    ] {
        let flags = i64::from(namespace) | thread;
        check(&[(libc::SYS_clone, &[flags], ASK, ASK), (libc::SYS_unshare, &[flags], ASK, ASK)])?;
    }
    Ok(())
}

#[test]
fn nobody_types_into_the_terminal() -> Result<(), FilterError> {
    let ioctl = libc::SYS_ioctl;
    for (request, want) in [
        (libc::TIOCSTI as i64, ASK),
        (libc::TIOCLINUX as i64, ASK),
        (libc::TIOCSETD as i64, ASK),
        (libc::TIOCCONS as i64, ASK),
        (libc::TIOCSTI as i64 | (1 << 32), ASK),
        (libc::TCGETS as i64, ALLOW),
        (libc::TIOCGWINSZ as i64, ALLOW),
        (libc::TIOCSCTTY as i64, ALLOW),
        (libc::FIONREAD as i64, ALLOW),
    ] {
        check(&[(ioctl, &[0, request], want, want)])?;
    }
    Ok(())
}

#[test]
fn what_landlock_does_not_hold_is_asked_where_nothing_else_does() -> Result<(), FilterError> {
    let here = i64::from(libc::AT_FDCWD);
    check(&[
        (libc::SYS_fchown, &[3, 0, 0], ALLOW, ASK),
        (libc::SYS_fchownat, &[here, 0, 0, 0, 0], ALLOW, ASK),
        (libc::SYS_utimensat, &[here, 0, 0, 0], ALLOW, ASK),
        (libc::SYS_setxattr, &[], ALLOW, ASK),
        (libc::SYS_lsetxattr, &[], ALLOW, ASK),
        (libc::SYS_fsetxattr, &[], ALLOW, ASK),
        (libc::SYS_removexattr, &[], ALLOW, ASK),
        (libc::SYS_lremovexattr, &[], ALLOW, ASK),
        (libc::SYS_fremovexattr, &[], ALLOW, ASK),
        (libc::SYS_getxattr, &[], ALLOW, ALLOW),
        (463, &[], ALLOW, UNKNOWN),
        (464, &[], ALLOW, ALLOW),
        (466, &[], ALLOW, UNKNOWN),
        (468, &[], ALLOW, ALLOW),
        (469, &[], ALLOW, UNKNOWN),
        (libc::SYS_prlimit64, &[0, 7, 1], ALLOW, ALLOW),
        (libc::SYS_prlimit64, &[1, 7, 0], ALLOW, ASK),
        (libc::SYS_sched_setaffinity, &[0], ALLOW, ALLOW),
        (libc::SYS_sched_setaffinity, &[5], ALLOW, ASK),
        (libc::SYS_sched_setscheduler, &[5], ALLOW, ASK),
        (libc::SYS_sched_setparam, &[5], ALLOW, ASK),
        (libc::SYS_sched_setattr, &[5], ALLOW, ASK),
        (libc::SYS_setpriority, &[0, 0, 5], ALLOW, ALLOW),
        (libc::SYS_setpriority, &[1, 0, 5], ALLOW, ALLOW),
        (libc::SYS_setpriority, &[0, 5, 5], ALLOW, ASK),
        (libc::SYS_setpriority, &[1, 5, 5], ALLOW, ASK),
        (libc::SYS_setpriority, &[2, 0, 5], ALLOW, ASK),
        (libc::SYS_ioprio_set, &[1, 0], ALLOW, ALLOW),
        (libc::SYS_ioprio_set, &[1, 5], ALLOW, ASK),
        (libc::SYS_ioprio_set, &[3, 0], ALLOW, ASK),
    ])?;
    #[cfg(target_arch = "x86_64")]
    for number in [libc::SYS_chown, libc::SYS_lchown, libc::SYS_utime, libc::SYS_utimes, libc::SYS_futimesat] {
        check(&[(number, &[], ALLOW, ASK)])?;
    }
    for (request, want) in [
        // Flags, attributes, version, encryption, seal; FAT, btrfs.
        (0x4008_6602, ASK),
        (0x401c_5820, ASK),
        (0x4008_7602, ASK),
        (0x800c_6613, ASK),
        (0x4080_6685, ASK),
        (0x4004_7211, ASK),
        (0x5000_940e, ASK),
        (0x8008_6601, ALLOW),
        (0x801c_581f, ALLOW),
        (0x4004_9409, ALLOW),
        (0x4020_940d, ALLOW),
    ] {
        check(&[(libc::SYS_ioctl, &[3, request], ALLOW, want)])?;
    }
    Ok(())
}

#[test]
fn a_personality_is_a_common_one() -> Result<(), FilterError> {
    let personality = libc::SYS_personality;
    for persona in [0, 0x8, 0x2_0000, 0x4_0000, 0xffff_ffff] {
        check(&[(personality, &[persona], ALLOW, ALLOW)])?;
    }
    for persona in [0x40_0000, 0x10_0000, 1, 0x4_0000 | 0x40_0000] {
        check(&[(personality, &[persona], ASK, ASK)])?;
    }
    Ok(())
}

#[test]
fn data_with_the_first_packet_is_asked_where_the_network_is_shared() -> Result<(), FilterError> {
    let open = i64::from(libc::MSG_FASTOPEN | libc::MSG_NOSIGNAL);
    let plain = i64::from(libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT);
    check(&[
        (libc::SYS_sendto, &[3, 0, 0, open], ALLOW, ASK),
        (libc::SYS_sendto, &[3, 0, 0, plain], ALLOW, ALLOW),
        (libc::SYS_sendmsg, &[3, 0, open], ALLOW, ASK),
        (libc::SYS_sendmsg, &[3, 0, plain], ALLOW, ALLOW),
        (libc::SYS_sendmmsg, &[3, 0, 0, open], ALLOW, ASK),
        (libc::SYS_sendmmsg, &[3, 0, 0, plain], ALLOW, ALLOW),
    ])
}

#[test]
fn nobody_steers_packets_where_the_network_is_shared() -> Result<(), FilterError> {
    let option = libc::SYS_setsockopt;
    for (level, name) in [
        (libc::SOL_SOCKET, libc::SO_BINDTODEVICE),
        (libc::SOL_SOCKET, libc::SO_BINDTOIFINDEX),
        (libc::IPPROTO_IP, libc::IP_OPTIONS),
        (libc::IPPROTO_IPV6, libc::IPV6_RTHDR),
        (libc::IPPROTO_IPV6, libc::IPV6_2292PKTOPTIONS),
    ] {
        check(&[(option, &[3, level.into(), name.into()], ALLOW, ASK)])?;
    }
    for (level, name) in [
        (libc::SOL_SOCKET, libc::SO_REUSEADDR),
        (libc::SOL_SOCKET, libc::SO_KEEPALIVE),
        (libc::IPPROTO_IP, libc::IP_TOS),
        (libc::IPPROTO_IPV6, libc::IPV6_V6ONLY),
        (libc::IPPROTO_TCP, libc::TCP_NODELAY),
        // The number of source routes, at another level.
        (libc::IPPROTO_TCP, libc::IP_OPTIONS),
    ] {
        check(&[(option, &[3, level.into(), name.into()], ALLOW, ALLOW)])?;
    }
    Ok(())
}

#[test]
fn what_has_no_number_does_not_exist() -> Result<(), FilterError> {
    for number in [NUMBERS_END, NUMBERS_END + 1, 1000, 0x3fff_ffff, 0x8000_0000, u32::MAX] {
        for rung in [Rung::A, Rung::B] {
            assert_eq!(answer(rung, &Input::native(number))?, UNKNOWN.code(), "{number:#x}");
        }
    }
    Ok(())
}

#[test]
fn other_ways_to_call_are_asked_whatever_they_call() -> Result<(), FilterError> {
    const I386: u32 = 0x4000_0003;
    const ARM: u32 = 0x4000_0028;
    for rung in [Rung::A, Rung::B] {
        for arch in [I386, ARM, 0] {
            for number in [0, 1, 20, 359, 1000] {
                assert_eq!(answer(rung, &Input { arch, ..Input::native(number) })?, ASK.code(), "{arch:#x} {number}");
            }
        }
        #[cfg(target_arch = "x86_64")]
        for number in [0x4000_0000, 0x4000_0029, 0x4000_0209, 0x7fff_ffff] {
            assert_eq!(answer(rung, &Input::native(number))?, ASK.code(), "{number:#x}");
        }
    }
    Ok(())
}

#[test]
fn without_a_supervisor_nothing_is_asked() -> Result<(), FilterError> {
    let refused = Action::Errno(libc::EPERM as u16).code();
    for rung in [Rung::A, Rung::B] {
        let program = program(rung)?;
        assert_eq!(program.plain.len(), program.notifying.len());
        for number in 0..600 {
            let input = Input::native(number);
            let (asked, plain) = (evaluate(&program.notifying, &input), evaluate(&program.plain, &input));
            let want = if asked == ASK.code() { refused } else { asked };
            assert_eq!(plain, want, "call {number}");
        }
    }
    Ok(())
}

/// The rules, looked up one after the other: what the program must do by halves.
#[test]
fn looking_by_halves_finds_what_looking_at_all_finds() -> Result<(), FilterError> {
    for rung in [Rung::A, Rung::B] {
        let program = program(rung)?;
        let asked = always(rung);
        let looked_into: Vec<_> = by_arguments(rung).into_iter().map(|(number, _)| number).collect();
        for number in (0..NUMBERS_END).filter(|number| !looked_into.contains(number)) {
            let want = asked.iter().rev().find(|(known, _)| *known == number).map_or(ALLOW, |(_, action)| *action);
            assert_eq!(evaluate(&program.notifying, &Input::native(number)), want.code(), "call {number}");
        }
    }
    Ok(())
}

#[test]
fn a_common_call_is_decided_in_a_dozen_steps() -> Result<(), FilterError> {
    for rung in [Rung::A, Rung::B] {
        let program = program(rung)?;
        for number in 0..NUMBERS_END {
            let (_, taken) = steps(&program.notifying, &Input::native(number));
            assert!(taken <= 24, "call {number} takes {taken} steps");
        }
        for number in [libc::SYS_read, libc::SYS_write, libc::SYS_futex, libc::SYS_mmap] {
            let (_, taken) = steps(&program.notifying, &call(number, &[]));
            assert!(taken <= 12, "call {number} takes {taken} steps");
        }
    }
    Ok(())
}
