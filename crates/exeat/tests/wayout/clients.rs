//! Real clients, as people have them, through the proxy: refused before there is a rule, in words that the client
//! shows; through afterwards.

mod fetchers;
mod keep_alive;
mod kit;
mod libraries;
mod sites;
mod tools;

use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::bed::{Bed, publish};
use crate::dns::Answer;

/// Where all names lead.
const ORIGIN: &str = "45.79.5.1";

/// Rules that let all names out that clients here use.
const RULES: &str = "[[allow]]\nid = \"tests\"\nhost = \"*.test\"\n";
const NO_RULES: &str = "[[deny]]\nid = \"nothing-yet\"\nhost = \"*.test\"\nreason = \"not yet\"\n";

/// A bed with a home for clients.
pub struct Clients {
    pub bed: Bed,
    home: TempDir,
}

impl Clients {
    pub fn make() -> Self {
        let bed = Bed::make(NO_RULES);
        bed.world.names.otherwise(Answer::of(&[ORIGIN]));
        let home = tempfile::Builder::new().prefix("exeat-client-").tempdir().unwrap();
        std::fs::write(home.path().join("ca.pem"), bed.world.authority.pem()).unwrap();
        Self { bed, home }
    }

    /// The home of the clients; the working directory too.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// A command with nothing in its environment but what leads it to the proxy and to the certificate authority.
    fn command(&self, script: &str) -> Command {
        let (home, way) = (self.home(), &self.bed.way);
        let (proxy, ca) = (format!("http://x:{}@{}", way.key, way.proxy), home.join("ca.pem"));
        let mut command = Command::new("timeout");
        command.args(["60", "sh", "-c", script]).current_dir(home).stdin(Stdio::null()).env_clear();
        let path = kit::path();
        command.env("PATH", path).env("HOME", home).env("TMPDIR", home).env("LANG", "C.UTF-8");
        for name in ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
            command.env(name, &proxy);
        }
        for name in [
            "CURL_CA_BUNDLE",
            "SSL_CERT_FILE",
            "REQUESTS_CA_BUNDLE",
            "NODE_EXTRA_CA_CERTS",
            "GIT_SSL_CAINFO",
            "PIP_CERT",
            "CARGO_HTTP_CAINFO",
            "CA",
        ] {
            command.env(name, &ca);
        }
        command.env("npm_config_cafile", &ca).env("NODE_PATH", kit::node_modules());
        command.env("KEY", &way.key).env("PROXY", way.proxy.to_string());
        // No configuration of the machine, which may lead elsewhere.
        command.env("PIP_CONFIG_FILE", "/dev/null").env("PIP_DISABLE_PIP_VERSION_CHECK", "1").env("PIP_RETRIES", "1");
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_TERMINAL_PROMPT", "0");
        command.env("CARGO_HOME", home.join("cargo")).env("CARGO_NET_RETRY", "0");
        command
    }

    /// Runs a shell script; whether it succeeded, and all it said.
    pub fn run(&self, script: &str) -> (bool, String) {
        let output = self.command(script).output().unwrap();
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).join("\n");
        assert!(!said.contains("not found\n") || output.status.code() != Some(127), "a client is missing: {said}");
        (output.status.success(), said)
    }

    /// Runs each of these clients before and after there is a rule. A client that is refused fails and says `refused`
    /// (each of the words parted by `…`); one that goes through says `through`.
    pub fn check(&self, clients: &[Case]) {
        publish(&mut self.bed.owner(), NO_RULES);
        for Case { name, script, refused, .. } in clients {
            let (arrived, intruded) = (self.bed.world.arrived.mark(), self.bed.world.intruded.mark());
            let (success, said) = self.run(script);
            assert!(!success, "{name} is refused, and says so by its exit code: {said}");
            for words in refused.split('…') {
                assert!(said.contains(words), "{name} shows `{words}`: {said}");
            }
            assert!(self.bed.world.arrived.since(arrived).is_empty(), "{name}: nothing arrives: {said}");
            assert!(self.bed.world.intruded.since(intruded).is_empty(), "{name}");
            let record = self.bed.newest();
            assert_eq!(record["policy_reason_code"], "policy_denies", "{name}: {record}");
        }
        publish(&mut self.bed.owner(), RULES);
        for Case { name, script, through, .. } in clients {
            let arrived = self.bed.world.arrived.mark();
            let (success, said) = self.run(script);
            assert!(success && said.contains(through), "{name} goes through and says `{through}`: {said}");
            assert!(!self.bed.world.arrived.requests(arrived).is_empty(), "{name}: the origin was asked");
            println!("{name}: refused, then through");
        }
    }
}

/// One client.
pub struct Case {
    pub name: &'static str,
    /// For `sh`.
    pub script: &'static str,
    /// What it shows when it is refused.
    pub refused: &'static str,
    /// What it shows when it goes through.
    pub through: &'static str,
}
