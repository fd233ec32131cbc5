//! Attempt by attempt: without the guard, in rung A, in rung B. What is free is the positive control: it would
//! have worked.

use crate::Done;
use crate::machine::{Machine, Ran, users};

/// How an attempt goes for the one who makes it, and what is seen of it.
type Outcome = (&'static str, &'static [&'static str]);

/// An attempt; how it goes free; how it goes in A and in B. `*` is whatever this machine makes of it.
struct Row {
    attempt: String,
    free: &'static str,
    a: Outcome,
    b: Outcome,
}

fn row(attempt: impl Into<String>, free: &'static str, a: Outcome, b: Outcome) -> Row {
    Row { attempt: attempt.into(), free, a, b }
}

/// The same in both rungs.
fn same(attempt: impl Into<String>, free: &'static str, guarded: Outcome) -> Row {
    row(attempt, free, guarded, guarded)
}

const QUIET: &[&str] = &[];
const FINE: Outcome = ("ok", QUIET);
const HOST_SOCKET: Outcome = ("EACCES", &["violation: connect unix none host_socket"]);
const HOST_NAME: Outcome = ("EACCES", &["violation: connect unix none abstract_socket"]);
const NO_NAME: Outcome = ("ECONNREFUSED", &["notice: connect unix none abstract_socket"]);
const GONE: Outcome = ("ECONNREFUSED", &["notice: connect unix none host_socket"]);
const MISSING: Outcome = ("ENOENT", &["notice: connect unix none host_socket"]);
const UNREADABLE: Outcome = ("EACCES", &["violation: unreadable_call none none none"]);
const NO_UDP: Outcome = ("EAFNOSUPPORT", &["notice: socket inet udp none"]);
const NOWHERE: Outcome = ("ENETUNREACH", QUIET);

fn unix(machine: &Machine) -> Vec<Row> {
    let own_name = ("EACCES", &["notice: connect unix none abstract_socket"] as &[_]);
    let no_datagrams = ("EAFNOSUPPORT", &["notice: socket unix none none"] as &[_]);
    vec![
        same(format!("unix {}", machine.unix.display()), "host", HOST_SOCKET),
        same("unix ../host.sock", "host", HOST_SOCKET),
        same(format!("unix /proc/self/root{}", machine.unix.display()), "host", UNREADABLE),
        same(format!("unix {}", machine.name), "host", HOST_NAME),
        same("unix @nobody-has-this", "ECONNREFUSED", NO_NAME),
        same("unix /run/no/such/socket", "ENOENT", MISSING),
        same("unix /etc/passwd", "*", GONE),
        same("left-unix left", "ECONNREFUSED", GONE),
        same("own-unix own", "ok", FINE),
        row("own-unix @own-name", "ok", FINE, own_name),
        same("pair 1 1", "ok", FINE),
        same("pair 1 2", "ok", no_datagrams),
        same("socket 1 2 0", "ok", no_datagrams),
    ]
}

fn sockets() -> Vec<Row> {
    const fn refused(seen: &'static [&'static str]) -> Outcome {
        ("EAFNOSUPPORT", seen)
    }
    vec![
        same("socket 40 1 0", "*", refused(&["violation: socket vsock none none"])),
        same("socket 17 3 768", "*", refused(&["violation: socket packet none none"])),
        same("socket 44 3 0", "*", refused(&["violation: socket xdp none none"])),
        same("socket 2 3 1", "*", refused(&["violation: socket inet icmp none"])),
        same("socket 2 2 1", "*", refused(&["violation: socket inet icmp none"])),
        same("socket 10 3 58", "*", refused(&["violation: socket inet6 icmp6 none"])),
        same("socket 2 1 132", "*", refused(&["violation: socket inet sctp none"])),
        same("socket 2 2 136", "*", refused(&["violation: socket inet udplite none"])),
        same("socket 38 5 0", "*", refused(&["notice: socket alg none none"])),
        same("socket 2 1 262", "*", ("EPROTONOSUPPORT", &["notice: socket inet mptcp none"])),
        same("socket 16 3 0", "ok", FINE),
        same("socket 16 3 12", "*", ("EPROTONOSUPPORT", &["notice: socket netlink none none"])),
        same("socket 2 1 0", "ok", FINE),
        same("socket 10 1 6", "ok", FINE),
        row("socket 2 2 0", "ok", FINE, NO_UDP),
    ]
}

fn internet(machine: &Machine) -> Vec<Row> {
    let early = |seen| -> Outcome { ("EOPNOTSUPP", seen) };
    let port = machine.tcp.port();
    // The port differs from run to run.
    let host: &'static [&'static str] =
        Vec::leak(vec![&*String::leak(format!("notice: connect inet tcp loopback {port}"))]);
    vec![
        row(format!("connect {}", machine.tcp), "host", ("ECONNREFUSED", QUIET), ("ECONNREFUSED", host)),
        row(format!("connect6 {}", machine.tcp), "host", ("ECONNREFUSED", QUIET), ("ECONNREFUSED", host)),
        row("connect 203.0.113.5:443", "*", NOWHERE, ("gate Captured(203.0.113.5:443)", QUIET)),
        row("connect6 203.0.113.6:80", "*", NOWHERE, ("gate Captured(203.0.113.6:80)", QUIET)),
        row("connect [2001:db8::5]:443", "*", NOWHERE, ("gate Captured([2001:db8::5]:443)", QUIET)),
        row("connect-later 203.0.113.7:80", "*", NOWHERE, ("gate Captured(203.0.113.7:80)", QUIET)),
        row("connect 127.0.0.1:3128", "*", ("ECONNREFUSED", QUIET), ("gate Proxy", QUIET)),
        row("connect 8.8.8.8:53", "*", NOWHERE, ("gate Nameserver(8.8.8.8:53)", QUIET)),
        row(
            "connect-twice 203.0.113.5:1 203.0.113.5:2",
            "*",
            NOWHERE,
            ("gate Captured(203.0.113.5:1), then EISCONN", QUIET),
        ),
        row(
            "connect-again 127.0.0.1:9 203.0.113.5:3",
            "*",
            NOWHERE,
            ("ECONNREFUSED, then gate Captured(203.0.113.5:3)", &["notice: connect inet tcp loopback 9"]),
        ),
        row("peer 203.0.113.5:443", "*", NOWHERE, ("203.0.113.5:443", QUIET)),
        row("peer [2001:db8::5]:443", "*", NOWHERE, ("[2001:db8::5]:443", QUIET)),
        row("late-port 203.0.113.5:443", "*", NOWHERE, ("gate Captured(203.0.113.5:443)", QUIET)),
        row("steered 127.0.0.1:9", "*", NOWHERE, ("EPERM", &["notice: setsockopt none none kernel"])),
        same("own-tcp 127.0.0.1:0", "ok", FINE),
        same("own-tcp 0.0.0.0:0", "ok", FINE),
        same("own-tcp [::]:0", "ok", FINE),
        row("own-late", "ok at 0.0.0.0", ("ok at 0.0.0.0", QUIET), ("ok at 127.0.0.1", QUIET)),
        same("bind-twice", "ok", FINE),
        row("listen 0.0.0.0:0", "0.0.0.0", ("0.0.0.0", QUIET), ("127.0.0.1", QUIET)),
        row(
            "listen 203.0.113.1:0",
            "EADDRNOTAVAIL",
            ("EADDRNOTAVAIL", QUIET),
            ("EADDRNOTAVAIL", &["notice: bind inet tcp reserved 0"]),
        ),
        row("udp-connect 203.0.113.5:443", "*", ("ENETUNREACH", &["notice: connect inet udp reserved 443"]), NO_UDP),
        row("udp-connect 127.0.0.1:53", "ok", FINE, NO_UDP),
        row("fast-open sendto 203.0.113.9:443", "*", NOWHERE, early(&["violation: send inet tcp reserved 443"])),
        row("fast-open sendmsg 203.0.113.9:444", "*", NOWHERE, early(&["violation: send inet tcp reserved 444"])),
        row("fast-open sendmmsg 203.0.113.9:445", "*", NOWHERE, early(&["violation: send inet tcp reserved 445"])),
        same("bad descriptor 127.0.0.1:1", "EBADF", ("EBADF", QUIET)),
        same("bad address 127.0.0.1:1", "EFAULT", ("EFAULT", QUIET)),
        same("bad length 127.0.0.1:1", "EINVAL", ("EINVAL", QUIET)),
        same("bad short 127.0.0.1:1", "EINVAL", ("EINVAL", QUIET)),
        same("bad negative 127.0.0.1:1", "EINVAL", ("EINVAL", QUIET)),
        same("bad file 127.0.0.1:1", "ENOTSOCK", ("ENOTSOCK", QUIET)),
    ]
}

