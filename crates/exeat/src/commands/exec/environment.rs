//! The environment of a command: what it needs, and nothing because it happens to be there.
//!
//! It starts from a list of names that carry no secret, and gets a home of its own. More only by `--env`. `EXEAT_*`
//! never goes in; there is no credential for the gate either, because the listener inside is the command's own.
//! [`confine`] adds the variables that lead programs there.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use guard::plan::HOME;

use super::amounts::Variable;
use crate::config::Environment;

/// Taken as they are.
const TAKEN: [&str; 13] = [
    "LANG",
    "LANGUAGE",
    "LC_ALL",
    "LC_CTYPE",
    "LC_COLLATE",
    "LC_MESSAGES",
    "LC_NUMERIC",
    "LC_TIME",
    "TERM",
    "COLORTERM",
    "TZ",
    "NO_COLOR",
    "TRACEPARENT",
];

/// Taken when the path in them is seen inside: where toolchains live, and whom programs trust.
const TAKEN_WHEN_SEEN: [&str; 24] = [
    "RUSTUP_HOME",
    "PYENV_ROOT",
    "NVM_DIR",
    "NVM_BIN",
    "VOLTA_HOME",
    "ASDF_DIR",
    "ASDF_DATA_DIR",
    "RBENV_ROOT",
    "SDKMAN_DIR",
    "GOROOT",
    "JAVA_HOME",
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "NODE_EXTRA_CA_CERTS",
    "CARGO_HTTP_CAINFO",
    "PIP_CERT",
    "DENO_CERT",
    "AWS_CA_BUNDLE",
    "NIX_SSL_CERT_FILE",
];

/// What makes tools behave where the only way out is a proxy, and nobody looks for updates.
const SETTINGS: [(&str, &str); 7] = [
    ("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
    ("PIP_NO_INPUT", "1"),
    ("NPM_CONFIG_UPDATE_NOTIFIER", "false"),
    ("NPM_CONFIG_FUND", "false"),
    ("NO_UPDATE_NOTIFIER", "1"),
    ("DO_NOT_TRACK", "1"),
    ("DOTNET_CLI_TELEMETRY_OPTOUT", "1"),
];

/// Addresses of git over SSH that are asked for by HTTPS instead, so that a rule for the host is enough.
const GIT_HOSTS: [&str; 3] = ["github.com", "gitlab.com", "bitbucket.org"];

/// What the environment is made from.
pub(super) struct Made<'a> {
    /// The variables of this process.
    pub(super) outside: &'a Environment,
    /// The folders of `PATH` inside.
    pub(super) path: &'a [PathBuf],
    /// `--env`.
    pub(super) asked: &'a [Variable],
    /// Whether a path is seen inside.
    pub(super) seen: &'a dyn Fn(&Path) -> bool,
    /// What is seen of version managers: `RUSTUP_HOME` and the like lead there unless they are set.
    pub(super) managers: &'a [PathBuf],
    /// The run it is part of.
    pub(super) run: Option<&'a str>,
    /// Whether it has a terminal.
    pub(super) terminal: bool,
}

