//! Licences, banned crates and sources of the dependencies, as `deny.toml` says.

use anyhow::{Context, Result};

use crate::cargo::{self, cargo, has_subcommand};

/// Set to also check against the advisory database, which has to be fetched from the network.
const ADVISORIES_VARIABLE: &str = "EXEAT_ADVISORIES";

pub(crate) fn run() -> Result<()> {
    if !has_subcommand("deny") {
        let mut install = cargo(["install", "cargo-deny", "--locked"]);
        cargo::run(&mut install).context("installing cargo-deny, which is missing")?;
    }
    cargo::run(&mut cargo(["deny", "--workspace", "check", "bans", "licenses", "sources"]))?;
    if std::env::var_os(ADVISORIES_VARIABLE).is_some_and(|value| value == "1") {
        cargo::run(&mut cargo(["deny", "--workspace", "check", "advisories"]))?;
    } else {
        println!("advisories were not checked: set {ADVISORIES_VARIABLE}=1 where the database can be fetched");
    }
    Ok(())
}
