//! A process of the product that runs until it is ended.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::watchdog::Watchdog;

const DRAINED_WITHIN: Duration = Duration::from_secs(30);

/// A running command; killed when dropped, and also when the process that holds it is killed.
#[derive(Debug)]
pub struct Running {
    child: Child,
    talk: PathBuf,
    // Declared last: removes the files after the process is gone.
    _watchdog: Watchdog,
}

impl Running {
    /// Starts any command; what it writes to stderr is kept, what it writes to stdout is not.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(mut command: Command) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("exeat-run-").tempdir().context("making a directory")?.keep();
        let pid_file = dir.join("pid");
        let watchdog = Watchdog::start(&dir, &pid_file)?;
        let talk = dir.join("stderr");
        // Names the directory in the environment, so that the watchdog knows this process from another of its number.
        command.env("EXEAT_TESTKIT_DIR", &dir).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&talk).context("keeping stderr")?);
        let child = command.spawn().with_context(|| format!("starting {}", command.get_program().to_string_lossy()))?;
        std::fs::write(&pid_file, format!("{}\n", child.id())).context("writing the pid file")?;
        Ok(Self { child, talk, _watchdog: watchdog })
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it wrote to stderr so far.
    #[must_use]
    pub fn stderr(&self) -> String {
        std::fs::read_to_string(&self.talk).unwrap_or_default()
    }

    /// Whether it still runs.
    ///
    /// # Errors
    /// When the system cannot tell.
    pub fn is_running(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// Fails when it has ended.
    pub(super) fn must_run(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("exeat ended with {status} instead of starting; it wrote:\n{}", self.stderr());
        }
        Ok(())
    }

    /// Ends it by SIGKILL and waits until it is gone.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn kill9(mut self) -> Result<()> {
        self.child.kill().context("killing exeat")?;
        self.child.wait().context("waiting for exeat")?;
        Ok(())
    }

    /// Asks it to finish and end by SIGTERM; returns how it ended.
    ///
    /// # Errors
    /// When it is not gone after 30 s; the message has what it wrote to stderr.
    pub fn sigterm(mut self) -> Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        let deadline = Instant::now() + DRAINED_WITHIN;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        bail!("exeat is not gone {DRAINED_WITHIN:?} after SIGTERM; it wrote:\n{}", self.stderr())
    }

    /// Sends any signal, e.g. SIGSTOP to let it hang.
    ///
    /// # Errors
    /// When it is gone.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        kill_process(Pid::from_child(&self.child), signal).with_context(|| format!("sending {signal:?} to exeat"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Gone already after `kill9` and `sigterm`: then there is nothing to end.
        let _killed = self.child.kill();
        let _status = self.child.wait();
    }
}
