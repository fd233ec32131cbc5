//! The process that keeps a jail: the first of its namespaces (rung A), or the one that orphans fall back to (rung B).
//!
//! It starts commands, tells how they end, and holds the rest of the tree by its own life: when the control socket is
//! closed, by will or because the supervisor died, everything it keeps dies. It runs as the call does, without any
//! capability, is not dumpable (nobody inside can look into it), and inside of rung A it is process 1, which no signal
//! from inside reaches.
//!
//! It is a copy of the single-threaded spawner, so it may allocate; it must never unwind or return.

pub(crate) mod namespaced;
mod scratch;
pub(crate) mod supervised;
mod tree;
mod usage;

use std::io::Read as _;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::time::{Duration, Instant};

use crate::child::{self, Setting};
use crate::error::{LaunchError, Layer};
use crate::plan::{Command, Exit};
use crate::protocol::{self, Failure, Request, Told};
use crate::stages::Clock;
use crate::sys::{process, socket};
use crate::terminal;
use usage::Usage;

/// How a jail ends when nobody holds it any longer.
type Ending = fn(&Setting) -> !;

/// The state of a keeper that is ready.
#[derive(Debug)]
struct Keeper {
    control: OwnedFd,
    children: OwnedFd,
    setting: Setting,
    running: Vec<Running>,
    usage: Usage,
    end: Ending,
}

/// A command that runs.
#[derive(Debug)]
struct Running {
    id: u64,
    pid: libc::pid_t,
    told: OwnedFd,
    grace: Duration,
    time: Time,
}

/// How much time a command has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Time {
    /// As much as it needs.
    Unlimited,
    /// Until then it is left alone.
    Until(Instant),
    /// It was asked to end, and is killed then.
    Asked(Instant),
    /// It was killed.
    Up,
}

impl Keeper {
    fn serve(mut self) -> ! {
        loop {
            let mut watched = [process::readable(self.control.as_fd()), process::readable(self.children.as_fd())];
            if process::wait_for(&mut watched, self.patience()).is_err() {
                (self.end)(&self.setting);
            }
            let [control, children] = watched;
            if children.revents != 0 {
                self.reap();
            }
            if control.revents != 0 {
                match protocol::hear::<Request>(self.control.as_fd()) {
                    Ok(Some((request, with))) => self.answer(&request, with),
                    Ok(None) | Err(_) => (self.end)(&self.setting),
                }
            }
            self.watch_time();
            if self.usage.exceeds() {
                // Stopped first, so that none makes others while the rest is being killed.
                tree::signal_descendants(libc::SIGSTOP);
                tree::signal_descendants(libc::SIGKILL);
            }
        }
    }

    fn answer(&mut self, request: &Request, with: Vec<OwnedFd>) {
        match request {
            Request::Spawn { id, terminal } => {
                let mut with = with.into_iter();
                let (Some(body), Some(told)) = (with.next(), with.next()) else { return };
                match self.spawn(*id, body, told, with.collect(), *terminal) {
                    Ok(running) => self.running.push(running),
                    Err((told, error)) => protocol::tell_failure(&told, &error),
                }
            }
            Request::Signal { id, signal } => {
                if let Some(running) = self.running.iter().find(|running| running.id == *id) {
                    // That the group is gone already will be heard soon.
                    let _ = process::signal(-running.pid, *signal);
                }
            }
            Request::Socket => {
                let Ok([to]) = protocol::exactly(with) else { return };
                let made = match self.setting.rung {
                    crate::rung::Rung::A => socket::tcp(),
                    crate::rung::Rung::B => Err(std::io::Error::from_raw_os_error(libc::EOPNOTSUPP)),
                };
                match made {
                    Ok(made) => {
                        let _ = protocol::tell(to.as_fd(), &Told::Made, &[made.as_fd()]);
                    }
                    Err(error) => {
                        let what = "make a socket inside";
                        protocol::tell_failure(&to, &LaunchError::of(Layer::NetworkNamespace, what)(error));
                    }
                }
            }
        }
    }
}

/// Starting and ending commands.
impl Keeper {
    fn spawn(
        &self,
        id: u64,
        body: OwnedFd,
        told: OwnedFd,
        files: Vec<OwnedFd>,
        terminal: bool,
    ) -> Result<Running, (OwnedFd, LaunchError)> {
        match self.start(body, &told, files, terminal) {
            Ok((pid, command)) => {
                let time = command.timeout.map_or(Time::Unlimited, |timeout| Time::Until(Instant::now() + timeout));
                Ok(Running { id, pid, told, grace: command.grace, time })
            }
            Err(error) => Err((told, error)),
        }
    }

