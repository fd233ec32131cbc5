//! The product as its users run it: the binary in a process of its own, reached over loopback.

mod binary;
mod running;

pub use binary::{BINARY_VARIABLE, binary};
pub use running::Running;

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Deref;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tempfile::TempDir;

use crate::free_port;
use crate::http::Client;

const READY_WITHIN: Duration = Duration::from_secs(60);

/// How to start `exeat serve`; every start uses the same home and, unless asked otherwise, fresh ports.
#[derive(Debug)]
pub struct Setup {
    program: PathBuf,
    environment: Vec<(OsString, OsString)>,
    arguments: Vec<OsString>,
    home: TempDir,
}

impl Setup {
    /// A server on the given store; everything else at its default, with a home directory of its own.
    ///
    /// # Errors
    /// When the binary cannot be built or a temporary directory cannot be made.
    pub fn new(database_url: &str) -> Result<Self> {
        Self::with_binary(binary()?, database_url)
    }

    /// As [`Setup::new`] with another build of the binary, e.g. a release one.
    ///
    /// # Errors
    /// When a temporary directory cannot be made.
    pub fn with_binary(program: PathBuf, database_url: &str) -> Result<Self> {
        let home = tempfile::Builder::new().prefix("exeat-home-").tempdir().context("making a home directory")?;
        let mut setup = Self { program, environment: Vec::new(), arguments: Vec::new(), home };
        setup = setup.env("DATABASE_URL", database_url);
        Ok(setup)
    }

    /// Sets one environment variable of the server.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.set(name, value);
        self
    }

    /// Sets one environment variable of the next server that is started.
    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.push((name.into(), value.into()));
    }

    /// Adds one argument after `serve`.
    #[must_use]
    pub fn arg(mut self, argument: &str) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Starts the server and waits until `/readyz` answers 200.
    ///
    /// # Errors
    /// When it ends or is not ready within 60 s; the message has what it wrote to stderr.
    pub fn start(&self) -> Result<Process> {
        Process::start(self)
    }

    /// Starts another command that runs until it is ended, e.g. `["worker"]`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn spawn(&self, arguments: &[&str]) -> Result<Running> {
        let mut command = self.command();
        command.args(arguments);
        Running::start(command)
    }

    /// Runs another command of the same binary on the same store to its end, e.g. `["events", "verify", "--json"]`.
    ///
    /// # Errors
    /// When the binary cannot be started; its exit code is for the caller to judge.
    pub fn run(&self, arguments: &[&str]) -> Result<Output> {
        let mut command = self.command();
        command.args(arguments).stdin(Stdio::null());
        command.output().with_context(|| format!("running exeat {}", arguments.join(" ")))
    }

    /// As [`Setup::run`] for a command that must succeed and print one JSON object.
    ///
    /// # Errors
    /// When it fails or prints anything else; the message has both outputs.
    pub fn run_json(&self, arguments: &[&str]) -> Result<Value> {
        let output = self.run(arguments)?;
        let (said, talked) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let told = || format!("exeat {} ({}) printed `{said}` and `{talked}`", arguments.join(" "), output.status);
        if !output.status.success() {
            bail!("{}", told());
        }
        serde_json::from_str(&said).with_context(told)
    }

    /// Makes a key directly in the store; returns the secret.
    ///
    /// # Errors
    /// As [`Setup::run_json`].
    pub fn key(&self, role: &str, workspace: Option<&str>) -> Result<String> {
        let mut arguments = vec!["keys", "create", "--role", role, "--json"];
        if let Some(workspace) = workspace {
            arguments.extend(["--workspace", workspace]);
        }
        let made = self.run_json(&arguments)?;
        let key = made.get("key").and_then(Value::as_str);
        Ok(key.with_context(|| format!("no `key` in {made}"))?.to_owned())
    }

    /// The binary with the environment of this setup and nothing of the caller's but `PATH`.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        let home = self.home.path();
        command.env_clear().env("HOME", home).env("TMPDIR", std::env::temp_dir()).current_dir(home);
        command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command.env("EXEAT_HMAC_KEY_FILE", home.join("hmac.key"));
        // Which protection a test that must fail without it takes away; only builds for such tests read it.
        command.envs(std::env::var_os("EXEAT_WEAKEN").map(|names| ("EXEAT_WEAKEN", names)));
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// A running `exeat serve`; killed when dropped, and also when the process that holds it is killed.
#[derive(Debug)]
pub struct Process {
    running: Running,
    api: SocketAddr,
    proxy: SocketAddr,
}

impl Deref for Process {
    type Target = Running;

    fn deref(&self) -> &Running {
        &self.running
    }
}

impl Process {
    fn start(setup: &Setup) -> Result<Self> {
        let api = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let proxy = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let mut command = setup.command();
        if !setup.environment.iter().any(|(name, _)| name == "EXEAT_LISTEN") {
            command.env("EXEAT_LISTEN", api.to_string());
        }
        if !setup.environment.iter().any(|(name, _)| name == "EXEAT_PROXY_LISTEN") {
            command.env("EXEAT_PROXY_LISTEN", proxy.to_string());
        }
        let given = |wanted: &str, fallback| {
            let set = setup.environment.iter().rev().find(|(name, _)| name == wanted);
            set.and_then(|(_, value)| value.to_str()?.parse().ok()).unwrap_or(fallback)
        };
        command.arg("serve").args(&setup.arguments);
        let running = Running::start(command)?;
        let (api, proxy) = (given("EXEAT_LISTEN", api), given("EXEAT_PROXY_LISTEN", proxy));
        let mut process = Self { running, api, proxy };
        process.wait_until_ready()?;
        Ok(process)
    }

    /// A client of the API, without credentials.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(self.api)
    }

    /// Where the API listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.api
    }

    /// Where the forward proxy listens.
    #[must_use]
    pub fn proxy_address(&self) -> SocketAddr {
        self.proxy
    }

    /// The base URL of the API, without a slash at its end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.api)
    }

    /// Whether it still runs.
    ///
    /// # Errors
    /// When the system cannot tell.
    pub fn is_running(&mut self) -> Result<bool> {
        self.running.is_running()
    }

    /// Ends the server by SIGKILL and waits until it is gone.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn kill9(self) -> Result<()> {
        self.running.kill9()
    }

    /// Asks the server to drain and end by SIGTERM; returns how it ended.
    ///
    /// # Errors
    /// When it is not gone after 30 s; the message has what it wrote to stderr.
    pub fn sigterm(self) -> Result<ExitStatus> {
        self.running.sigterm()
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + READY_WITHIN;
        let mut client = self.client().timeout(Duration::from_secs(5));
        loop {
            self.running.must_run()?;
            let last = match client.get("/readyz") {
                Ok(response) if response.status == 200 => return Ok(()),
                Ok(response) => format!("{} {}", response.status, response.text()),
                Err(error) => format!("{error:#}"),
            };
            if Instant::now() > deadline {
                bail!("exeat is not ready after {READY_WITHIN:?} ({last}); it wrote:\n{}", self.stderr());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
