//! Each layer has a probe that nothing else holds: with the layer taken away alone (`EXEAT_WEAKEN`), its test fails.
//! That they do is what the mutation gate shows; here they pass.

use crate::ground::{As, inside};
use crate::no_egress::World;
use crate::runner::{Access, Cell, Exec, Rung};

/// Runs one probe with everything in place. As somebody without privilege where there is one: what a layer keeps from
/// root may be kept by the other's being root alone.
fn holds(test: &str, probe: &str, rung: Rung) {
    inside(module_path!(), test, |ground| {
        let world = World::make(ground);
        let scene = world.scene(*As::all().last().unwrap());
        let runner = Exec::new(ground);
        let programs: Vec<_> = world.programs.all().into_iter().filter(|program| program.probe.name == probe).collect();
        assert!(!programs.is_empty(), "there is a probe {probe}");
        for program in &programs {
            let wrong = world.check(&runner, Cell { program, rung, access: Access::Write, scene: &scene });
            assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        }
    });
}

#[test]
fn process_namespace_hides_who_could_be_signalled() {
    holds("process_namespace_hides_who_could_be_signalled", "kill_supervisor", Rung::A);
}

#[test]
fn mount_view_hides_what_was_not_given() {
    holds("mount_view_hides_what_was_not_given", "read_outside", Rung::A);
}

#[test]
fn descriptors_are_closed() {
    holds("descriptors_are_closed", "inherited_fds", Rung::A);
}

#[test]
fn landlock_keeps_files() {
    holds("landlock_keeps_files", "write_outside", Rung::B);
}

#[test]
fn files_of_others_are_not_changed() {
    // In A they are not in view.
    holds("files_of_others_are_not_changed", "change_outside", Rung::B);
}

#[test]
fn capabilities_are_given_up() {
    holds("capabilities_are_given_up", "capabilities", Rung::A);
}

#[test]
fn capture_tells_of_every_connection() {
    holds("capture_tells_of_every_connection", "tcp_v4", Rung::A);
}

#[test]
fn packets_are_dropped_and_told() {
    holds("packets_are_dropped_and_told", "multicast", Rung::A);
}

#[test]
fn vsock_is_refused() {
    holds("vsock_is_refused", "vsock", Rung::A);
}

#[test]
fn ptrace_is_refused_and_told() {
    holds("ptrace_is_refused_and_told", "ptrace", Rung::A);
}

#[test]
fn unix_sockets_of_the_machine_are_told_from_its_own() {
    holds("unix_sockets_of_the_machine_are_told_from_its_own", "unix_workspace", Rung::A);
}

#[test]
fn unreadable_calls_are_refused() {
    // In A the supervisor is above whatever its call makes unreadable.
    holds("unreadable_calls_are_refused", "unreadable", Rung::B);
}