    fn start(
        &self,
        body: OwnedFd,
        told: &OwnedFd,
        files: Vec<OwnedFd>,
        terminal: bool,
    ) -> Result<(libc::pid_t, Command), LaunchError> {
        let mut clock = Clock::start();
        let command: Command = protocol::read_body(body).map_err(LaunchError::spawner)?;
        let program = child::Program::new(&command, &self.setting)?;
        let stdio = if terminal {
            child::Stdio::Terminal(
                terminal::open(command.terminal).map_err(LaunchError::of(Layer::Descriptors, "open a terminal"))?,
            )
        } else {
            let files =
                protocol::exactly(files).map_err(LaunchError::of(Layer::Descriptors, "take stdin, stdout, stderr"))?;
            child::Stdio::Files(files)
        };
        clock.mark("command");
        let (mut trouble, report) = std::io::pipe().map_err(LaunchError::of(Layer::Spawner, "make a pipe"))?;
        // SAFETY: the keeper has one thread.
        let made = unsafe { process::clone(0) }.map_err(LaunchError::of(Layer::Limits, "start a process"))?;
        let Some(made) = made else { child::run(&program, &self.setting, stdio, told, report, clock) };
        drop((report, stdio));
        // It ends when the command is executed, as the child's end closes then; or with what went wrong.
        let mut failure = Vec::new();
        if self.wait_while_held(&trouble).and_then(|()| trouble.read_to_end(&mut failure)).is_err()
            || !failure.is_empty()
        {
            // It ends by itself; should it not, nobody is to run with half of its layers.
            let _ = process::signal_handle(made.handle.as_fd(), libc::SIGKILL);
            let failure: Option<Failure> = serde_json::from_slice(&failure).ok();
            return Err(failure.map_or(LaunchError::Gone, LaunchError::from));
        }
        // Nobody there: then the control socket is closed too.
        let _ = protocol::tell(told.as_fd(), &Told::Started, &[]);
        Ok((made.pid, command))
    }

    /// Waits until a child has something to say, or for the end of this jail.
    fn wait_while_held(&self, trouble: &std::io::PipeReader) -> std::io::Result<()> {
        loop {
            let control = process::Watched { fd: self.control.as_raw_fd(), events: 0, revents: 0 };
            let mut watched = [process::readable(trouble.as_fd()), control];
            process::wait_for(&mut watched, None)?;
            let [trouble, control] = watched;
            if control.revents != 0 {
                (self.end)(&self.setting);
            }
            if trouble.revents != 0 {
                return Ok(());
            }
        }
    }

    fn reap(&mut self) {
        process::forget_signals(&self.children);
        while let Ok(Some((pid, status))) = process::reap() {
            let Some(at) = self.running.iter().position(|running| running.pid == pid) else { continue };
            let ended = self.running.swap_remove(at);
            let exit = match ended.time {
                Time::Asked(_) | Time::Up => {
                    // Those it left behind had their time as well.
                    tree::signal_session(pid, libc::SIGKILL);
                    Exit::TimedOut
                }
                Time::Unlimited | Time::Until(_) => exit(status),
            };
            let _ = protocol::tell(ended.told.as_fd(), &Told::Ended(exit), &[]);
        }
    }

    /// How long nothing has to be done.
    fn patience(&self) -> Option<Duration> {
        let next = self.running.iter().filter_map(|running| match running.time {
            Time::Until(then) | Time::Asked(then) => Some(then),
            Time::Unlimited | Time::Up => None,
        });
        let counted = self.usage.due(!self.running.is_empty());
        next.chain(counted).min().map(|then| then.saturating_duration_since(Instant::now()))
    }

    fn watch_time(&mut self) {
        let now = Instant::now();
        for running in &mut self.running {
            match running.time {
                Time::Until(then) if then <= now => {
                    tree::signal_session(running.pid, libc::SIGTERM);
                    running.time = Time::Asked(now + running.grace);
                }
                Time::Asked(then) if then <= now => {
                    tree::signal_session(running.pid, libc::SIGKILL);
                    running.time = Time::Up;
                }
                _ => {}
            }
        }
    }
}

fn exit(status: libc::c_int) -> Exit {
    let byte = |number: libc::c_int| u8::try_from(number).unwrap_or(u8::MAX);
    if libc::WIFEXITED(status) {
        Exit::Code(byte(libc::WEXITSTATUS(status)))
    } else {
        Exit::Signal(byte(libc::WTERMSIG(status)))
    }
}
