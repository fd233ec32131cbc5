//! `exeat proxy`: what a program needs to go out through the proxy.

mod env;

use clap::Subcommand;

pub(super) use self::env::{beside, proxy as address};

use super::App;
use crate::exit::Exit;
use crate::failure::Failure;

/// What to do.
#[derive(Debug, Subcommand)]
#[command(before_help = "Examples:\n  eval \"$(exeat proxy env --agent coder --for 8h)\"\n  exeat proxy env --json")]
pub enum Command {
    /// Print the variables that lead a program's requests through the proxy
    Env(env::Args),
}

/// Runs it.
///
/// # Errors
/// Whatever the server refuses with.
pub async fn run(command: Command, app: &App) -> Result<Exit, Failure> {
    match command {
        Command::Env(args) => env::run(args, app).await,
    }
}
