//! The real server, on a store of its own, with the key of its owner; and `exeat dev`.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use testkit::TempStore;
use testkit::exeat::{Process, Setup};

use crate::program::{Ran, exeat_with};

pub(crate) struct Server {
    url: String,
    owner: String,
    setup: Setup,
    process: Process,
    // Declared last: the file goes after the server.
    _store: TempStore,
}

impl Server {
    /// In enforce mode, with the embedded worker.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    pub(crate) fn start_with(variables: &[(&str, &str)]) -> Self {
        let store = TempStore::create().unwrap();
        let binary = env!("CARGO_BIN_EXE_exeat").into();
        let setup = Setup::with_binary(binary, &store.url()).unwrap().env("POLICY_ENFORCEMENT_MODE", "enforce");
        let setup = variables.iter().fold(setup, |setup, (name, value)| setup.env(name, value));
        let process = setup.start().unwrap();
        let owner = setup.key("owner", Some("ws_test")).unwrap();
        Self { url: process.url(), owner, setup, process, _store: store }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Where the proxy listens.
    pub(crate) fn proxy_address(&self) -> std::net::SocketAddr {
        self.process.proxy_address()
    }

    /// The owner's key.
    pub(crate) fn owner(&self) -> &str {
        &self.owner
    }

    /// Another key of the workspace.
    pub(crate) fn key(&self, role: &str) -> String {
        self.setup.key(role, Some("ws_test")).unwrap()
    }

    /// Runs a command as the owner.
    pub(crate) fn run(&self, words: &[&str]) -> Ran {
        self.run_as(&self.owner, words)
    }

    pub(crate) fn run_as(&self, key: &str, words: &[&str]) -> Ran {
        exeat_with(&[("EXEAT_URL", &self.url), ("EXEAT_KEY", key)], words)
    }

    /// Runs a command without any key.
    pub(crate) fn run_without_key(&self, words: &[&str]) -> Ran {
        exeat_with(&[("EXEAT_URL", &self.url)], words)
    }

    /// Starts a command as the owner; its standard input and output are the test's.
    pub(crate) fn spawn(&self, words: &[&str]) -> Child {
        Command::new(env!("CARGO_BIN_EXE_exeat"))
            .args(words)
            .env_clear()
            .envs([("EXEAT_URL", &self.url), ("EXEAT_KEY", &self.owner)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }
}

/// A running `exeat dev` on free ports; the files it leaves are below `home`.
pub(crate) struct Dev {
    process: Child,
    /// What it printed with `--json`.
    pub(crate) told: Value,
}

impl Dev {
    pub(crate) fn start(home: &Path, variables: &[(&str, &str)]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_exeat"))
            .args(["dev", "--port", "0", "--json"])
            .env_clear()
            .env("HOME", home)
            .envs(variables.iter().copied())
            .current_dir(home)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { process, told: serde_json::from_str(&line).unwrap() }
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
