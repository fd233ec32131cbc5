//! `exeat policy`: write rules, see exactly what they change, try them on what happened, publish them.
//!
//! What needs no server (validate, test, fmt, diff of two folders, schema) asks none.

mod candidate;
mod diff;
mod fmt;
mod publish;
mod replay;
mod rollback;
mod rule;
mod schema;
mod set;
mod show;
mod test;
mod validate;
mod versions;

use clap::Subcommand;

use super::App;
use crate::exit::Exit;
use crate::failure::Failure;

/// What to do.
#[derive(Debug, Subcommand)]
#[command(
    before_help = "Examples:\n  exeat policy allow github.com --agent coder --method GET --for 30d\n  exeat policy test policies/\n  exeat policy diff active policies/\n  exeat policy replay policies/ --since 7d\n  exeat policy publish policies/"
)]
pub enum Command {
    /// Show the rules that hold, or those of a version
    Show(show::Args),
    /// Check rules without a server
    Validate(validate::Args),
    /// Run the tests beside the rules
    Test(test::Args),
    /// Show every kind of ask whose outcome differs between two sets
    Diff(diff::Args),
    /// Decide what happened again, under other rules
    Replay(replay::Args),
    /// Make a set the one that holds
    Publish(publish::Args),
    /// Go back to the version before
    Rollback(rollback::Args),
    /// List the versions there were
    Versions(versions::Args),
    /// Try a set beside the one that holds
    #[command(subcommand)]
    Candidate(candidate::Command),
    /// Write the rules in one way
    Fmt(fmt::Args),
    /// Add a rule that allows
    Allow(rule::Args),
    /// Add a rule that asks for an approval
    Ask(rule::Args),
    /// Add a rule that denies
    Deny(rule::Args),
    /// Print the JSON Schema of a policy file, for editors
    Schema,
}

/// Runs it.
///
/// # Errors
/// What is wrong with the rules, or whatever the server refuses with.
pub async fn run(command: Command, app: &App) -> Result<Exit, Failure> {
    match command {
        Command::Show(args) => show::run(args, app).await,
        Command::Validate(args) => validate::run(&args, app),
        Command::Test(args) => test::run(args, app).await,
        Command::Diff(args) => diff::run(args, app).await,
        Command::Replay(args) => replay::run(args, app).await,
        Command::Publish(args) => publish::run(args, app).await,
        Command::Rollback(args) => rollback::run(args, app).await,
        Command::Versions(args) => versions::run(args, app).await,
        Command::Candidate(command) => candidate::run(command, app).await,
        Command::Fmt(args) => fmt::run(&args, app),
        Command::Allow(args) => rule::run(rules::Effect::Allow, args, app).await,
        Command::Ask(args) => rule::run(rules::Effect::Ask, args, app).await,
        Command::Deny(args) => rule::run(rules::Effect::Deny, args, app).await,
        Command::Schema => schema::run(app),
    }
}