fn calls() -> Vec<Row> {
    const fn kernel(seen: &'static [&'static str]) -> Outcome {
        ("EPERM", seen)
    }
    let mut rows = vec![
        same("call ptrace", "ok", kernel(&["violation: ptrace none none process"])),
        same("call process_vm_readv", "ok", kernel(&["violation: process_vm_readv none none process"])),
        same("call pidfd_getfd", "EBADF", kernel(&["violation: pidfd_getfd none none process"])),
        same("call mount", "*", kernel(&["violation: mount none none kernel"])),
        same("call open_tree_attr", "*", kernel(&["violation: open_tree_attr none none kernel"])),
        same("call setns", "*", kernel(&["violation: setns none none kernel"])),
        same("call chroot", "*", kernel(&["violation: chroot none none kernel"])),
        same("call bpf", "*", kernel(&["violation: bpf none none kernel"])),
        same("call tiocsti", "*", kernel(&["violation: ioctl none none kernel"])),
        same("call clone", "*", kernel(&["violation: clone none none kernel"])),
        same("run id -u >/dev/null", " (0)", (" (0)", QUIET)),
        same("run ls / >/dev/null", " (0)", (" (0)", QUIET)),
        same("call unshare-files", "ok", FINE),
        same("call unshare", "*", kernel(&["violation: unshare none none kernel"])),
        same("call clone3", "EINVAL", ("ENOSYS", QUIET)),
        same("call keyctl", "*", kernel(&["notice: keyctl none none kernel"])),
        same("call userfaultfd", "*", kernel(&["notice: userfaultfd none none kernel"])),
        same("call io_uring_setup", "*", ("ENOSYS", &["notice: io_uring_setup none none kernel"])),
        row("call shmget", "ok", FINE, ("ENOSYS", &["notice: shmget none none kernel"])),
        same("call personality-now", "ok", FINE),
        same("call beyond", "ENOSYS", ("ENOSYS", QUIET)),
        same("call personality", "ok", kernel(&["notice: personality none none kernel"])),
    ];
    if cfg!(target_arch = "x86_64") {
        let foreign = ("ENOSYS", &["violation: foreign_arch none none kernel"] as &[_]);
        rows.extend([same("call x32", "*", foreign), same("call int80", "*", foreign)]);
    }
    rows
}

