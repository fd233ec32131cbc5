//! Real jails on this very kernel, as whoever runs the tests: once as root and once as an ordinary user.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod changes;
mod command;
mod death;
mod early;
mod files;
mod inside;
mod limits;
mod outside;
mod private;
mod probe;
mod scratch;
mod session;
mod terminal;

use std::fs::File;
use std::io::Read as _;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use guard::attempt::{Seen, Unrecorded, Witness};
use guard::door::Origin;
use guard::launch::{Jail, Launcher, Process, Stdio};
use guard::plan::{self, Command, Exit, Limits, Plan, View};
use guard::rung::Rung;
use guard::supervise::{Supervision, supervise};
use guard::{LaunchError, Notify};

/// The spawner that all tests of one process share.
static LAUNCHER: LazyLock<Launcher> = LazyLock::new(|| Launcher::start_with(&spawner()).expect("a spawner"));

/// A program that serves as the spawner. Where the built one cannot be read by who runs the tests, a copy is named.
fn spawner() -> PathBuf {
    std::env::var_os("GUARD_SPAWNER").map_or_else(|| env!("CARGO_BIN_EXE_guard-spawner").into(), PathBuf::from)
}

/// A folder of this test alone, that everybody on the way to may pass.
fn folder() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("guard-").tempdir_in("/tmp").unwrap()
}

fn plan(rung: Rung) -> Plan {
    Plan {
        rung,
        view: View { scratch_bytes: 16 << 20, ..View::default() },
        limits: Limits::default(),
        exposed_ports: Vec::new(),
        host_name: "jail".into(),
    }
}

fn writable(rung: Rung, folder: &Path) -> Plan {
    let mut plan = plan(rung);
    plan.view.writable.push(folder.canonicalize().unwrap());
    plan
}

fn command(argv: &[&str]) -> Command {
    let env = [("PATH", "/usr/local/bin:/usr/bin:/bin"), ("HOME", plan::HOME), ("LANG", "C.UTF-8")];
    Command {
        argv: argv.iter().map(|word| word.as_bytes().to_vec()).collect(),
        env: env.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())).collect(),
        cwd: "/".into(),
        timeout: Some(Duration::from_secs(20)),
        grace: Duration::from_secs(1),
        terminal: None,
    }
}

fn shell(script: &str) -> Command {
    command(&["sh", "-c", script])
}

/// What a command said, and how it ended.
#[derive(Debug)]
struct Said {
    exit: Exit,
    stdout: String,
    stderr: String,
}

/// A command whose words are collected.
struct Heard {
    process: Process,
    stdout: std::thread::JoinHandle<String>,
    stderr: std::thread::JoinHandle<String>,
}

fn collect(mut from: std::io::PipeReader) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn start(jail: &Jail, command: &Command) -> Result<Heard, LaunchError> {
    start_told(jail, command, Arc::new(Deaf))
}

fn start_told(jail: &Jail, command: &Command, witness: Arc<dyn Witness>) -> Result<Heard, LaunchError> {
    let (out_reader, out) = std::io::pipe().unwrap();
    let (err_reader, err) = std::io::pipe().unwrap();
    let stdin = OwnedFd::from(File::open("/dev/null").unwrap());
    let stdio = Stdio::Files { stdin, stdout: out.into(), stderr: err.into() };
    let (process, notify) = jail.spawn(command, stdio)?;
    answer_told(jail, notify, witness);
    Ok(Heard { process, stdout: collect(out_reader), stderr: collect(err_reader) })
}

/// Has a command's notifications answered, by the rules, until nobody asks any more.
fn answer(jail: &Jail, notify: Notify) {
    answer_told(jail, notify, Arc::new(Deaf));
}

fn answer_told(jail: &Jail, notify: Notify, witness: Arc<dyn Witness>) {
    let noted = jail.doors.iter().find_map(|door| match &door.origin {
        Origin::LocalAddress => None,
        Origin::Noted(redirects) => match door.listener.local_addr() {
            Ok(SocketAddr::V4(address)) => Some((Arc::clone(redirects), address, None)),
            _ => None,
        },
    });
    let with = Supervision {
        rung: jail.rung,
        diag: jail.diag.clone(),
        redirects: noted,
        exposed: Vec::new(),
        given: jail.given.clone(),
        witness,
        kill: Box::new(|| {}),
    };
    std::thread::spawn(move || supervise(notify, with));
}

/// A witness that forgets: what is told is tested elsewhere.
struct Deaf;

impl Witness for Deaf {
    fn saw(&self, _seen: Seen) -> Result<(), Unrecorded> {
        Ok(())
    }
}

/// A witness that remembers.
#[derive(Default)]
struct Remembers(std::sync::Mutex<Vec<Seen>>);

impl Witness for Remembers {
    fn saw(&self, seen: Seen) -> Result<(), Unrecorded> {
        self.0.lock().unwrap().push(seen);
        Ok(())
    }
}

impl Heard {
    fn end(self) -> Said {
        let exit = self.process.wait();
        Said { exit, stdout: self.stdout.join().unwrap(), stderr: self.stderr.join().unwrap() }
    }
}

/// Runs one command in a jail of its own.
fn run(plan: &Plan, command: &Command) -> Said {
    let jail = LAUNCHER.launch(plan).expect("a jail");
    let heard = start(&jail, command).expect("a command");
    let exit = heard.process.wait();
    drop(jail);
    Said { exit, stdout: heard.stdout.join().unwrap(), stderr: heard.stderr.join().unwrap() }
}

/// Runs a script and expects it to end well; what it printed.
fn prints(plan: &Plan, script: &str) -> String {
    let said = run(plan, &shell(script));
    assert_eq!(said.exit, Exit::Code(0), "{script}: {said:?}");
    said.stdout.trim_end().to_owned()
}

fn am_root() -> bool {
    rustix::process::geteuid().is_root()
}
