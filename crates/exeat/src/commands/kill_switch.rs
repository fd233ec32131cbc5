//! `exeat kill-switch`: stops every write to the outside at once, whatever was approved.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::App;
use super::wire::object;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{BAD, GOOD, Output};

/// What to do.
#[derive(Debug, Subcommand)]
#[command(
    before_help = "Examples:\n  exeat kill-switch on --reason \"incident 12\"\n  exeat kill-switch off --reason \"incident 12 is over\"\n  exeat kill-switch status"
)]
pub enum Command {
    /// Show whether it is on
    Status,
    /// Switch it on: every external.write is denied
    On(ReasonArgs),
    /// Switch it off
    Off(ReasonArgs),
}

/// Why.
#[derive(Debug, Args)]
pub struct ReasonArgs {
    /// Why, for the record
    #[arg(long)]
    reason: String,
}

/// Runs it.
///
/// # Errors
/// Whatever the server refuses with.
pub async fn run(command: Command, app: &App) -> Result<Exit, Failure> {
    let path = ["v1", "policy", "kill-switch"];
    let client = app.client()?;
    let (answer, undo) = match command {
        Command::Status => (client.get(&path, &[]).await?, None),
        Command::On(args) => (client.put(&path, &json!({ "active": true, "reason": args.reason })).await?, Some("off")),
        Command::Off(args) => {
            (client.put(&path, &json!({ "active": false, "reason": args.reason })).await?, Some("on"))
        }
    };
    let state = object(&answer, "kill_switch");
    app.output.answer(&answer, |output, _| show(output, state, undo))?;
    warn_in_shadow(&app.output, state);
    Ok(Exit::Ok)
}

fn show(output: &Output, state: &Value, undo: Option<&str>) -> Result<(), Failure> {
    if state.get("active") == Some(&Value::Bool(true)) {
        output.line(&format!("kill switch {BAD}on{BAD:#}: every external.write is denied, whatever was approved"))?;
    } else {
        output.line(&format!("kill switch {GOOD}off{GOOD:#}"))?;
    }
    if let Some(undo) = undo {
        output.say(&format!("undo: exeat kill-switch {undo} --reason …"));
    }
    Ok(())
}

fn warn_in_shadow(output: &Output, state: &Value) {
    let on = state.get("active") == Some(&Value::Bool(true));
    if on && state.get("effective") == Some(&Value::Bool(false)) {
        output.warn("the workspace is in shadow mode, so nothing is blocked yet; exeat mode set enforce --reason …");
    }
}
