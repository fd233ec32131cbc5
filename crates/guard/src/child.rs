//! From a copy of the keeper to a command: the last steps, in the order in which each can still be taken.
//!
//! A layer that fails ends the process before anything of the command runs. The filter comes last, so that nothing of
//! ours is asked about; after it, the listener is handed out and every descriptor but 0 to 2 is closed.

mod program;

pub(crate) use program::Program;

use std::io::{PipeWriter, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use crate::error::{LaunchError, Layer};
use crate::plan::Limits;
use crate::protocol::{self, Failure, Told};
use crate::rules::Rules;
use crate::rung::Rung;
use crate::stages::Clock;
use crate::sys::process;
use crate::terminal::{self, Terminal};
use crate::{filter, limits, weaken};

/// What is the same for all commands of a jail.
#[derive(Debug)]
pub(crate) struct Setting {
    pub(crate) rung: Rung,
    pub(crate) program: filter::Program,
    pub(crate) limits: Limits,
    /// Rules that each command puts on itself (rung B); in rung A the keeper has them already.
    pub(crate) rules: Option<Rules>,
    /// A folder of its own, for the home and what is temporary (rung B).
    pub(crate) scratch: Option<PathBuf>,
    /// How nice a command is to others, where its keeper is less so (rung B).
    pub(crate) niceness: Option<libc::c_int>,
}

/// What becomes the command's descriptors 0 to 2.
#[derive(Debug)]
pub(crate) enum Stdio {
    /// These.
    Files([OwnedFd; 3]),
    /// A terminal, three times.
    Terminal(Terminal),
}

/// Becomes the command.
pub(crate) fn run(
    program: &Program,
    setting: &Setting,
    stdio: Stdio,
    told: &OwnedFd,
    mut report: PipeWriter,
    clock: Clock,
) -> ! {
    let _end = process::End;
    match prepare(program, setting, stdio, told, clock) {
        Ok(handed) => {
            // From here on the owners of descriptors are wrong about them: none of them may be dropped any more.
            let _wrong = std::mem::ManuallyDrop::new(handed);
            let error = match close_others(report.as_fd(), told) {
                Ok(()) => program.execute(),
                Err(error) => LaunchError::of(Layer::Descriptors, "close")(error),
            };
            fail(&mut report, &error)
        }
        Err(error) => fail(&mut report, &error),
    }
}

fn fail(report: &mut PipeWriter, error: &LaunchError) -> ! {
    if let Ok(failure) = serde_json::to_vec(&Failure::from(error)) {
        let _ = report.write_all(&failure);
    }
    process::exit_now(125)
}

/// Everything up to the filter; what it hands out is still open.
fn prepare(
    program: &Program,
    setting: &Setting,
    stdio: Stdio,
    told: &OwnedFd,
    mut clock: Clock,
) -> Result<(OwnedFd, Option<OwnedFd>), LaunchError> {
    clock.mark("fork");
    process::new_session().map_err(LaunchError::spawner)?;
    if setting.rung == Rung::B {
        // Should the keeper be killed by somebody outside, at least this one dies with it.
        process::control(libc::PR_SET_PDEATHSIG, libc::SIGKILL as u64)
            .map_err(LaunchError::of(Layer::TreeDeath, "die with the keeper"))?;
    }
    if let Some(niceness) = setting.niceness {
        process::set_niceness(niceness).map_err(LaunchError::of(Layer::Limits, "give way to others"))?;
    }
    let descriptors = |what| LaunchError::of(Layer::Descriptors, what);
    let outer = match stdio {
        Stdio::Files([stdin, stdout, stderr]) => {
            for (number, file) in [stdin, stdout, stderr].iter().enumerate() {
                process::put_at(file.as_fd(), i32::try_from(number).unwrap_or(0))
                    .map_err(descriptors("put in place"))?;
            }
            None
        }
        Stdio::Terminal(Terminal { outer, inner }) => {
            terminal::take_control(inner.as_fd()).map_err(descriptors("take the terminal"))?;
            for number in 0..3 {
                process::put_at(inner.as_fd(), number).map_err(descriptors("put in place"))?;
            }
            Some(outer)
        }
    };
    program.enter_folder()?;
    limits::apply(&setting.limits).map_err(LaunchError::of(Layer::Limits, "set"))?;
    clock.mark("descriptors and limits");
    if let Some(rules) = &setting.rules {
        rules.apply()?;
        clock.mark("landlock");
    }
    process::pass_signals().map_err(LaunchError::spawner)?;

    let listener = filter::install(&setting.program).map_err(LaunchError::of(Layer::Seccomp, "install"))?;
    clock.mark("filter");
    let mut with = vec![listener.as_fd()];
    with.extend(outer.as_ref().map(|outer| outer.as_fd()));
    protocol::tell(told.as_fd(), &Told::Filtered { stages: clock.stages() }, &with)
        .map_err(LaunchError::of(Layer::Notify, "hand out"))?;
    drop(with);
    Ok((listener, outer))
}

/// Closes everything but 0 to 2, and where trouble is reported: that is closed by the kernel when the command starts.
fn close_others(report: BorrowedFd<'_>, told: &OwnedFd) -> std::io::Result<()> {
    if weaken::asked("leave_fd_open") {
        return process::put_at(told.as_fd(), 100);
    }
    process::close_all_but(&[report.as_raw_fd()])
}
