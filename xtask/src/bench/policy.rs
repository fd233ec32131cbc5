//! Decisions under rules: the engine beside its peers, and the costs around it.
//!
//! The peers live outside the workspace (`bench/peers`), so that nobody builds them for a test.

use anyhow::Result;
use clap::Args;

use crate::cargo::{cargo, run};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Only this one: `peers`, `decide`, `load`, `diff`, `replay`
    only: Option<String>,
}

/// The benches by name: the package and the bench target.
const BENCHES: [(&str, &str, &str); 4] = [
    ("decide", "policy", "decide"),
    ("load", "rules", "load"),
    ("diff", "rules", "diff"),
    ("replay", "replay", "replay"),
];

pub(super) fn run_all(arguments: &Arguments) -> Result<()> {
    let wanted = |name: &str| arguments.only.as_deref().is_none_or(|only| only == name);
    anyhow::ensure!(
        wanted("peers") || BENCHES.iter().any(|(name, ..)| wanted(name)),
        "there is no such bench: peers, {}",
        BENCHES.map(|(name, ..)| name).join(", ")
    );
    if wanted("peers") {
        run(&mut cargo([
            "run",
            "--release",
            "--manifest-path",
            "bench/peers/Cargo.toml",
            "--target-dir",
            "target/peers",
        ]))?;
    }
    for (name, package, bench) in BENCHES {
        if wanted(name) {
            run(&mut cargo(["bench", "--package", package, "--bench", bench]))?;
        }
    }
    Ok(())
}
