//! The rows.

use super::Evidence::{Either, Limited, Noted, Notice, Quiet, Refused, Violation};
use super::{Control, Evidence, Expect, Language, Probe};
use crate::outcome::Verdict;

const fn blocked(evidence: Evidence) -> Expect {
    Expect { verdict: Verdict::Blocked, evidence }
}

const fn works(evidence: Evidence) -> Expect {
    Expect { verdict: Verdict::Works, evidence }
}

const fn c(name: &'static str, family: &'static str, control: Control, a: Expect, b: Expect) -> Probe {
    Probe { name, family, language: Language::C, control, a, b }
}

const fn script(
    name: &'static str,
    family: &'static str,
    (extension, interpreter): (&'static str, &'static str),
    control: Control,
    a: Expect,
    b: Expect,
) -> Probe {
    Probe { name, family, language: Language::Script { extension, interpreter }, control, a, b }
}

const SH: (&str, &str) = (".sh", "/bin/sh");
const BASH: (&str, &str) = (".sh", "/bin/bash");
const PYTHON: (&str, &str) = (".py", "/usr/bin/python3");
const PERL: (&str, &str) = (".pl", "/usr/bin/perl");
const NODE: (&str, &str) = (".js", "/usr/bin/node");
const JAVA: (&str, &str) = (".java", "/usr/bin/java");

const HTTPS: Control = Control::Leaks("tcp 443");
const DATAGRAM: Control = Control::Leaks("udp 9999");
/// Not on the network: the probe's own word is the control.
const ITSELF: Control = Control::Leaks("");

