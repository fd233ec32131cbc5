//! A cluster of one's own: made in a temporary directory, started, stopped, killed, and gone with its process.

use std::fs::File;
use std::ops::Deref;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use super::server::ROLE;
use super::{Binaries, Server};
use crate::free_port;
use crate::watchdog::Watchdog;

const READY_WITHIN: Duration = Duration::from_secs(60);
const STOPPED_WITHIN: Duration = Duration::from_secs(30);
const PORTS_TRIED_MAX: usize = 5;
/// The kernel's limit for the path of a socket is 107 bytes; the file name takes up to 20.
const SOCKET_DIR_BYTES_MAX: usize = 85;

/// Small, but durable: `fsync`, `full_page_writes` and `synchronous_commit` keep their defaults, which are on.
const SETTINGS: [(&str, &str); 6] = [
    ("listen_addresses", "127.0.0.1"),
    ("max_connections", "300"),
    ("shared_buffers", "64MB"),
    ("max_prepared_transactions", "0"),
    ("log_min_messages", "warning"),
    ("log_checkpoints", "off"),
];

/// A running (or stopped) PostgreSQL that belongs to this value; reads as the [`Server`] it is.
///
/// The server, its children and its files are gone when this value is dropped, and also when the process that holds
/// it is killed.
#[derive(Debug)]
pub struct Cluster {
    server: Server,
    home: PathBuf,
    port: u16,
    account: Option<Account>,
    settings: Vec<(String, String)>,
    postmaster: Mutex<Option<Child>>,
    // Declared last: dropped after the postmaster was stopped, removes the files.
    _watchdog: Watchdog,
}

impl Cluster {
    /// Makes and starts a cluster; `settings` come after, and so win over, the small ones used for tests.
    ///
    /// As root the server runs under the account `postgres`, else `nobody`: PostgreSQL refuses to run as root.
    ///
    /// # Errors
    /// When the programs are missing, or the server does not come up within 60 s; the message has the end of its log.
    pub fn create(settings: &[(&str, &str)]) -> Result<Self> {
        let binaries = Binaries::find()?;
        let account = Account::unless_allowed()?;
        let home = temporary_home(account.as_ref())?;
        let watchdog = Watchdog::start(&home, &home.join("data/postmaster.pid"))?;
        initialise(&binaries, &home, account.as_ref())?;
        let port = free_port()?;
        let mut cluster = Self {
            server: Server::at_port(port, binaries),
            home,
            port,
            account,
            settings: settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            postmaster: Mutex::new(None),
            _watchdog: watchdog,
        };
        let mut attempt = 1;
        while let Err(error) = cluster.start() {
            // Somebody else may have taken the port between the choice and the start.
            if attempt == PORTS_TRIED_MAX || !format!("{error:#}").contains("could not bind") {
                return Err(error);
            }
            attempt += 1;
            cluster.port = free_port()?;
            cluster.server = Server::at_port(cluster.port, cluster.server.binaries().clone());
        }
        Ok(cluster)
    }

    /// Starts the stopped or killed server again, on the same port with the same files; waits until it answers.
    ///
    /// # Errors
    /// When it runs already or does not come up within 60 s.
    pub fn start(&self) -> Result<()> {
        let mut postmaster = self.postmaster();
        ensure!(postmaster.is_none(), "PostgreSQL on port {} is running already", self.port);
        let mut child = self.spawn()?;
        self.wait_until_ready(&mut child)?;
        *postmaster = Some(child);
        Ok(())
    }

    /// Stops the server in an orderly way that does not wait for clients (mode `fast`).
    ///
    /// # Errors
    /// When it does not run, or is not gone after 30 s.
    pub fn stop(&self) -> Result<()> {
        self.end(Signal::INT).map(drop)
    }

    /// Kills the server as a crash would: the postmaster and all its children by SIGKILL, nothing flushed.
    ///
    /// # Errors
    /// When it does not run, or is not gone after 30 s.
    pub fn kill(&self) -> Result<()> {
        let children = self.postmaster().as_ref().map(|child| children_of(child.id())).unwrap_or_default();
        self.end(Signal::KILL)?;
        for pid in children {
            // Gone already is as good; a child that lingers would keep the shared memory and refuse the next start.
            let _killed = kill_process(pid, Signal::KILL);
            wait_until_gone(pid);
        }
        Ok(())
    }

    /// Stops and starts the server.
    ///
    /// # Errors
    /// As [`Cluster::stop`] and [`Cluster::start`].
    pub fn restart(&self) -> Result<()> {
        self.stop()?;
        self.start()
    }