/// All of it, sorted by name, each name once.
pub(super) fn made(made: &Made<'_>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut all: std::collections::BTreeMap<String, OsString> = std::collections::BTreeMap::new();
    let mut put = |name: &str, value: OsString| {
        all.insert(name.to_owned(), value);
    };
    for name in TAKEN {
        if let Some(value) = made.outside.raw(name) {
            put(name, value.to_owned());
        }
    }
    for name in TAKEN_WHEN_SEEN {
        if let Some(path) = made.outside.absolute_path(name).filter(|path| (made.seen)(path)) {
            put(name, path.into_os_string());
        }
    }
    for (name, folder) in [("RUSTUP_HOME", ".rustup"), ("PYENV_ROOT", ".pyenv"), ("NVM_DIR", ".nvm")] {
        let usual = made.managers.iter().find(|path| path.ends_with(folder));
        if let Some(usual) = usual.filter(|_| made.outside.raw(name).is_none()) {
            put(name, usual.clone().into_os_string());
        }
    }
    put("PATH", std::env::join_paths(made.path).unwrap_or_default());
    let shell = if Path::new("/bin/bash").exists() { "/bin/bash" } else { "/bin/sh" };
    for (name, value) in [("HOME", HOME), ("USER", USER), ("LOGNAME", USER), ("SHELL", shell), ("TMPDIR", "/tmp")] {
        put(name, value.into());
    }
    for (name, value) in SETTINGS {
        put(name, value.into());
    }
    if !made.terminal {
        // Nobody could answer.
        put("GIT_TERMINAL_PROMPT", "0".into());
    }
    for (number, (key, value)) in git_settings().into_iter().enumerate() {
        put(&format!("GIT_CONFIG_KEY_{number}"), key.into());
        put(&format!("GIT_CONFIG_VALUE_{number}"), value.into());
        put("GIT_CONFIG_COUNT", (number + 1).to_string().into());
    }
    if let Some(run) = made.run {
        put("EXEAT_RUN_ID", run.into());
    }
    for Variable { name, value } in made.asked {
        match value {
            Some(value) => put(name, value.into()),
            None => {
                if let Some(value) = made.outside.raw(name) {
                    put(name, value.to_owned());
                }
            }
        }
    }
    all.into_iter().map(|(name, value)| (name.into_bytes(), value.into_vec())).collect()
}

/// The name of who runs a command, inside.
pub(super) const USER: &str = "exeat";

fn git_settings() -> Vec<(String, String)> {
    let hosts = GIT_HOSTS.iter().flat_map(|host| {
        let key = format!("url.https://{host}/.insteadOf");
        [(key.clone(), format!("git@{host}:")), (key, format!("ssh://git@{host}/"))]
    });
    hosts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(outside: &[(&str, &str)], asked: &[&str]) -> Vec<(String, String)> {
        let outside: Environment = outside.iter().copied().collect();
        let asked: Vec<Variable> = asked.iter().map(|text| super::super::amounts::variable(text).unwrap()).collect();
        let all = made(&Made {
            outside: &outside,
            path: &[PathBuf::from("/a/bin"), PathBuf::from("/usr/bin")],
            asked: &asked,
            seen: &|path| path.starts_with("/seen"),
            managers: &[PathBuf::from("/seen/me/.rustup")],
            run: Some("run_1"),
            terminal: false,
        });
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        all.into_iter().map(|(name, value)| (text(name), text(value))).collect()
    }

    fn value<'a>(all: &'a [(String, String)], name: &str) -> Option<&'a str> {
        all.iter().find(|(each, _)| each == name).map(|(_, value)| value.as_str())
    }

    #[test]
    fn starts_from_a_list_and_not_from_what_is_there() {
        let outside = [
            ("LANG", "C.UTF-8"),
            ("PATH", "/elsewhere"),
            ("HOME", "/home/me"),
            ("EXEAT_KEY", "exk_secret"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("HTTPS_PROXY", "http://me:secret@corp:3128"),
            ("SSH_AUTH_SOCK", "/run/agent"),
            ("SSL_CERT_FILE", "/seen/ca.pem"),
            ("JAVA_HOME", "/hidden/java"),
            ("MINE", "mine"),
        ];
        let all = environment(&outside, &["MINE", "GIVEN=x=y", "ABSENT"]);
        for (name, want) in [
            ("LANG", Some("C.UTF-8")),
            ("PATH", Some("/a/bin:/usr/bin")),
            ("HOME", Some(HOME)),
            ("SSL_CERT_FILE", Some("/seen/ca.pem")),
            ("JAVA_HOME", None),
            ("RUSTUP_HOME", Some("/seen/me/.rustup")),
            ("MINE", Some("mine")),
            ("GIVEN", Some("x=y")),
            ("ABSENT", None),
            ("EXEAT_KEY", None),
            ("SSH_AUTH_SOCK", None),
            ("EXEAT_RUN_ID", Some("run_1")),
            ("GIT_TERMINAL_PROMPT", Some("0")),
            ("GIT_CONFIG_COUNT", Some("6")),
        ] {
            assert_eq!(value(&all, name), want, "{name}");
        }
        assert!(!all.iter().any(|(_, value)| value.contains("secret")), "{all:?}");
    }
}
