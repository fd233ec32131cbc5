//! The real server, on a store of its own, with the key of its owner.

use std::process::{Child, Command, Stdio};

use testkit::TempStore;
use testkit::exeat::{Process, Setup};

use crate::program::{Ran, exeat_with};

pub(crate) struct Server {
    url: String,
    owner: String,
    setup: Setup,
    _process: Process,
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
        Self { url: process.url(), owner, setup, _process: process, _store: store }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
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
