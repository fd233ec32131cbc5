//! The machine around a confined process: servers that nobody inside may reach, and a way to start one.

use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{SocketAddr as UnixAddress, UnixListener};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

type Trouble = Box<dyn std::error::Error>;

/// An ordinary user.
const NOBODY: u32 = 65534;

/// Servers of the machine: each greets as `host` and remembers that it heard.
pub(crate) struct Machine {
    /// Where one is on loopback.
    pub(crate) tcp: SocketAddr,
    /// Where one is in the file system.
    pub(crate) unix: PathBuf,
    /// Where one is without a file, as attempts write it.
    pub(crate) name: String,
    folder: tempfile::TempDir,
    heard: Heard,
}

type Heard = Arc<Mutex<Vec<&'static str>>>;

/// How it went.
#[derive(Debug, Default)]
pub(crate) struct Ran {
    /// What the process felt, attempt by attempt.
    pub(crate) felt: Vec<String>,
    /// What was seen of it, and how it ended.
    pub(crate) seen: Vec<String>,
    /// For what it came to the gate.
    pub(crate) came: Vec<String>,
}

/// The users to try as: who runs this, and an ordinary one. `None` is who runs this.
pub(crate) fn users() -> Vec<Option<u32>> {
    if is_root() { vec![None, Some(NOBODY)] } else { vec![None] }
}

/// One without rights over others.
pub(crate) fn ordinary_user() -> Option<u32> {
    is_root().then_some(NOBODY)
}

fn is_root() -> bool {
    // SAFETY: no arguments.
    unsafe { libc::geteuid() == 0 }
}

impl Machine {
    pub(crate) fn start() -> Result<Self, Trouble> {
        let folder = tempfile::Builder::new().prefix("guard").tempdir_in("/tmp")?;
        let everyone = || fs::Permissions::from_mode(0o777);
        fs::set_permissions(folder.path(), everyone())?;
        fs::copy(env!("CARGO_BIN_EXE_guard-attempts"), folder.path().join("guard-attempts"))?;
        let heard = Heard::default();
        let on_loopback = TcpListener::bind("127.0.0.1:0")?;
        let tcp = on_loopback.local_addr()?;
        let unix = folder.path().join("host.sock");
        let in_file = UnixListener::bind(&unix)?;
        fs::set_permissions(&unix, everyone())?;
        let name = format!("guard-host-{}-{}", std::process::id(), tcp.port());
        let by_name = UnixListener::bind_addr(&UnixAddress::from_abstract_name(name.as_bytes())?)?;
        let hears = [Arc::clone(&heard), Arc::clone(&heard), Arc::clone(&heard)];
        let [first, second, third] = hears;
        std::thread::spawn(move || on_loopback.incoming().flatten().for_each(|to| greet(to, "tcp", &first)));
        std::thread::spawn(move || in_file.incoming().flatten().for_each(|to| greet(to, "unix", &second)));
        std::thread::spawn(move || by_name.incoming().flatten().for_each(|to| greet(to, "abstract", &third)));
        Ok(Self { tcp, unix, name: format!("@{name}"), folder, heard })
    }

    /// What has reached the servers until now.
    pub(crate) fn heard(&self) -> Vec<&'static str> {
        // Who connected just now is heard when it is accepted.
        std::thread::sleep(std::time::Duration::from_millis(50));
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes attempts.
    pub(crate) fn run(&self, user: Option<u32>, how: &str, attempts: &[&str]) -> Result<Ran, Trouble> {
        self.run_with(user, &[], how, attempts, &[])
    }

    /// Makes attempts, with options and in an environment.
    pub(crate) fn run_with(
        &self,
        user: Option<u32>,
        options: &[&str],
        how: &str,
        attempts: &[&str],
        environment: &[(&str, String)],
    ) -> Result<Ran, Trouble> {
        let mut command = Command::new("timeout");
        command.arg("100").arg(self.folder.path().join("guard-attempts"));
        command.args(options).arg(how).args(attempts).envs(environment.iter().map(|(name, value)| (name, value)));
        // A folder for each, so that what one leaves is not in the way of the next.
        let own = tempfile::Builder::new().tempdir_in(self.folder.path())?;
        fs::set_permissions(own.path(), fs::Permissions::from_mode(0o777))?;
        command.current_dir(own.path());
        if let Some(user) = user {
            command.uid(user).gid(user);
        }
        let output = command.output()?;
        let text = String::from_utf8(output.stdout)?;
        if !output.status.success() || text.contains("trouble: ") {
            return Err(format!("{how}: {} {text} {}", output.status, String::from_utf8_lossy(&output.stderr)).into());
        }
        let mut ran = Ran::default();
        for line in text.lines().map(str::to_owned) {
            if let Some(wanted) = line.strip_prefix("gate: ") {
                ran.came.push(wanted.to_owned());
            } else if ["violation: ", "notice: ", "killed", "panicked"].iter().any(|word| line.starts_with(word)) {
                ran.seen.push(line);
            } else {
                ran.felt.push(line);
            }
        }
        Ok(ran)
    }
}

fn greet(mut to: impl Write, what: &'static str, heard: &Heard) {
    heard.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    // Whoever is gone does not hear it.
    let _ = to.write_all(b"host\n");
}