/// A machine that does not have the feature, and says so.
const fn unless(hears: &'static str, says: &'static [&'static str], why: &'static str) -> Control {
    Control::LeaksUnless { hears, says, why }
}

const NOT_THERE: &[&str] = &["EAFNOSUPPORT", "EPROTONOSUPPORT", "ESOCKTNOSUPPORT"];
const SOCKET: Evidence = Violation(&["socket"]);
const SEND: Evidence = Violation(&["send"]);

pub static ALL: &[Probe] = &[
    c("tcp_v4", "tcp", HTTPS, blocked(Refused), blocked(Refused)),
    c("tcp_v6", "tcp", HTTPS, blocked(Refused), blocked(Refused)),
    c("tcp_mapped", "tcp", HTTPS, blocked(Refused), blocked(Refused)),
    c("tcp_nonblocking", "tcp", HTTPS, blocked(Refused), blocked(Refused)),
    c("tcp_own_address", "tcp", Control::Leaks("host tcp 5432"), blocked(Refused), blocked(Refused)),
    c("tcp_fast_open", "tcp fast open", HTTPS, blocked(Refused), blocked(Noted)),
    c("mptcp", "mptcp", HTTPS, blocked(Notice), blocked(Notice)),
    c("sctp", "sctp", unless("", NOT_THERE, "no SCTP in the kernel"), blocked(SOCKET), blocked(SOCKET)),
    c("udplite_dccp", "sctp", unless("", NOT_THERE, "neither in the kernel"), blocked(SOCKET), blocked(SOCKET)),
    c("udp_sendto", "udp", DATAGRAM, blocked(SEND), blocked(Noted)),
    c("udp_sendmsg", "udp", DATAGRAM, blocked(SEND), blocked(Noted)),
    c("udp_sendmmsg", "udp", DATAGRAM, blocked(SEND), blocked(Noted)),
    c("udp_connected", "udp", DATAGRAM, blocked(SEND), blocked(Noted)),
    c("quic", "quic", Control::Leaks("udp 443"), blocked(SEND), blocked(Noted)),
    c("multicast", "multicast", Control::Leaks("packet ip 17 224.0.0.251"), blocked(SEND), blocked(Noted)),
    c("broadcast", "broadcast", Control::Leaks("packet ip 17 255.255.255.255"), blocked(SEND), blocked(Noted)),
    c("icmp_ping", "icmp", Control::Leaks("packet ip 1 "), blocked(SOCKET), blocked(SOCKET)),
    c("icmp_raw", "icmp", ITSELF, blocked(SOCKET), blocked(SOCKET)),
    c("raw_ip", "raw", Control::Leaks("packet ip 253 "), blocked(SOCKET), blocked(SOCKET)),
    c("packet", "packet", Control::Leaks("packet frame"), blocked(SOCKET), blocked(SOCKET)),
    c("vsock", "vsock", unless("", NOT_THERE, "not a virtual machine"), blocked(SOCKET), blocked(SOCKET)),
    c("netlink_route", "netlink", ITSELF, blocked(Either), blocked(Either)),
    c("netlink_other", "netlink", ITSELF, blocked(Notice), blocked(Notice)),
    c("xdp", "xdp", unless("", NOT_THERE, "no XDP sockets in the kernel"), blocked(SOCKET), blocked(SOCKET)),
    c("alg", "alg", unless("", NOT_THERE, "no AF_ALG in the kernel"), blocked(Notice), blocked(Notice)),
    c("families", "families", ITSELF, blocked(SOCKET), blocked(SOCKET)),
    c("unix_docker", "unix path", Control::Leaks("unix docker"), blocked(Noted), blocked(Noted)),
    script("unix_ssh_agent", "unix path", PYTHON, Control::Leaks("unix agent"), blocked(Noted), blocked(Noted)),
    script("unix_dbus", "unix path", PYTHON, Control::Leaks("unix dbus"), blocked(Noted), blocked(Noted)),
    c("unix_workspace", "unix path", Control::Leaks("unix workspace"), CONNECTED, CONNECTED),
    c("unix_link", "unix path", Control::Leaks("unix workspace"), UNREAD, UNREAD),
    c("unreadable", "unix path", Control::Leaks("unix workspace"), UNREAD, UNREAD),
    c("unix_abstract", "abstract", Control::Leaks("unix abstract"), blocked(Noted), CONNECTED),
    c("unix_datagram", "unix path", Control::Leaks("unix log"), blocked(Noted), blocked(Noted)),
    c("unix_own", "unix path", Control::Works, works(Quiet), blocked(Either)),
    c("tcp_own", "tcp", Control::Works, works(Quiet), works(Quiet)),
    c("scm_rights", "scm_rights", Control::Leaks("unix giver"), CONNECTED, CONNECTED),
    c("inherited_fds", "inherited fds", Control::Leaks("given away"), blocked(Quiet), blocked(Quiet)),
    c("pidfd_getfd", "pidfd_getfd", ITSELF, call(&["pidfd_getfd"]), call(&["pidfd_getfd"])),
    c("proc_fd", "/proc", ITSELF, blocked(Quiet), blocked(Quiet)),
    c("proc_root", "/proc", ITSELF, blocked(Quiet), blocked(Quiet)),
    c("proc_environ", "/proc", ITSELF, blocked(Quiet), blocked(Quiet)),
    c("ptrace", "ptrace", ITSELF, call(&["ptrace"]), call(&["ptrace"])),
    c("process_vm_writev", "process_vm_writev", ITSELF, call(&["process_vm_writev"]), call(&["process_vm_writev"])),
    c("setns", "setns", ITSELF, call(&["setns"]), call(&["setns"])),
    c("unshare", "unshare", ITSELF, call(&["unshare"]), call(&["unshare"])),
    c("nested_userns", "nested user namespaces", ITSELF, call(&["clone"]), call(&["clone"])),
    c("mount", "mount", ITSELF, call(&["mount"]), call(&["mount"])),
    c("pivot_root", "pivot_root", ITSELF, call(&["pivot_root"]), call(&["pivot_root"])),
    c("listen_outsider", "bind+listen", Control::Leaks("reached"), blocked(Quiet), blocked(Either)),
    c("io_uring_connect", "io_uring", unless("tcp 443", RING, NO_RING), blocked(Notice), blocked(Notice)),
    c("io_uring_sqpoll", "io_uring", unless("tcp 443", RING, NO_RING), blocked(Notice), blocked(Notice)),
    c("io_uring_send", "io_uring", unless("udp 9999", RING, NO_RING), blocked(Notice), blocked(Notice)),
    c("int80", "int 0x80", unless("", &["no other architecture", "ENOSYS"], "one set of calls"), FOREIGN, FOREIGN),
    c("x32", "x32", unless("", &["ENOSYS"], "no x32 in the kernel"), FOREIGN, FOREIGN),
    c("setuid", "setuid", Control::LeaksAsNobody, blocked(Either), blocked(Either)),
    script("ld_preload", "LD_PRELOAD removal", SH, HTTPS, blocked(Refused), blocked(Refused)),
    c("memfd_exec", "memfd exec", HTTPS, blocked(Refused), blocked(Refused)),
    c("threads", "threads", HTTPS, blocked(Refused), blocked(Refused)),
    c("daemon", "daemons", Control::Works, works(Either), works(Either)),
    c("atexit", "atexit", HTTPS, blocked(Refused), blocked(Refused)),
    script("child_bash", "interpreters", BASH, HTTPS, blocked(Refused), blocked(Refused)),
    script("child_dash", "interpreters", SH, HTTPS, blocked(Refused), blocked(Refused)),
    script("child_python", "interpreters", PYTHON, HTTPS, blocked(Refused), blocked(Refused)),
    script("child_perl", "interpreters", PERL, HTTPS, blocked(Refused), blocked(Refused)),
    script("child_node", "interpreters", NODE, HTTPS, blocked(Refused), blocked(Refused)),
    script("child_java", "interpreters", JAVA, HTTPS, blocked(Refused), blocked(Refused)),
    script("client_curl", "interpreters", SH, Control::Leaks("tcp 80"), blocked(Refused), blocked(Refused)),
    script("client_wget", "interpreters", SH, Control::Leaks("tcp 80"), blocked(Refused), blocked(Refused)),
    c("dns_getaddrinfo", "dns", Control::Leaks("udp 53"), works(Either), works(Either)),
    c("dns_udp53", "dns", Control::Leaks("udp 53"), blocked(Noted), blocked(Noted)),
    c("dns_tcp53", "dns", Control::Leaks("tcp 53"), blocked(Noted), blocked(Noted)),
    c("dns_doh", "dns", HTTPS, blocked(Refused), blocked(Refused)),
    c("dns_tunnel", "dns names as data", Control::Leaks("udp 53"), blocked(Noted), blocked(Noted)),
    c("metadata_v4", "cloud metadata", Control::Leaks("tcp 80"), blocked(Refused), blocked(Refused)),
    c("metadata_v6", "cloud metadata", Control::Leaks("tcp 80"), blocked(Refused), blocked(Refused)),
    c("own_ports", "own ports", Control::Leaks("host tcp 5432"), blocked(Noted), blocked(Noted)),
    c("host_udp", "own ports", Control::Leaks("host udp 9125"), blocked(Either), blocked(Either)),
    c("kill_supervisor", "supervisor", ITSELF, blocked(Either), blocked(Either)),
    c("tiocsti", "tiocsti", ITSELF, call(&["tiocsti", "ioctl"]), call(&["tiocsti", "ioctl"])),
    script("droppings", "droppings", SH, ITSELF, blocked(Quiet), blocked(Quiet)),
    c("write_outside", "files", ITSELF, blocked(Quiet), blocked(Quiet)),
    c("change_outside", "files", ITSELF, blocked(Quiet), blocked(Quiet)),
    c("read_outside", "files", ITSELF, blocked(Quiet), blocked(Quiet)),
    c("disk_fill", "filling the disk", ITSELF, blocked(Limited), blocked(Limited)),
    c("fork_bomb", "fork bombs", ITSELF, blocked(Limited), blocked(Limited)),
    c("shared_memory", "shared memory", ITSELF, blocked(Either), blocked(Either)),
    c("escape_calls", "escape calls", ITSELF, call(&["bpf"]), call(&["bpf"])),
    c("capabilities", "capabilities", ITSELF, blocked(Quiet), blocked(Quiet)),
];

/// A connection to a socket of the machine.
const CONNECTED: Expect = blocked(Violation(&["connect"]));
/// The same by somebody whose memory, or by a path that, cannot be looked at by everybody.
const UNREAD: Expect = blocked(Violation(&["connect", "unreadable_call"]));
/// Calls of another architecture.
const FOREIGN: Expect = blocked(Violation(&["foreign_arch"]));
const RING: &[&str] = &["ENOSYS", "EPERM"];
const NO_RING: &str = "the machine has io_uring switched off";

/// A call that breaks out.
const fn call(names: &'static [&'static str]) -> Expect {
    blocked(Violation(names))
}

#[test]
fn every_row_has_its_program_and_every_program_its_row() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/guard/probes");
    let files: std::collections::BTreeSet<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.ends_with(".h") && !["capture.c", "victim.c"].contains(&name.as_str()))
        .collect();
    let rows: std::collections::BTreeSet<String> = ALL
        .iter()
        .map(|probe| match probe.language {
            Language::C => format!("{}.c", probe.name),
            Language::Script { extension, .. } => format!("{}{extension}", probe.name),
        })
        .collect();
    assert_eq!(rows.len(), ALL.len(), "a row is there once");
    assert_eq!(files, rows);
}
