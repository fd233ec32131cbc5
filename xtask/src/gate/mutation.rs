//! Takes every protection away once, and wants to see that it was noticed.
//!
//! One build has them all as switches (feature `weaken`); then each is switched off alone, and the tests that are to
//! notice must fail. Before that the same tests pass with nothing switched off: otherwise their failing says nothing.

use anyhow::{Result, ensure};

use super::cases::World;
use super::{AUTH_COVERAGE, EVENT_LOG, Ground, Group};
use crate::cargo::{For, build_binary};

/// A protection that is taken away, and who notices.
struct Weakness {
    name: &'static str,
    noticed_by: Group,
}

/// The tests that run a program, or a few, against one protection.
const fn layer(name: &'static str, filter: &'static str) -> Weakness {
    Weakness { name, noticed_by: Group { filter, target: Some("guard"), ground: Ground::Unconnected } }
}

const WEAKNESSES: [Weakness; 19] = [
    layer("skip_pid_namespace", "layers::process_namespace"),
    layer("host_mount_view", "layers::mount_view"),
    layer("leave_fd_open", "layers::descriptors"),
    layer("skip_landlock", "layers::landlock"),
    layer("keep_capabilities", "layers::capabilities"),
    layer("skip_nft", "layers::capture"),
    layer("skip_packet_log_drop", "layers::packets"),
    layer("drop_vsock_rule", "layers::vsock"),
    layer("drop_ptrace_rule", "layers::ptrace"),
    layer("skip_unix_guard", "layers::unix_sockets"),
    layer("skip_file_guard", "layers::files_of_others"),
    layer("continue_on_unreadable", "layers::unreadable"),
    layer("log_errno", "evidence::is_the_same_every_time"),
    layer("plain_hash", "evidence::is_keyed"),
    layer("widen_default_allowlist", "state::nothing_is_allowed"),
    Weakness { name: "swallow_log_error", noticed_by: EVENT_LOG },
    Weakness { name: "unauthenticated_route", noticed_by: AUTH_COVERAGE },
    Weakness { name: "drop_tool_from_matrix", noticed_by: AUTH_COVERAGE },
    Weakness { name: "any_token_is_owner", noticed_by: AUTH_COVERAGE },
];

pub(super) fn run() -> Result<String> {
    let outcome = all();
    // What is left in the place of the binary must have no switches.
    build_binary(For::Tests)?;
    outcome
}

fn all() -> Result<String> {
    let world = World::make(For::Mutations)?;
    // Every group once as it is, and then for each of its weaknesses.
    let (mut cases, mut of) = (Vec::new(), Vec::new());
    let mut groups: Vec<Group> = Vec::new();
    for Weakness { name, noticed_by } in &WEAKNESSES {
        let (found, ignored) = world.cases(*noticed_by)?;
        ensure!(!found.is_empty() && ignored == 0, "`{}` names {ignored} ignored tests, or none", noticed_by.filter);
        let mut add = |weakness: Option<&'static str>| {
            of.extend(found.iter().map(|_| (noticed_by.filter, weakness)));
            cases.extend(found.iter().map(|case| case.with(weakness)));
        };
        if !groups.contains(noticed_by) {
            groups.push(*noticed_by);
            add(None);
        }
        add(Some(name));
    }
    let mut unsound = Vec::new();
    let mut failed = vec![0; WEAKNESSES.len()];
    world.run(&cases, |index, ran| {
        let weakness = of.get(index).and_then(|(_, weakness)| *weakness).unwrap_or("everything in place");
        let how = if ran.passed { "passes" } else { "fails" };
        println!("  {how:<6} {:>6.1} s  {}: {weakness}", ran.took.as_secs_f64(), ran.name);
        let Some((filter, weakness)) = of.get(index).copied().filter(|_| !ran.passed) else { return };
        match WEAKNESSES.iter().position(|known| Some(known.name) == weakness) {
            Some(place) => failed.iter_mut().skip(place).take(1).for_each(|count| *count += 1),
            None => unsound.push(format!("{filter}: {}\n{}\n{}", ran.name, ran.said, ran.complained)),
        }
    })?;
    ensure!(unsound.is_empty(), "with every protection in place these fail:\n{}", unsound.join("\n"));
    let mut survived = Vec::new();
    for (Weakness { name, .. }, failed) in WEAKNESSES.iter().zip(failed) {
        let tests = of.iter().filter(|(_, weakness)| *weakness == Some(*name)).count();
        println!("{name:<24} {} ({failed} of {tests} tests)", if failed > 0 { "noticed" } else { "SURVIVED" });
        if failed == 0 {
            survived.push(*name);
        }
    }
    let noticed = WEAKNESSES.len() - survived.len();
    let line = format!("gate mutation: {noticed} of {} weaknesses noticed", WEAKNESSES.len());
    println!("{line}");
    ensure!(survived.is_empty(), "not noticed: {}", survived.join(", "));
    Ok(line)
}
