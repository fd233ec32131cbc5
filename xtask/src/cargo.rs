//! Running cargo from within `cargo run`, without its traces in the environment.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// Set by `cargo run` for this program. Build scripts that watch them would run again in every build started here.
const TRACES: [&str; 4] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"];

/// The directory that the workspace is in.
pub(crate) fn workspace_root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// Cargo, to be run at the root of the workspace.
pub(crate) fn cargo<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(workspace_root()).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| TRACES.iter().any(|trace| name.starts_with(trace))) {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a command to its end, its output going where ours goes.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("starting {}", shown(command)))?;
    ensure!(status.success(), "{} failed ({status})", shown(command));
    Ok(())
}

/// Runs a command to its end for what it prints.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command.stderr(Stdio::inherit()).output().with_context(|| format!("starting {}", shown(command)))?;
    ensure!(output.status.success(), "{} failed ({})", shown(command), output.status);
    Ok(String::from_utf8(output.stdout)?)
}

/// Whether cargo knows a subcommand, e.g. `nextest`.
pub(crate) fn has_subcommand(name: &str) -> bool {
    let mut command = cargo([name, "--version"]);
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// What the `exeat` binary is built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum For {
    /// Together with all tests of the workspace: the tests then reuse everything, because a build without them would
    /// compile most dependencies once more, with fewer features.
    Tests,
    /// The same with protections that can be taken away: nobody is to use it.
    Mutations,
    /// As it is released.
    Use,
}

/// The feature by which protections can be taken away.
pub(crate) const WEAKEN: [&str; 2] = ["--features", "exeat/weaken"];

/// What a build left.
#[derive(Debug)]
pub(crate) struct Built {
    /// The `exeat` binary.
    pub(crate) binary: PathBuf,
    /// The programs that tests are in; none in a build for use.
    pub(crate) suites: Vec<Suite>,
}

/// A program that tests are in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Suite {
    pub(crate) executable: PathBuf,
    /// The name of its target where it is one of integration tests.
    pub(crate) target: Option<String>,
    /// The folder of its package, in which cargo would run it.
    pub(crate) folder: PathBuf,
}

/// Builds the `exeat` binary, with the tests that its purpose has; returns their places.
pub(crate) fn build(purpose: For) -> Result<Built> {
    let mut build = cargo(["build", "--locked", "--message-format=json-render-diagnostics"]);
    build.args(match purpose {
        For::Tests => ["--workspace", "--bins", "--tests"].as_slice(),
        For::Mutations => {
            &["--workspace", "--bins", "--test=guard", "--test=it", "--test=wayout", WEAKEN[0], WEAKEN[1]]
        }
        For::Use => ["--release", "--package", "exeat"].as_slice(),
    });
    let messages = output(&mut build)?;
    let mut binary = None;
    let mut suites = Vec::new();
    for message in messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let text = |pointer: &str| message.pointer(pointer).and_then(Value::as_str);
        let Some(executable) = text("/executable").map(PathBuf::from) else { continue };
        let name = text("/target/name").unwrap_or_default();
        if message.pointer("/profile/test") == Some(&Value::Bool(true)) {
            let target = (text("/target/kind/0") == Some("test")).then(|| name.to_owned());
            let manifest = Path::new(text("/manifest_path").unwrap_or_default());
            let folder = manifest.parent().context("cargo names no manifest")?.to_owned();
            suites.push(Suite { executable, target, folder });
        } else if name == "exeat" {
            binary = Some(executable);
        }
    }
    Ok(Built { binary: binary.context("cargo built no executable named exeat")?, suites })
}

/// Builds the `exeat` binary; returns its place.
pub(crate) fn build_binary(purpose: For) -> Result<PathBuf> {
    Ok(build(purpose)?.binary)
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    format!("`{}`", words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" "))
}
