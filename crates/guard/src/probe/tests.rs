//! What is made of evidence. That the evidence itself is true is for the tests that run jails.

use std::collections::BTreeMap;

use super::inside::{NOWHERE_V4, NOWHERE_V6};
use super::jail::Evidence;
use super::*;
use crate::attempt::{Attempt, Destination, Seen};
use crate::door::Wanted;

fn said(lines: &str) -> BTreeMap<String, String> {
    lines
        .split_whitespace()
        .filter_map(|line| line.split_once('='))
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .collect()
}

/// What is found when everything holds.
fn held(rung: Rung) -> Evidence {
    let loopback = [127, 0, 0, 1].into();
    let packet = Attempt { family: "packet", ..Attempt::call("socket", Destination::Kernel) };
    let mut evidence = Evidence {
        said: said(
            "end=0 capabilities=0 no_new_privileges=1 filter=2 clone3=38 vsock=97 packet=97 unshare=1 ptrace=1 host_socket=13 \
             descriptors_above_2=0 open_files=40 open_files_refused=24 read_host_file=13 signal_outside=1 udp=97 \
             connect_v4=0 connect_v6=0 domains_left=15",
        ),
        seen: vec![Seen::violation(Attempt::call("ptrace", Destination::Process)), Seen::violation(packet)],
        arrived: vec![Wanted::Proxy],
        pid: 1000,
        domains_left: 16,
        lived_on: true,
        died: true,
        ..Evidence::default()
    };
    evidence.arrived.extend([NOWHERE_V4, NOWHERE_V6].iter().filter_map(|to| Some(Wanted::Captured(to.parse().ok()?))));
    if rung == Rung::A {
        evidence.said.extend(said(
            "udp=1 read_host_file=2 host_socket=2 write_system=30 signal_outside=3 host_name=exeat-probe nameserver=0 \
             connect_host_loopback=111 capabilities_to_be_had=0 privileged_port=13",
        ));
        evidence.asked = vec![[192, 0, 2, 53].into()];
        for kind in machine::NAMESPACES {
            evidence.namespaces.insert(kind, format!("{kind}:[1]"));
            evidence.said.insert(format!("namespace_{kind}"), format!("{kind}:[2]"));
        }
        evidence.seen.extend([
            Seen::violation(Attempt::towards("send", "udp", [192, 0, 2, 9].into(), 9)),
            Seen::notice(Attempt::towards("connect", "tcp", loopback, inside::CLOSED_PORT)),
        ]);
    }
    evidence
}

fn not_live(rung: Rung, evidence: &Evidence) -> Vec<Layer> {
    let findings = judge::findings(rung, evidence);
    findings.into_iter().filter(|finding| finding.state != State::Live).map(|finding| finding.layer).collect()
}

#[test]
fn a_layer_lives_when_all_of_it_was_seen() {
    for rung in [Rung::A, Rung::B] {
        assert_eq!(not_live(rung, &held(rung)), [], "{rung}");
        let report = Report::of(judge::findings(rung, &held(rung)));
        assert_eq!(report.rungs, [rung]);
        assert_eq!(report.findings.len(), layers(rung).len());
        assert_eq!(report.obstacle(rung), None);
    }
}

#[test]
fn of_nothing_nothing_lives() {
    for rung in [Rung::A, Rung::B] {
        assert_eq!(not_live(rung, &Evidence::default()), layers(rung));
    }
}