fn attempts(rows: &[Row]) -> Vec<&str> {
    rows.iter().map(|row| row.attempt.as_str()).collect()
}

fn compare(rows: &[Row], outcome: fn(&Row) -> Outcome, ran: &Ran, what: &str) {
    let felt: Vec<_> = rows.iter().map(|row| format!("{}: {}", row.attempt, outcome(row).0)).collect();
    assert_eq!(ran.felt, felt, "{what}");
    let seen: Vec<_> = rows.iter().flat_map(|row| outcome(row).1).copied().collect();
    assert_eq!(ran.seen, seen, "{what}");
}

/// Free, each attempt is made by a process of its own: some change the process for good.
fn check(machine: &Machine, rows: &[Row]) -> Done {
    for user in users() {
        for row in rows.iter().filter(|row| row.free != "*") {
            let ran = machine.run(user, "none", &[&row.attempt])?;
            assert_eq!(ran.felt, [format!("{}: {}", row.attempt, row.free)], "free, as {user:?}");
        }
    }
    let before = machine.heard();
    for user in users() {
        compare(rows, |row| row.a, &machine.run(user, "A", &attempts(rows))?, &format!("A, as {user:?}"));
        compare(rows, |row| row.b, &machine.run(user, "B", &attempts(rows))?, &format!("B, as {user:?}"));
    }
    assert_eq!(machine.heard(), before, "nobody inside was heard");
    Ok(())
}

