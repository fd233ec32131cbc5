//! `exeat mode`: whether decisions block or are only recorded.

use clap::{Args, Subcommand};
use serde_json::json;

use super::App;
use super::wire::{body, object, text};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::field;

/// What to do.
#[derive(Debug, Subcommand)]
#[command(
    before_help = "Examples:\n  exeat mode get\n  exeat mode set enforce --reason \"reviewed two weeks of shadow\""
)]
pub enum Command {
    /// Show the mode
    Get,
    /// Set the mode
    Set(SetArgs),
}

/// The mode.
#[derive(Debug, Args)]
pub struct SetArgs {
    /// The mode
    #[arg(value_parser = ["shadow", "enforce"], ignore_case = true)]
    mode: String,
    /// Why, for the record
    #[arg(long)]
    reason: Option<String>,
}

/// Runs it.
///
/// # Errors
/// Whatever the server refuses with.
pub async fn run(command: Command, app: &App) -> Result<Exit, Failure> {
    let path = ["v1", "policy", "mode"];
    let client = app.client()?;
    match command {
        Command::Get => {
            let answer = client.get(&path, &[]).await?;
            app.output.answer(&answer, |output, answer| output.line(&field(object(answer, "settings"), "mode")))?;
        }
        Command::Set(SetArgs { mode, reason }) => {
            let mode = mode.to_lowercase();
            let (other, meaning) = if mode == "shadow" {
                ("enforce", "decisions are recorded and block nothing")
            } else {
                ("shadow", "what is not allowed is blocked")
            };
            let answer = client.put(&path, &body([("mode", Some(json!(mode))), ("reason", text(reason))])).await?;
            app.output.answer(&answer, |output, _| {
                output.line(&format!("mode {mode}: {meaning}"))?;
                output.say(&format!("undo: exeat mode set {other}"));
                Ok(())
            })?;
        }
    }
    Ok(Exit::Ok)
}