#[test]
fn what_was_said_otherwise_breaks_its_layer() {
    for (rung, line, broken) in [
        (Rung::A, "udp=0", &[Layer::PacketLog][..]),
        (Rung::A, "domains_left=16", &[Layer::Landlock]),
        (Rung::A, "nameserver=111", &[Layer::AnyAddress]),
        (Rung::A, "read_host_file=0", &[Layer::MountView, Layer::Landlock]),
        (Rung::A, "write_system=0", &[Layer::MountView]),
        (Rung::A, "host_socket=0", &[Layer::Notify]),
        (Rung::A, "signal_outside=0", &[Layer::PidNamespace]),
        (Rung::A, "namespace_user=user:[1]", &[Layer::UserNamespace]),
        (Rung::A, "namespace_net=net:[1]", &[Layer::NetworkNamespace]),
        (Rung::A, "namespace_mnt=mnt:[1]", &[Layer::MountView]),
        (Rung::A, "namespace_pid=pid:[1]", &[Layer::PidNamespace]),
        (Rung::A, "namespace_ipc=ipc:[1]", &[Layer::OtherNamespaces]),
        (Rung::A, "host_name=localhost", &[Layer::OtherNamespaces]),
        (Rung::A, "connect_host_loopback=0", &[Layer::NetworkNamespace]),
        (Rung::A, "privileged_port=0", &[Layer::Capabilities]),
        (Rung::A, "capabilities_to_be_had=41", &[Layer::Capabilities]),
        (Rung::B, "capabilities=1024", &[Layer::Capabilities]),
        (Rung::B, "no_new_privileges=0", &[Layer::Capabilities]),
        (Rung::B, "filter=0", &[Layer::Seccomp]),
        (Rung::B, "vsock=0", &[Layer::Seccomp]),
        (Rung::B, "packet=0", &[Layer::Seccomp]),
        (Rung::B, "unshare=0", &[Layer::Seccomp]),
        (Rung::B, "ptrace=3", &[Layer::Seccomp]),
        (Rung::B, "clone3=22", &[Layer::Seccomp]),
        (Rung::B, "udp=0", &[Layer::Seccomp]),
        (Rung::B, "descriptors_above_2=1", &[Layer::Descriptors]),
        (Rung::B, "open_files=1024", &[Layer::Limits]),
        (Rung::B, "read_host_file=0", &[Layer::Landlock]),
        (Rung::B, "signal_outside=0", &[Layer::Landlock]),
        (Rung::B, "end=1", &[Layer::Spawner]),
    ] {
        let mut evidence = held(rung);
        evidence.said.extend(said(line));
        assert_eq!(not_live(rung, &evidence), broken, "{rung} {line}");
        assert_eq!(Report::of(judge::findings(rung, &evidence)).rungs, []);
    }
}

#[test]
fn what_the_other_side_did_not_see_breaks_its_layer() {
    type Change = fn(&mut Evidence);
    let cases: [(Rung, Change, &[Layer]); 8] = [
        (Rung::A, |e| e.arrived.clear(), &[Layer::NetworkNamespace, Layer::TransparentProxy]),
        (Rung::A, |e| e.asked.clear(), &[Layer::AnyAddress]),
        (Rung::A, |e| e.seen.retain(|seen| seen.attempt.op != "send"), &[Layer::PacketLog]),
        (Rung::A, |e| e.seen.retain(|seen| seen.attempt.op != "connect"), &[Layer::PacketLog]),
        (Rung::A, |e| e.seen.clear(), &[Layer::PacketLog, Layer::Notify]),
        (Rung::B, |e| e.arrived.clear(), &[Layer::SocketInjection]),
        (Rung::B, |e| e.died = false, &[Layer::TreeDeath]),
        (Rung::B, |e| e.came_out = true, &[Layer::Notify, Layer::SocketInjection]),
    ];
    for (at, (rung, change, broken)) in cases.into_iter().enumerate() {
        let mut evidence = held(rung);
        change(&mut evidence);
        let mut found = not_live(rung, &evidence);
        found.sort_unstable();
        let mut broken = broken.to_vec();
        broken.sort_unstable();
        assert_eq!(found, broken, "case {at}");
    }
}

#[test]
fn the_canonical_text_says_states_and_nothing_of_the_machine() {
    let report = Report::of(judge::untried(Rung::B, Layer::Landlock, "landlock: make rules: errno 95"));
    assert_eq!(
        report.canonical(),
        "B spawner missing\nB capabilities missing\nB landlock missing\nB seccomp missing\nB notify missing\n\
         B socket_injection missing\nB descriptors missing\nB limits missing\nB tree_death missing\n"
    );
    assert!(report.findings.iter().any(|finding| finding.fix.as_deref().is_some_and(|fix| fix.contains("landlock"))));
}
