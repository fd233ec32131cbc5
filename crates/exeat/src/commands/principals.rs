//! `exeat principals`: who is accountable.

use clap::{Args, Subcommand};
use serde_json::json;

use super::App;
use super::wire::{body, lines, object, text};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::field;

/// What to do.
#[derive(Debug, Subcommand)]
#[command(before_help = "Examples:\n  exeat principals create user\n  exeat principals ensure user anna")]
pub enum Command {
    /// Create a principal
    Create(CreateArgs),
    /// Find the principal of an actor, creating it on first use
    Ensure(EnsureArgs),
}

/// The new principal.
#[derive(Debug, Args)]
pub struct CreateArgs {
    /// What it is
    #[arg(value_parser = ["user", "agent", "service"])]
    principal_type: String,
    /// Bind it to this kind of actor
    #[arg(long, value_name = "TYPE", requires = "actor_id")]
    actor_type: Option<String>,
    /// Bind it to this actor
    #[arg(long, value_name = "ID", requires = "actor_type")]
    actor_id: Option<String>,
}

/// Whose principal.
#[derive(Debug, Args)]
pub struct EnsureArgs {
    /// The kind of actor
    #[arg(value_parser = ["user", "agent", "service"])]
    actor_type: String,
    /// The actor
    actor_id: String,
}

/// Runs it.
///
/// # Errors
/// Whatever the server refuses with.
pub async fn run(command: Command, app: &App) -> Result<Exit, Failure> {
    let client = app.client()?;
    match command {
        Command::Create(args) => {
            let body = body([
                ("principal_type", Some(json!(args.principal_type))),
                ("legacy_actor_type", text(args.actor_type)),
                ("legacy_actor_id", text(args.actor_id)),
            ]);
            let answer = client.create(&["v1", "principals"], &body).await?;
            app.output.answer(&answer, |output, answer| output.line(&field(answer, "principal_id")))?;
        }
        Command::Ensure(args) => {
            let answer = client
                .post(
                    &["v1", "principals", "legacy", "ensure"],
                    &json!({ "actor_type": args.actor_type, "actor_id": args.actor_id }),
                )
                .await?;
            app.output.answer(&answer, |output, answer| lines(output, object(answer, "principal")))?;
        }
    }
    Ok(Exit::Ok)
}
