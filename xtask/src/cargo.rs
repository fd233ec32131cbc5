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

/// Builds the `exeat` binary; returns its place.
pub(crate) fn build_binary(purpose: For) -> Result<PathBuf> {
    let mut build = cargo(["build", "--locked", "--message-format=json-render-diagnostics"]);
    build.args(match purpose {
        For::Tests => ["--workspace", "--bins", "--tests"].as_slice(),
        For::Mutations => ["--workspace", "--bins", "--tests", WEAKEN[0], WEAKEN[1]].as_slice(),
        For::Use => ["--release", "--package", "exeat"].as_slice(),
    });
    let messages = output(&mut build)?;
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut places = messages.filter_map(|message| {
        let is_binary = message.pointer("/target/name")? == "exeat" && message.pointer("/profile/test")? == false;
        is_binary.then(|| message.get("executable")?.as_str().map(PathBuf::from))?
    });
    places.next_back().context("cargo built no executable named exeat")
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    format!("`{}`", words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" "))
}