#[test]
fn unix_sockets() -> Done {
    let machine = Machine::start()?;
    check(&machine, &unix(&machine))?;
    let heard = machine.heard();
    assert!(heard.contains(&"unix") && heard.contains(&"abstract"), "free, they were: {heard:?}");
    Ok(())
}

#[test]
fn kinds_of_sockets() -> Done {
    check(&Machine::start()?, &sockets())
}

#[test]
fn internet_sockets() -> Done {
    let machine = Machine::start()?;
    check(&machine, &internet(&machine))?;
    assert!(machine.heard().contains(&"tcp"), "free, it was");
    Ok(())
}

/// What is said of a file of one's own in a folder that was given, and of one beside it.
fn changes() -> Vec<Row> {
    let outside = |how: &str, op| row(format!("change {how} ../UID"), "ok", FINE, ("EPERM", op));
    let mut rows = vec![
        outside("mode", &["notice: fchmodat none none none"]),
        outside("mode-open", &["notice: fchmod none none none"]),
        outside("mode-named", &["notice: fchmodat none none none"]),
        outside("owner", &["notice: fchownat none none none"]),
        outside("owner-open", &["notice: fchown none none none"]),
        outside("times", &["notice: utimensat none none none"]),
        outside("times-open", &["notice: utimensat none none none"]),
        same("change lends own", "ok", ("EPERM", &["notice: fchmod none none kernel"])),
        row("change snapshot own", "ENOTTY", ("ENOTTY", QUIET), ("ENOTTY", &["notice: ioctl none none none"])),
    ];
    let inside = ["mode", "mode-open", "mode-named", "owner", "owner-open", "times", "times-open"];
    rows.extend(inside.map(|how| same(format!("change {how} own"), "ok", FINE)));
    rows
}

#[test]
fn changes_of_files() -> Done {
    let machine = Machine::start()?;
    check(&machine, &changes())?;
    for user in users() {
        for how in ["attribute", "flags"] {
            // Whatever the file system makes of it.
            let own = format!("change {how} own");
            let free = machine.run(user, "none", &[&own])?.felt;
            for held in ["A", "B", "B-held"] {
                assert_eq!(machine.run(user, held, &[&own])?.felt, free, "{held}");
            }
        }
    }
    Ok(())
}

#[test]
fn rare_calls() -> Done {
    check(&Machine::start()?, &calls())
}

/// Where no copies are to be had, internet sockets go the same way; of unix sockets only what is refused does.
#[test]
fn sockets_that_are_held() -> Done {
    let machine = Machine::start()?;
    let mut rows = internet(&machine);
    rows.extend(changes());
    rows.extend(unix(&machine).into_iter().filter(|row| !row.attempt.starts_with("own-unix")));
    for user in users() {
        let ran = machine.run(user, "B-held", &attempts(&rows))?;
        compare(&rows, |row| row.b, &ran, &format!("as {user:?}"));
    }
    assert_eq!(machine.heard(), [""; 0]);
    Ok(())
}
