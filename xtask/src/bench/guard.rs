//! Starting guarded commands, beside unguarded ones and bubblewrap; and what the guard costs on the way out.

use anyhow::Result;
use clap::Args;

use crate::cargo::{cargo, run};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// How often each is started
    #[arg(default_value_t = 200)]
    rounds: u32,
}

pub(super) fn run_all(arguments: &Arguments) -> Result<()> {
    let rounds = arguments.rounds.to_string();
    run(&mut cargo(["bench", "--package", "guard", "--bench", "start", "--", &rounds]))?;
    run(&mut cargo(["bench", "--package", "confine", "--bench", "path"]))
}
