//! Takes every protection away once, and wants to see that it was noticed.
//!
//! One build has them all as switches (feature `weaken`); then each is switched off alone, and the tests that are to
//! notice must fail. Before that the same tests pass with nothing switched off: otherwise their failing says nothing.

use anyhow::{Result, ensure};

use super::{AUTH_COVERAGE, Count, EVENT_LOG, Ground, Group, World};
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

pub(super) fn run() -> Result<()> {
    let outcome = all();
    // What is left in the place of the binary must have no switches.
    build_binary(For::Tests)?;
    outcome
}

fn all() -> Result<()> {
    let world = World::make(For::Mutations)?;
    let (mut noticed, mut survived) = (0, Vec::new());
    let mut sound: Vec<&str> = Vec::new();
    for Weakness { name, noticed_by } in &WEAKNESSES {
        if !sound.contains(&noticed_by.filter) {
            let (count, _) = world.run(*noticed_by, None)?;
            let passes = count.failed == 0 && count.ignored == 0 && count.passed > 0;
            ensure!(passes, "`{}` does not pass with every protection in place: {count:?}", noticed_by.filter);
            sound.push(noticed_by.filter);
        }
        let (Count { failed, passed, .. }, _) = world.run(*noticed_by, Some(name))?;
        println!(
            "{name:<24} {} ({failed} of {} tests)",
            if failed > 0 { "noticed" } else { "SURVIVED" },
            failed + passed
        );
        if failed > 0 { noticed += 1 } else { survived.push(*name) }
    }
    println!("gate mutation: {noticed} of {} weaknesses noticed", WEAKNESSES.len());
    ensure!(survived.is_empty(), "not noticed: {}", survived.join(", "));
    Ok(())
}
