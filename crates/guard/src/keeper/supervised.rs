//! The keeper of rung B: no namespaces, so it is the one that orphans fall back to, and it hunts them down itself.
//!
//! What holds a call here is the filter, whose sockets the supervisor makes and whose files it changes, and Landlock,
//! which is why both are required. A folder of the call's own is made in `/tmp`, measured, and removed at the end.
//! Commands may not signal the keeper (Landlock), so none can take away what will kill it.

use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::scratch::{Scratch, clear};
use super::{Keeper, Usage, tree};
use crate::child::Setting;
use crate::error::{LaunchError, Layer};
use crate::plan::{Limits, Plan};
use crate::protocol::{self, Part, Told};
use crate::rung::Rung;
use crate::stages::Clock;
use crate::sys::process;
use crate::{caps, filter, given, rules};

/// How much less nice the keeper is than its commands, where root runs them: there the kernel counts no processes.
const HURRY: libc::c_int = 10;
/// Between two rounds of the hunt.
const ROUND: Duration = Duration::from_millis(2);

/// Becomes the keeper of a jail. The process is fresh, and still has the spawner's memory and descriptors.
pub(crate) fn run(plan: &Plan, control: &OwnedFd, clock: Clock) -> ! {
    let _end = process::End;
    match set_up(plan, control, clock) {
        Ok(keeper) => keeper.serve(),
        Err(error) => {
            protocol::tell_failure(control, &error);
            process::exit_now(125)
        }
    }
}

fn set_up(plan: &Plan, control: &OwnedFd, mut clock: Clock) -> Result<Keeper, LaunchError> {
    let spawner = LaunchError::spawner;
    process::block_signals().map_err(spawner)?;
    process::close_all_but(&[control.as_raw_fd()]).map_err(spawner)?;
    let control = control.try_clone().map_err(spawner)?;
    process::new_session().map_err(spawner)?;
    process::control(libc::PR_SET_CHILD_SUBREAPER, 1).map_err(LaunchError::of(Layer::TreeDeath, "take in orphans"))?;
    process::control(libc::PR_SET_DUMPABLE, 0).map_err(spawner)?;
    let niceness = hurry();
    caps::give_up().map_err(LaunchError::of(Layer::Capabilities, "give up"))?;
    let scratch = make_scratch().map_err(LaunchError::of(Layer::MountView, "make a folder for its own files"))?;
    clock.mark("capabilities and scratch");
    let ready = prepare(plan, &control, &scratch, clock);
    if ready.is_err() {
        clear(&scratch);
    }
    let (mut setting, children, measured) = ready?;
    setting.niceness = niceness;
    let usage = Usage::of(&setting, Some(measured));
    Ok(Keeper { control, children, setting, running: Vec::new(), usage, end })
}

/// The kernel counts all processes that a user has: those that there are already are not to be the call's.
fn beside_others(limits: Limits) -> Limits {
    let (user, _) = process::identity();
    // Root's it does not count, and the keeper counts a call's own.
    if user == 0 || limits.processes == 0 {
        return limits;
    }
    Limits { processes: limits.processes.saturating_add(tree::crowd_of(user)), ..limits }
}

fn prepare(
    plan: &Plan,
    control: &OwnedFd,
    scratch: &Path,
    mut clock: Clock,
) -> Result<(Setting, OwnedFd, Scratch), LaunchError> {
    let rules = rules::supervised(&plan.view, scratch)?;
    clock.mark("landlock made");
    let program = filter::program(Rung::B).map_err(LaunchError::filter)?;
    clock.mark("filter made");
    let children = process::child_signals().map_err(LaunchError::spawner)?;
    let myself = process::own_handle().map_err(LaunchError::spawner)?;
    let held = given::hold(scratch).map_err(LaunchError::spawner)?;
    let measured = Scratch::new(scratch, plan.view.scratch()).map_err(LaunchError::of(Layer::Limits, "measure"))?;
    protocol::tell(
        control.as_fd(),
        &Told::Ready { parts: vec![Part::Keeper, Part::Scratch], stages: clock.stages() },
        &[myself.as_fd(), held.as_fd()],
    )
    .map_err(LaunchError::spawner)?;
    let (scratch, limits) = (Some(scratch.to_owned()), beside_others(plan.limits));
    Ok((Setting { rung: Rung::B, program, limits, rules, scratch, niceness: None }, children, measured))
}

/// Has the keeper run before others, where it may: with it are counted those who would not let it. What the niceness
/// was, where it is not any more.
fn hurry() -> Option<libc::c_int> {
    let before = process::niceness();
    process::set_niceness(before.saturating_sub(HURRY)).ok().map(|()| before)
}

/// A folder that nobody else has, for the home and what is temporary.
fn make_scratch() -> std::io::Result<PathBuf> {
    let mut random = [0_u8; 16];
    // SAFETY: a buffer of this length that outlives the call.
    crate::sys::check(unsafe { libc::getrandom(random.as_mut_ptr().cast(), random.len(), 0) } as i64)?;
    let name: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let path = Path::new("/tmp").join(format!("exeat-{name}"));
    let mut builder = std::fs::DirBuilder::new();
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(&path)?;
    Ok(path)
}

/// Kills everybody who descends from here until nobody does, and ends.
fn end(setting: &Setting) -> ! {
    // Stopped first, so that none makes others while the rest is being killed.
    tree::signal_descendants(libc::SIGSTOP);
    loop {
        tree::signal_descendants(libc::SIGKILL);
        loop {
            match process::reap() {
                Ok(Some(_)) => {}
                Ok(None) => break,
                // No children left: nor anybody else, as orphans become children of this process.
                Err(_) => {
                    if let Some(scratch) = &setting.scratch {
                        clear(scratch);
                    }
                    process::exit_now(0)
                }
            }
        }
        let _ = process::wait_for(&mut [], Some(ROUND));
    }
}