    /// The process id of the postmaster while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.postmaster().as_ref().map(Child::id)
    }

    /// The loopback port, the same for the whole life of the cluster.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The directory of the unix socket.
    #[must_use]
    pub fn socket_dir(&self) -> &Path {
        &self.home
    }

    /// What the server wrote to its log so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.home.join("server.log")).unwrap_or_default()
    }

    fn postmaster(&self) -> MutexGuard<'_, Option<Child>> {
        self.postmaster.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spawn(&self) -> Result<Child> {
        let log = File::options().create(true).append(true).open(self.home.join("server.log"));
        let log = log.context("opening the server's log")?;
        let mut command = run_as(self.account.as_ref(), &self.server.binaries().program("postgres"));
        command.arg("-D").arg(self.home.join("data")).arg("-k").arg(&self.home).args(["-p", &self.port.to_string()]);
        let own = self.settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in SETTINGS.into_iter().chain(own) {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        command.current_dir("/").process_group(0);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        command.spawn().context("starting postgres")
    }

    fn wait_until_ready(&self, child: &mut Child) -> Result<()> {
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            if let Some(status) = child.try_wait()? {
                bail!("postgres ended with {status} instead of starting; its log ends with:\n{}", self.log_tail());
            }
            if self.reports_ready() && self.server.sql("postgres", "SELECT 1").is_ok() {
                return Ok(());
            }
            if Instant::now() > deadline {
                child.kill()?;
                child.wait()?;
                bail!("postgres did not answer within {READY_WITHIN:?}; its log ends with:\n{}", self.log_tail());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The eighth line of the pid file is the state of the server: cheaper to ask than a connection.
    fn reports_ready(&self) -> bool {
        let file = std::fs::read_to_string(self.home.join("data/postmaster.pid")).unwrap_or_default();
        file.lines().nth(7).is_some_and(|state| state.trim() == "ready")
    }

    fn end(&self, signal: Signal) -> Result<ExitStatus> {
        let mut postmaster = self.postmaster();
        let mut child =
            postmaster.take().with_context(|| format!("PostgreSQL on port {} is not running", self.port))?;
        let pid = Pid::from_child(&child);
        kill_process(pid, signal).context("signalling postgres")?;
        let deadline = Instant::now() + STOPPED_WITHIN;
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            if Instant::now() > deadline {
                *postmaster = Some(child);
                bail!(
                    "postgres is not gone {STOPPED_WITHIN:?} after {signal:?}; its log ends with:\n{}",
                    self.log_tail()
                );
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines.get(lines.len().saturating_sub(20)..).unwrap_or_default().join("\n")
    }
}

impl Deref for Cluster {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // Nothing in it is worth a checkpoint: stop at once; the watchdog ends what is left and removes the files.
        let _ended = self.end(Signal::QUIT);
    }
}

/// The account that the server runs under when this process is root.
#[derive(Debug, Clone)]
struct Account {
    uid: u32,
    gid: u32,
}

impl Account {
    fn unless_allowed() -> Result<Option<Self>> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        let accounts = std::fs::read_to_string("/etc/passwd").context("reading /etc/passwd")?;
        let find = |wanted: &str| {
            accounts.lines().find_map(|line| {
                let mut fields = line.split(':');
                (fields.next()? == wanted).then_some(())?;
                let (uid, gid) = (fields.nth(1)?, fields.next()?);
                Some(Self { uid: uid.parse().ok()?, gid: gid.parse().ok()? })
            })
        };
        let account = find("postgres").or_else(|| find("nobody"));
        Ok(Some(account.context("PostgreSQL refuses to run as root, and there is no account `postgres` nor `nobody`")?))
    }
}

fn run_as(account: Option<&Account>, program: &Path) -> Command {
    let mut command = Command::new(program);
    if let Some(account) = account {
        command.uid(account.uid).gid(account.gid);
    }
    // Settings of the caller's own clients must not leak into a throw-away server.
    command.env_remove("PGDATA").env_remove("PGPORT").env_remove("PGHOST").env("LC_ALL", "C");
    command
}

fn temporary_home(account: Option<&Account>) -> Result<PathBuf> {
    let wanted = std::env::temp_dir();
    let parent = if wanted.as_os_str().len() > SOCKET_DIR_BYTES_MAX - 16 { PathBuf::from("/tmp") } else { wanted };
    let home = tempfile::Builder::new().prefix("exeat-pg-").tempdir_in(&parent);
    // Kept: the watchdog removes it, because it outlives whatever may end this process.
    let home = home.with_context(|| format!("making a directory in {}", parent.display()))?.keep();
    if let Some(account) = account {
        chown(&home, Some(account.uid), Some(account.gid)).context("giving the directory to the server's account")?;
    }
    Ok(home)
}

fn initialise(binaries: &Binaries, home: &Path, account: Option<&Account>) -> Result<()> {
    let output = run_as(account, &binaries.program("initdb"))
        .arg("-D")
        .arg(home.join("data"))
        .args(["-U", ROLE, "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"])
        .current_dir("/")
        .stdin(Stdio::null())
        .output()
        .context("running initdb")?;
    if !output.status.success() {
        bail!("initdb failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

/// The live children of a process, from `/proc`; none where there is no such thing.
fn children_of(parent: u32) -> Vec<Pid> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| stat_of(*pid).is_some_and(|(state, of)| of == parent && state != 'Z'))
        .filter_map(Pid::from_raw)
        .collect()
}

/// The state letter and the parent of a process.
fn stat_of(pid: i32) -> Option<(char, u32)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before the last parenthesis is free text.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

fn wait_until_gone(pid: Pid) {
    let deadline = Instant::now() + STOPPED_WITHIN;
    while Instant::now() < deadline && stat_of(pid.as_raw_nonzero().get()).is_some_and(|(state, _)| state != 'Z') {
        std::thread::sleep(Duration::from_millis(2));
    }
}
