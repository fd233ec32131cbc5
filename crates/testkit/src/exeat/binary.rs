//! Finding the binary under test, freshly built.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Context, Result, anyhow, bail, ensure};

/// Names a binary that was built already: set by the test command, which builds it once for all test processes.
pub const BINARY_VARIABLE: &str = "EXEAT_BIN";

/// The `exeat` binary: the one named by [`BINARY_VARIABLE`], else built by `cargo build -p exeat` in the profile and
/// target directory of the running test, once per process. An existing file is never trusted to be current.
///
/// # Errors
/// When the named file is missing or the build fails; the message has what the compiler said.
pub fn binary() -> Result<PathBuf> {
    static BINARY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let found = BINARY.get_or_init(|| {
        let found = match std::env::var_os(BINARY_VARIABLE) {
            Some(path) => named(path.into()),
            None => built(),
        };
        found.map_err(|error| format!("{error:#}"))
    });
    found.clone().map_err(|message| anyhow!("no exeat binary for tests: {message}"))
}

fn named(path: PathBuf) -> Result<PathBuf> {
    ensure!(path.is_file(), "{BINARY_VARIABLE} names `{}`, which is not a file", path.display());
    Ok(path)
}

/// A test runs as `<target>/<profile>/deps/<name>-<hash>`.
fn built() -> Result<PathBuf> {
    let test = std::env::current_exe().context("finding the running test")?;
    let deps = test.parent().filter(|dir| dir.ends_with("deps"));
    let profile_dir = deps.and_then(|dir| dir.parent()).with_context(|| {
        format!("`{}` was not started from a target directory: set {BINARY_VARIABLE}", test.display())
    })?;
    let target_dir = profile_dir.parent().context("a profile directory without a parent")?;
    let profile = match profile_dir.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(other) => other,
    };
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // What cargo tells a test about itself would make build scripts that watch it run again.
    let traces = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    for trace in traces.filter(|name| ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|start| name.starts_with(start))) {
        cargo.env_remove(trace);
    }
    let output = cargo
        .args(["build", "--quiet", "--package", "exeat", "--profile", profile, "--target-dir"])
        .arg(target_dir)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null())
        .output()
        .context("running cargo")?;
    if !output.status.success() {
        bail!("`cargo build -p exeat` failed:\n{}", String::from_utf8_lossy(&output.stderr));
    }
    named(profile_dir.join(if cfg!(windows) { "exeat.exe" } else { "exeat" }))
}
