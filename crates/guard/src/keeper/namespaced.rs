//! The keeper of rung A: process 1 of namespaces of its own.
//!
//! The order matters. Ids come first, as everything else needs the capabilities they bring; the network before the
//! view, as its sockets are told of; the view before Landlock, which forbids mounts; and all of it before the first
//! word to the supervisor, so that a jail that is told of lacks nothing.

use std::fs::File;
use std::io::{PipeReader, Read as _, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};

use super::{Keeper, Usage};
use crate::child::Setting;
use crate::error::{LaunchError, Layer};
use crate::net::{self, Inside};
use crate::plan::Plan;
use crate::protocol::{self, Part, Told};
use crate::rung::Rung;
use crate::spawner::Caller;
use crate::stages::Clock;
use crate::sys::{check_int, process};
use crate::view::{self, Trees};
use crate::{caps, filter, rules};

/// How many exposed listeners one message brings.
const EXPOSED_AT_ONCE: usize = 8;

/// Becomes the keeper of a jail. The process is fresh, in namespaces of its own, and still has the spawner's memory
/// and descriptors.
pub(crate) fn run(
    plan: &Plan,
    control: &OwnedFd,
    caller: Caller,
    trees: Trees,
    gate: Option<PipeReader>,
    clock: Clock,
) -> ! {
    let _end = process::End;
    match set_up(plan, control, caller, trees, gate, clock) {
        Ok(keeper) => keeper.serve(),
        Err(error) => {
            protocol::tell_failure(control, &error);
            process::exit_now(125)
        }
    }
}

fn set_up(
    plan: &Plan,
    control: &OwnedFd,
    caller: Caller,
    trees: Trees,
    gate: Option<PipeReader>,
    mut clock: Clock,
) -> Result<Keeper, LaunchError> {
    let spawner = LaunchError::spawner;
    // Before the first child: the end of one that is fast would be lost otherwise.
    process::block_signals().map_err(spawner)?;
    let mut kept = trees.numbers();
    kept.push(control.as_raw_fd());
    kept.extend(gate.as_ref().map(|gate| gate.as_raw_fd()));
    process::close_all_but(&kept).map_err(spawner)?;
    let control = control.try_clone().map_err(spawner)?;

    clock.mark("namespaces");
    become_mapped(caller, gate).map_err(LaunchError::of(Layer::UserNamespace, "map the ids"))?;
    clock.mark("ids");
    let inside = net::set_up(&plan.exposed_ports, &mut clock)?;
    name_host(&plan.host_name).map_err(LaunchError::of(Layer::OtherNamespaces, "set the host name"))?;
    view::build(&plan.view, trees)?;
    clock.mark("view");
    process::control(libc::PR_SET_DUMPABLE, 0).map_err(spawner)?;
    caps::give_up().map_err(LaunchError::of(Layer::Capabilities, "give up"))?;
    // The second string, should this process be stuck where it does not hear the control socket. Not earlier: the
    // kernel forgets it when ids change.
    process::control(libc::PR_SET_PDEATHSIG, libc::SIGKILL as u64)
        .map_err(LaunchError::of(Layer::TreeDeath, "die with the spawner"))?;
    clock.mark("capabilities");
    rules::namespaced(&plan.view)?;
    clock.mark("landlock");
    let program = filter::program(Rung::A).map_err(LaunchError::filter)?;
    clock.mark("filter made");
    let children = process::child_signals().map_err(spawner)?;
    let myself = process::own_handle().map_err(spawner)?;
    tell(control.as_fd(), &myself, &inside, clock).map_err(spawner)?;
    let setting = Setting { rung: Rung::A, program, limits: plan.limits, rules: None, scratch: None, niceness: None };
    // The kernel kills all others of this namespace.
    let end = |_: &Setting| process::exit_now(0);
    let usage = Usage::of(&setting, None);
    Ok(Keeper { control, children, setting, running: Vec::new(), usage, end })
}

/// Gets the ids inside: root's call waits until the spawner has mapped them, others map themselves to themselves.
fn become_mapped(caller: Caller, gate: Option<PipeReader>) -> std::io::Result<()> {
    let (uid, gid) = caller.inside();
    if let Some(mut gate) = gate {
        gate.read_exact(&mut [0])?;
        return process::become_user(uid, gid);
    }
    // Only who may be looked into has files of its own in /proc; nobody else runs here yet.
    process::control(libc::PR_SET_DUMPABLE, 1)?;
    let write = |name: &str, text: &str| {
        File::options().write(true).open(format!("/proc/self/{name}"))?.write_all(text.as_bytes())
    };
    write("setgroups", "deny")?;
    write("uid_map", &format!("{uid} {uid} 1"))?;
    write("gid_map", &format!("{gid} {gid} 1"))
}

fn name_host(name: &str) -> std::io::Result<()> {
    // SAFETY: bytes with their length, which outlive the call.
    check_int(unsafe { libc::sethostname(name.as_ptr().cast(), name.len()) }).map(drop)
}

fn tell(control: BorrowedFd<'_>, myself: &OwnedFd, inside: &Inside, clock: Clock) -> std::io::Result<()> {
    let mut with = vec![
        (Part::Keeper, myself.as_fd()),
        (Part::Proxy, inside.proxy.as_fd()),
        (Part::CapturedV4, inside.captured_v4.as_fd()),
        (Part::NameserverUdp, inside.nameserver_udp.as_fd()),
        (Part::NameserverTcp, inside.nameserver_tcp.as_fd()),
        (Part::Packets, inside.packets.as_fd()),
        (Part::UnixDiag, inside.unix_diag.as_fd()),
    ];
    if let Some(captured) = &inside.captured_v6 {
        with.push((Part::CapturedV6, captured.as_fd()));
    }
    let (parts, fds): (Vec<Part>, Vec<BorrowedFd<'_>>) = with.into_iter().unzip();
    protocol::tell(control, &Told::Ready { parts, stages: clock.stages() }, &fds)?;
    for some in inside.exposed.chunks(EXPOSED_AT_ONCE) {
        let fds: Vec<_> = some.iter().map(|fd| fd.as_fd()).collect();
        protocol::tell(control, &Told::Exposed, &fds)?;
    }
    Ok(())
}
