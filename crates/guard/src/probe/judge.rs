//! From what was found out to what holds. A layer holds when all that is asked of it was seen.

use super::inside::{CLOSED_PORT, END, NAMESERVER, NOWHERE_UDP, NOWHERE_V4, NOWHERE_V6};
use super::jail::{Evidence, HOST_NAME, OPEN_FILES};
use super::{Finding, State, layers};
use crate::Layer;
use crate::attempt::{Class, Destination};
use crate::door::Wanted;
use crate::rung::Rung;

/// Something that is asked of a layer, in words for when it was not so.
type Asked = (Layer, bool, &'static str);

/// What holds of a rung.
pub(super) fn findings(rung: Rung, evidence: &Evidence) -> Vec<Finding> {
    let mut asked = of_both(evidence);
    asked.extend(match rung {
        Rung::A => of_a(evidence),
        Rung::B => of_b(evidence),
    });
    layers(rung)
        .iter()
        .map(|layer| {
            let of_layer: Vec<&Asked> = asked.iter().filter(|(of, ..)| of == layer).collect();
            let failed: Vec<&str> = of_layer.iter().filter(|(_, held, _)| !held).map(|(.., what)| *what).collect();
            // INVARIANT: something is asked of each layer; of none would prove nothing.
            if !of_layer.is_empty() && failed.is_empty() {
                Finding { rung, layer: *layer, state: State::Live, reason: less(*layer, evidence), fix: None }
            } else {
                Finding { rung, layer: *layer, state: State::Broken, reason: Some(failed.join("; ")), fix: None }
            }
        })
        .collect()
}

/// What a layer that holds does not do here, though it does elsewhere.
fn less(layer: Layer, evidence: &Evidence) -> Option<String> {
    // Small numbers are somebody else's inside.
    let listed = layer == Layer::PidNamespace && evidence.pid > 300 && evidence.is("listed_outside", 1);
    listed.then(|| "the /proc of the machine is shown, covered as it is: its processes can be listed".to_owned())
}

/// What is said of a layer that could not be tried for lack of another.
pub(super) fn not_tried(missing: &str) -> String {
    format!("{NOT_TRIED} there is no {missing}")
}

/// Whether it is that which is said.
pub(super) fn is_untried(reason: &str) -> bool {
    reason.starts_with(NOT_TRIED)
}

const NOT_TRIED: &str = "not tried:";

/// The findings when one layer could not be put in place, and so no other could be tried.
pub(super) fn untried(rung: Rung, missing: Layer, reason: &str) -> Vec<Finding> {
    layers(rung)
        .iter()
        .map(|layer| {
            let reason = if *layer == missing { reason.to_owned() } else { not_tried(missing.as_str()) };
            Finding { rung, layer: *layer, state: State::Missing, reason: Some(reason), fix: None }
        })
        .collect()
}

fn of_both(e: &Evidence) -> Vec<Asked> {
    vec![
        (Layer::Spawner, e.is(END, 0), "what was started in the jail did not come to its end"),
        (Layer::Capabilities, e.is("capabilities", 0), "a command has capabilities"),
        (Layer::Capabilities, e.is("no_new_privileges", 1), "a command may gain privileges"),
        (Layer::Seccomp, e.is("filter", 2), "a command has no filter"),
        (Layer::Seccomp, e.is("clone3", libc::ENOSYS), "the filter does not answer clone3"),
        (Layer::Seccomp, e.refused("vsock"), "a vsock socket is not refused"),
        (Layer::Seccomp, e.refused("packet"), "a packet socket is not refused"),
        (Layer::Seccomp, e.is("unshare", libc::EPERM), "a namespace is not refused"),
        (Layer::Seccomp, e.is("ptrace", libc::EPERM), "tracing is not refused"),
        // Of what a container's own filter refuses before, the supervisor is not asked.
        (Layer::Notify, e.told("socket", "packet"), "an attempt to make a packet socket was not told"),
        (Layer::Notify, e.told("ptrace", "none"), "an attempt to trace was not told"),
        (Layer::Notify, !e.came_out && e.refused("host_socket"), "a socket of the machine was reached"),
        (Layer::Descriptors, e.is("descriptors_above_2", 0), "a command has more files open than it was given"),
        (Layer::Limits, e.is("open_files", OPEN_FILES), "more or fewer files can be open than was set"),
        (Layer::Limits, e.is("open_files_refused", libc::EMFILE), "the limit on open files does not hold"),
        (Layer::TreeDeath, e.lived_on, "a process that was left behind did not live, so nothing is proven"),
        (Layer::TreeDeath, e.died, "a process that was left behind outlived its jail"),
        (Layer::Landlock, e.refused("read_host_file"), "a file that was not given can be read"),
        (Layer::Landlock, e.in_domain(), "a command is in no domain"),
    ]
}

fn of_a(e: &Evidence) -> Vec<Asked> {
    let captured = |to: &str| to.parse().is_ok_and(|to| e.arrived.contains(&Wanted::Captured(to)));
    let v6 = captured(NOWHERE_V6) || e.refused("connect_v6");
    let udp_port = NOWHERE_UDP.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
    let sent = e.seen.iter().any(|seen| {
        let attempt = seen.attempt;
        seen.class == Class::Violation && (attempt.op, attempt.protocol, attempt.port) == ("send", "udp", udp_port)
    });
    let felt = e.seen.iter().any(|seen| {
        let attempt = seen.attempt;
        seen.class == Class::Notice
            && (attempt.op, attempt.destination, attempt.port) == ("connect", Destination::Loopback, Some(CLOSED_PORT))
    });
    let asked = e.asked.iter().any(|asked| NAMESERVER == format!("{asked}:53"));
    // Where the probe is itself process 1 of a container, that number is somebody else's inside.
    let hidden = e.pid <= 3 || e.is("signal_outside", libc::ESRCH);
    vec![
        (Layer::UserNamespace, e.apart("user"), "the user namespace is the machine's"),
        (Layer::NetworkNamespace, e.apart("net"), "the network namespace is the machine's"),
        (
            Layer::NetworkNamespace,
            !e.came_out && e.is("connect_host_loopback", libc::ECONNREFUSED),
            "a port of the machine's loopback was reached",
        ),
        (Layer::NetworkNamespace, e.arrived.contains(&Wanted::Proxy), "the proxy's listener was not reached"),
        (Layer::AnyAddress, asked && e.is("nameserver", 0), "a nameserver elsewhere was not answered for"),
        (Layer::NfTables, e.is("udp", libc::EPERM) || captured(NOWHERE_V4), "no rule is in force"),
        (Layer::TransparentProxy, captured(NOWHERE_V4), "a connection to a foreign IPv4 address was not captured"),
        (Layer::TransparentProxy, v6, "a connection to a foreign IPv6 address was not captured"),
        (Layer::PacketLog, e.is("udp", libc::EPERM), "a datagram to a foreign address was not refused"),
        (Layer::PacketLog, sent, "a datagram to a foreign address was not told"),
        (Layer::PacketLog, felt, "a connection to a closed port was not told"),
        (Layer::MountView, e.apart("mnt"), "the mount namespace is the machine's"),
        (Layer::MountView, e.is("read_host_file", libc::ENOENT), "a file of the machine can be seen"),
        (Layer::MountView, e.refused("write_system"), "a system folder can be written"),
        (Layer::PidNamespace, e.apart("pid"), "the process namespace is the machine's"),
        (Layer::PidNamespace, hidden, "a process of the machine can be seen"),
        (Layer::OtherNamespaces, e.apart("ipc"), "the IPC namespace is the machine's"),
        (Layer::OtherNamespaces, e.apart("uts"), "the namespace of the host name is the machine's"),
        (Layer::OtherNamespaces, e.apart("cgroup"), "the namespace of cgroups is the machine's"),
        (
            Layer::OtherNamespaces,
            e.said.get("host_name").is_some_and(|name| name == HOST_NAME),
            "the host name is not the one that was set",
        ),
        (Layer::Capabilities, e.is("capabilities_to_be_had", 0), "a command can have capabilities"),
        (Layer::Capabilities, e.is("privileged_port", libc::EACCES), "a privileged port can be taken"),
    ]
}

fn of_b(e: &Evidence) -> Vec<Asked> {
    let brought = |to: &str| to.parse().is_ok_and(|to| e.arrived.contains(&Wanted::Captured(to)));
    let v6 = brought(NOWHERE_V6) || e.refused("connect_v6");
    vec![
        (Layer::Landlock, e.is("read_host_file", libc::EACCES), "a file that was not given is not refused"),
        (Layer::Landlock, e.is("signal_outside", libc::EPERM), "a process of the machine can be signalled"),
        (Layer::Seccomp, e.refused("udp"), "a datagram can be sent"),
        (Layer::SocketInjection, brought(NOWHERE_V4), "a connection to a foreign IPv4 address did not arrive"),
        (Layer::SocketInjection, v6, "a connection to a foreign IPv6 address did not arrive"),
        (Layer::SocketInjection, e.arrived.contains(&Wanted::Proxy), "the proxy was not reached"),
        (Layer::SocketInjection, !e.came_out, "a port of the machine's loopback was reached"),
    ]
}

impl Evidence {
    /// Whether this was said of it.
    fn is(&self, name: &str, number: i32) -> bool {
        self.said.get(name).and_then(|said| said.parse().ok()) == Some(number)
    }

    /// Whether it was tried and failed.
    fn refused(&self, name: &str) -> bool {
        self.said.get(name).is_some_and(|number| number != "0")
    }

    /// Whether the namespace inside is another than out here.
    fn apart(&self, kind: &str) -> bool {
        let inside = self.said.get(&format!("namespace_{kind}"));
        inside.is_some() && self.namespaces.contains_key(kind) && inside != self.namespaces.get(kind)
    }

    /// Whether it is in a domain of Landlock more than out here.
    fn in_domain(&self) -> bool {
        let inside = self.said.get("domains_left").and_then(|left| left.parse().ok());
        inside.is_some_and(|left: usize| left < self.domains_left)
    }

    /// Whether this violation was told.
    fn told(&self, op: &str, family: &str) -> bool {
        self.seen
            .iter()
            .any(|seen| seen.class == Class::Violation && seen.attempt.op == op && seen.attempt.family == family)
    }
}
