//! The process that starts jails: one thread, no environment, nothing secret.
//!
//! A process with threads must not be copied: whatever another thread holds (a lock of the allocator, a file) is held
//! forever in the copy, and the copy has everything that the original had open. So the supervisor has this one do it:
//! the same program executed anew, with a socket as its only descriptor worth anything. A jail's own socket passes
//! through it and is dropped before the next request, so no jail ever holds another one's.
//!
//! A program that starts one jail and ends can have its spawner copied instead of executed, as long as it has done
//! nothing else ([`prepare_if_asked`]).

mod caller;
mod early;
mod idmap;

use std::io::Write as _;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};

use crate::error::{LaunchError, Layer};
use crate::keeper;
use crate::protocol::{self, Told};
use crate::rung::Rung;
use crate::stages::Clock;
use crate::sys::{fd, process};
use crate::view::Trees;
use crate::{probe, weaken};
pub(crate) use caller::Caller;
pub use early::prepare_if_asked;
pub(crate) use early::{Early, take as take_early};
pub(crate) use idmap::Identities;

/// What the spawner is asked by.
pub(crate) const ARGUMENT: &str = "__spawner";
/// The user and group that a call of root runs as.
pub(crate) const NOBODY: u32 = 65534;
/// LIMIT: a request is a word; what it is about comes in a file.
const REQUEST_MAX: usize = 16;

/// Serves as the spawner when this process was started as one, and then never returns; else does nothing.
///
/// To be called first of all in `main`, before anything has a thread.
pub fn run_if_asked() {
    if std::env::args_os().nth(1).is_some_and(|argument| argument == ARGUMENT) {
        let Ok(socket) = process::copy_above(std::io::stdin().as_fd(), 3) else { process::exit_now(125) };
        serve(&socket);
    }
    probe::run_if_asked();
}

/// Serves at a socket, which is no standard descriptor.
fn serve(socket: &OwnedFd) -> ! {
    let _end = process::End;
    if prepare(socket).is_err() {
        process::exit_now(125);
    }
    let caller = Caller::current();
    let mut identities = Identities::default();
    // Those made from here on have them blocked too, and none that means anything but what every program expects.
    process::plain_signals();
    let Ok(ended) = process::block_signals().and_then(|()| process::child_signals()) else { process::exit_now(125) };
    if caller == Caller::Root {
        // Nearly every call of root's needs it, and before the first there is time. Whoever needs it and cannot have
        // it is told then.
        let _ = identities.namespace();
    }
    let mut request = [0; REQUEST_MAX];
    loop {
        let mut watched = [process::readable(socket.as_fd()), process::readable(ended.as_fd())];
        if process::wait_for(&mut watched, None).is_err() {
            process::exit_now(125);
        }
        let [asked, children] = watched;
        if children.revents != 0 {
            process::forget_signals(&ended);
            while matches!(process::reap(), Ok(Some(_))) {}
        }
        if asked.revents == 0 {
            continue;
        }
        let Ok(Some((_, with))) = fd::receive(socket.as_fd(), &mut request) else { process::exit_now(0) };
        if let Ok([plan, control]) = protocol::exactly(with)
            && let Err(error) = start(plan, &control, caller, &mut identities)
        {
            protocol::tell_failure(&control, &error);
        }
    }
}

fn prepare(socket: &OwnedFd) -> std::io::Result<()> {
    // Its own session: the keys that end the supervisor's group (ctrl-C) are not for jails.
    process::new_session()?;
    process::control(libc::PR_SET_DUMPABLE, 0)?;
    let own = u32::try_from(socket.as_raw_fd()).unwrap_or(3);
    process::close_between(3, own.saturating_sub(1))?;
    process::close_between(own.saturating_add(1), u32::MAX)?;
    // What was the socket, or the streams of the original, is nothing from now on: nobody inherits it by mistake.
    let null = std::fs::File::options().read(true).write(true).open("/dev/null")?;
    for standard in 0..3 {
        process::put_at(null.as_fd(), standard)?;
    }
    drop(null);
    if process::identity().0 == 0 {
        process::leave_groups()?;
    }
    process::change_folder(c"/")?;
    process::mask_modes(0o022);
    protocol::tell(socket.as_fd(), &Told::Started, &[])
}

/// Starts one keeper.
fn start(plan: OwnedFd, control: &OwnedFd, caller: Caller, identities: &mut Identities) -> Result<(), LaunchError> {
    let mut clock = Clock::start();
    let plan = protocol::read_plan(plan).map_err(LaunchError::spawner)?;
    if plan.rung == Rung::B {
        // SAFETY: the spawner has one thread.
        return match unsafe { process::clone(0) }.map_err(LaunchError::of(Layer::Spawner, "clone"))? {
            Some(_) => Ok(()),
            None => {
                clock.mark("plan and fork");
                keeper::supervised::run(&plan, control, clock)
            }
        };
    }
    clock.mark("plan");
    let (trees, gate) = match caller {
        Caller::Root => {
            let gate = std::io::pipe().map_err(LaunchError::of(Layer::Spawner, "make a pipe"))?;
            (Trees::as_root(&plan.view, identities)?, Some(gate))
        }
        Caller::User { .. } => (Trees::default(), None),
    };
    clock.mark("folders taken");
    // SAFETY: the spawner has one thread.
    let made = unsafe { process::clone(namespaces()) }
        .map_err(LaunchError::of(Layer::UserNamespace, "make the namespaces"))?;
    let Some(made) = made else {
        keeper::namespaced::run(&plan, control, caller, trees, gate.map(|(reader, _)| reader), clock);
    };
    if let Some((_, mut writer)) = gate {
        if let Err(error) = idmap::map(made.pid, &format!("{NOBODY} {NOBODY} 1")) {
            let _ = process::signal_handle(made.handle.as_fd(), libc::SIGKILL);
            return Err(LaunchError::of(Layer::UserNamespace, "map the ids")(error));
        }
        // That it is gone already, its closed socket tells.
        let _ = writer.write_all(b"m");
    }
    Ok(())
}

fn namespaces() -> libc::c_int {
    let all = libc::CLONE_NEWUSER
        | libc::CLONE_NEWNET
        | libc::CLONE_NEWNS
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWCGROUP;
    if weaken::asked("skip_pid_namespace") { all } else { all | libc::CLONE_NEWPID }
}
