//! Runs the binary with a clean environment.

use std::process::Command;

use serde_json::Value;

use crate::fake::Fake;

/// What a run left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// Standard output as the one JSON value it must be.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The exit code, checked, with everything shown when it is another.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }
}

/// Runs `exeat` with these words and variables, in an empty directory that is also its home.
pub(crate) fn exeat_with(variables: &[(&str, &str)], words: &[&str]) -> Ran {
    let home = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_exeat"))
        .args(words)
        .env_clear()
        .env("HOME", home.path())
        .current_dir(home.path())
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    Ran {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs `exeat` with these words and nothing set.
pub(crate) fn exeat(words: &[&str]) -> Ran {
    exeat_with(&[], words)
}

/// Runs `exeat` against a server, with a key.
pub(crate) fn against(fake: &Fake, words: &[&str]) -> Ran {
    exeat_with(&[("EXEAT_URL", fake.url.as_str()), ("EXEAT_KEY", "exk_test_secret")], words)
}
