//! `exeat rooms`: where work happens, each with its own stream of events.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::App;
use super::page::PageArgs;
use super::wire::{body, list, text};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Output, Table, field};

/// What to do.
#[derive(Debug, Subcommand)]
#[command(before_help = "Examples:\n  exeat rooms create \"invoices\" --topic \"month end\"\n  exeat rooms list")]
pub enum Command {
    /// List rooms
    List(PageArgs),
    /// Create a room
    Create(CreateArgs),
}

/// The new room.
#[derive(Debug, Args)]
pub struct CreateArgs {
    /// Its title
    title: String,
    /// What it is about
    #[arg(long)]
    topic: Option<String>,
    /// Its mode [default: default]
    #[arg(long, value_name = "MODE")]
    room_mode: Option<String>,
    /// Its language [default: en]
    #[arg(long, value_name = "LANG")]
    lang: Option<String>,
}

/// Runs it.
///
/// # Errors
/// Whatever the server refuses with.
pub async fn run(command: Command, app: &App) -> Result<Exit, Failure> {
    let client = app.client()?;
    match command {
        Command::List(page) => {
            let answer = client.get(&["v1", "rooms"], &page.query()).await?;
            app.output.answer(&answer, show_list)?;
        }
        Command::Create(args) => {
            let body = body([
                ("title", Some(json!(args.title))),
                ("topic", text(args.topic)),
                ("room_mode", text(args.room_mode)),
                ("default_lang", text(args.lang)),
            ]);
            let answer = client.create(&["v1", "rooms"], &body).await?;
            app.output.answer(&answer, |output, answer| output.line(&field(answer, "room_id")))?;
        }
    }
    Ok(Exit::Ok)
}

fn show_list(output: &Output, answer: &Value) -> Result<(), Failure> {
    let mut table = Table::new(&["room", "title", "topic", "created"]);
    for room in list(answer, "rooms") {
        table.row([
            field(room, "room_id"),
            field(room, "title"),
            field(room, "topic"),
            output.when(room, "created_at"),
        ]);
    }
    output.table(table, "no rooms")?;
    PageArgs::say_next(output, answer);
    Ok(())
}
