//! `exeat shadow`: what would have been blocked, what of it is settled, and the rules that would let
//! pass what was seen.

mod propose;
mod report;
mod review;

use clap::Subcommand;

use super::App;
use crate::exit::Exit;
use crate::failure::Failure;

/// What to do.
#[derive(Debug, Subcommand)]
#[command(
    before_help = "Examples:\n  exeat shadow report\n  exeat shadow propose --out policies/proposed.toml\n  exeat shadow review GROUP --note \"stays blocked\"\n  exeat mode set enforce"
)]
pub enum Command {
    /// Show what would have been blocked, grouped
    Report(report::Args),
    /// Say that groups were looked at and stay blocked
    Review(review::Args),
    /// Write the smallest rules that let pass what was seen
    Propose(propose::Args),
}

/// Runs it.
///
/// # Errors
/// Whatever the server refuses with.
pub async fn run(command: Command, app: &App) -> Result<Exit, Failure> {
    match command {
        Command::Report(args) => report::run(args, app).await,
        Command::Review(args) => review::run(args, app).await,
        Command::Propose(args) => propose::run(args, app).await,
    }
}
