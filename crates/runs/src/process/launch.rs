//! From what is wanted to what ran: the call is put together, its streams are read while it runs.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use confine::{Call, Command, ConfineError, Ended, Limits, Network, Plan, Rung, RungChoice, Stdio, View};
use gate::{Caller, Place};
use model::{CorrelationId, EventId, RunId};
use tokio::io::AsyncWriteExt as _;
use tokio::net::unix::pipe::{Receiver, Sender};
use tokio_util::sync::CancellationToken;

use super::captured::Captured;
use super::wanted::{Need, Wanted};
use super::{ProcessConfig, Processes, folder};

/// The home folder of every call, inside.
const HOME: &str = "/home/exeat";
/// How long processes have between being told to end and being killed.
const GRACE: Duration = Duration::from_secs(2);
/// How long the rest of what a tree said is waited for once it is dead.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// LIMIT: how much a call writes to `/tmp`, its home and shared memory.
const SCRATCH_BYTES: u64 = 512 << 20;
/// LIMIT: how many processes and threads a call has at once.
const PROCESSES_MAX: u64 = 1_024;
/// LIMIT: how many files each of them has open.
const OPEN_FILES_MAX: u64 = 4_096;
/// LIMIT: the largest file a call writes.
const FILE_BYTES_MAX: u64 = 4 << 30;

/// For whom and in which run a command is run.
pub(crate) struct Errand<'a> {
    /// In whose name it asks for what leaves.
    pub(crate) caller: Caller,
    pub(crate) run_id: &'a RunId,
    pub(crate) place: Place,
    pub(crate) tool_name: &'a str,
    /// What its own events follow.
    pub(crate) cause: Option<EventId>,
    pub(crate) correlation_id: CorrelationId,
    /// How long the run has left.
    pub(crate) time_left: Option<Duration>,
    /// The keyed digest of what it was asked with.
    pub(crate) input_hmac: String,
}

/// A command that has ended, and what it said.
pub(crate) struct Ran {
    pub(crate) ended: Ended,
    pub(super) stdout: Captured,
    pub(super) stderr: Captured,
}

/// Why a command was not run to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LaunchError {
    /// The run's folder cannot be made.
    #[error("the run's folder cannot be made")]
    Folder(#[source] io::Error),
    /// There are no pipes to be had.
    #[error("no pipes can be made")]
    Pipes(#[source] io::Error),
    /// The guard says why.
    #[error(transparent)]
    Confine(#[from] ConfineError),
}

impl Processes {
    /// Runs a command to the end of its tree; `stop` kills that.
    pub(crate) async fn launch(
        &self,
        wanted: &Wanted,
        errand: Errand<'_>,
        stop: CancellationToken,
    ) -> Result<Ran, LaunchError> {
        // What was found missing a while ago may be there now.
        let _state = self.tested().await;
        let config = self.config();
        let work = folder::of(&config.work_dir, &errand.caller.workspace_id, errand.run_id);
        let work = work.map_err(LaunchError::Folder)?;
        let Pipes { stdio, stdin, stdout, stderr } = pipes().map_err(LaunchError::Pipes)?;
        let call = call(config, wanted, errand, &work, stdio);
        let (mut said, mut complained) = (Captured::default(), Captured::default());
        let ended = {
            let mut reading = pin!(async { tokio::join!(said.read(stdout), complained.read(stderr)) });
            let mut feeding = pin!(feed(stdin, &wanted.stdin));
            let mut running = pin!(self.confined().run(call, stop));
            let (mut read, mut fed) = (false, false);
            let ended = loop {
                tokio::select! {
                    ended = &mut running => break ended?,
                    _ = &mut reading, if !read => read = true,
                    () = &mut feeding, if !fed => fed = true,
                }
            };
            if !read {
                let _ = tokio::time::timeout(LAST_WORDS, reading).await;
            }
            ended
        };
        Ok(Ran { ended, stdout: said, stderr: complained })
    }
}

fn call(config: &ProcessConfig, wanted: &Wanted, errand: Errand<'_>, work: &Path, stdio: Stdio) -> Call {
    let timeout = errand.time_left.map_or(wanted.timeout, |left| left.min(wanted.timeout));
    let mut writable = vec![work.to_owned()];
    writable.extend(wanted.writable.iter().cloned());
    let view = View {
        read_only: wanted.read_only.clone(),
        writable,
        protected: Vec::new(),
        masked: config.masked.clone(),
        files: Vec::new(),
        scratch_bytes: SCRATCH_BYTES,
    };
    let limits = Limits {
        memory_bytes: wanted.memory_bytes,
        processes: PROCESSES_MAX,
        open_files: OPEN_FILES_MAX,
        file_bytes: FILE_BYTES_MAX,
    };
    let command = Command {
        argv: wanted.argv.iter().map(|word| word.as_bytes().to_vec()).collect(),
        env: environment(config, &wanted.env),
        // An absolute path stays what it is.
        cwd: wanted.cwd.as_ref().map_or_else(|| work.to_owned(), |cwd| plain(&work.join(cwd))),
        timeout: Some(timeout),
        grace: GRACE,
        terminal: None,
    };
    Call {
        caller: errand.caller,
        place: errand.place,
        tool_name: Some(errand.tool_name.to_owned()),
        cause: errand.cause,
        correlation_id: Some(errand.correlation_id),
        // The guard says which rung it is.
        plan: Plan { rung: Rung::A, view, limits, exposed_ports: Vec::new(), host_name: "exeat".to_owned() },
        command,
        rung: RungChoice::default(),
        network: match &wanted.network {
            Need::None => Network::None,
            Need::Asks { on_refused, .. } => Network::Declared { on_refused: *on_refused },
        },
        input_hmac: Some(errand.input_hmac),
        stdio,
        publish: Vec::new(),
    }
}

/// Without the parts that mean nothing.
fn plain(path: &Path) -> PathBuf {
    path.components().collect()
}

/// All of a command's environment but what leads it to the gate: nothing of this program's own gets in.
fn environment(config: &ProcessConfig, given: &[(String, String)]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let base = [("PATH", config.path.as_str()), ("HOME", HOME), ("LANG", "C.UTF-8"), ("TERM", "dumb"), ("TZ", "UTC")];
    let base = base.into_iter().filter(|(name, _)| given.iter().all(|(other, _)| other != name));
    let given = given.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    base.chain(given).map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())).collect()
}

struct Pipes {
    stdio: Stdio,
    stdin: Sender,
    stdout: Receiver,
    stderr: Receiver,
}

fn pipes() -> io::Result<Pipes> {
    let (stdin, feed) = io::pipe()?;
    let (said, stdout) = io::pipe()?;
    let (complained, stderr) = io::pipe()?;
    Ok(Pipes {
        stdio: Stdio::Files { stdin: stdin.into(), stdout: stdout.into(), stderr: stderr.into() },
        stdin: Sender::from_owned_fd(OwnedFd::from(feed))?,
        stdout: Receiver::from_owned_fd(OwnedFd::from(said))?,
        stderr: Receiver::from_owned_fd(OwnedFd::from(complained))?,
    })
}

/// Gives a command what it reads, then the end. One that reads no more is let be.
async fn feed(mut stdin: Sender, bytes: &[u8]) {
    let _ = stdin.write_all(bytes).await;
}
