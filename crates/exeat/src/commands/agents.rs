//! `exeat agents`: the programs that act, each with its principal.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::App;
use super::page::PageArgs;
use super::wire::{body, lines, list, object, text};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Output, Table, field, opt};

/// What to do.
#[derive(Debug, Subcommand)]
#[command(
    before_help = "Examples:\n  exeat agents create \"release bot\"\n  exeat agents quarantine ID --reason \"odd requests\"\n  exeat agents list"
)]
pub enum Command {
    /// List agents
    List(PageArgs),
    /// Register an agent
    Create(CreateArgs),
    /// Show one agent
    Get(GetArgs),
    /// Deny everything an agent does until further notice
    Quarantine(QuarantineArgs),
    /// End a quarantine
    Unquarantine(GetArgs),
    /// End an agent for good
    Revoke(GetArgs),
}

/// The new agent.
#[derive(Debug, Args)]
pub struct CreateArgs {
    /// Its name for people
    display_name: String,
}

/// Which agent.
#[derive(Debug, Args)]
pub struct GetArgs {
    /// Its id
    id: String,
}

/// Which agent, and why.
#[derive(Debug, Args)]
pub struct QuarantineArgs {
    /// Its id
    id: String,
    /// Why, for the record
    #[arg(long)]
    reason: Option<String>,
}

/// Runs it.
///
/// # Errors
/// Whatever the server refuses with.
pub async fn run(command: Command, app: &App) -> Result<Exit, Failure> {
    let client = app.client()?;
    match command {
        Command::List(page) => {
            let answer = client.get(&["v1", "agents"], &page.query()).await?;
            app.output.answer(&answer, show_list)?;
        }
        Command::Create(args) => {
            let answer = client.create(&["v1", "agents"], &json!({ "display_name": args.display_name })).await?;
            app.output.answer(&answer, |output, answer| {
                let id = field(answer, "agent_id");
                output.line(&format!("{id}  principal {}", field(answer, "principal_id")))?;
                output.say(&format!(
                    "it needs a key: exeat keys create --role agent --principal {}",
                    field(answer, "principal_id")
                ));
                Ok(())
            })?;
        }
        Command::Get(GetArgs { id }) => {
            let answer = client.get(&["v1", "agents", &id], &[]).await?;
            app.output.answer(&answer, |output, answer| lines(output, object(answer, "agent")))?;
        }
        Command::Quarantine(QuarantineArgs { id, reason }) => {
            let answer =
                client.post(&["v1", "agents", &id, "quarantine"], &body([("quarantine_reason", text(reason))])).await?;
            told(
                &app.output,
                &answer,
                &format!("quarantined {id}: everything it does is denied"),
                &format!("undo: exeat agents unquarantine {id}"),
            )?;
        }
        Command::Unquarantine(GetArgs { id }) => {
            let answer = client.post(&["v1", "agents", &id, "unquarantine"], &json!({})).await?;
            told(
                &app.output,
                &answer,
                &format!("{id} is out of quarantine"),
                &format!("undo: exeat agents quarantine {id}"),
            )?;
        }
        Command::Revoke(GetArgs { id }) => {
            let answer = client.post(&["v1", "agents", &id, "revoke"], &json!({})).await?;
            told(
                &app.output,
                &answer,
                &format!("revoked {id}"),
                "this cannot be undone; register another with `exeat agents create`",
            )?;
        }
    }
    Ok(Exit::Ok)
}

fn told(output: &Output, answer: &Value, what: &str, undo: &str) -> Result<(), Failure> {
    output.answer(answer, |output, _| {
        output.line(what)?;
        output.say(undo);
        Ok(())
    })
}

fn show_list(output: &Output, answer: &Value) -> Result<(), Failure> {
    let mut table = Table::new(&["agent", "name", "principal", "state", "since"]);
    for agent in list(answer, "agents") {
        let (state, since) = match (opt(agent, "revoked_at"), opt(agent, "quarantined_at")) {
            (Some(_), _) => ("revoked", "revoked_at"),
            (None, Some(_)) => ("quarantined", "quarantined_at"),
            (None, None) => ("live", "created_at"),
        };
        table.row([
            field(agent, "agent_id"),
            field(agent, "display_name"),
            field(agent, "principal_id"),
            state.to_owned(),
            output.when(agent, since),
        ]);
    }
    output.table(table, "no agents; register one with `exeat agents create NAME`")?;
    PageArgs::say_next(output, answer);
    Ok(())
}
