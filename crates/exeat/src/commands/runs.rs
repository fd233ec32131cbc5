//! `exeat runs`: queued work whose every tool call passes the gate.

mod create;
mod failed;
mod get;
mod retry;
pub(super) mod timeline;
mod watch;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::App;
use super::page::PageArgs;
use super::wire::{body, list, text};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{BAD, DIM, GOOD, Output, Table, WAIT, field};

pub(super) use failed::Explained;
pub(super) use watch::RunEvents;

/// What to do.
#[derive(Debug, Subcommand)]
#[command(
    before_help = "Examples:\n  exeat runs create --title \"fetch the news\" --egress https://example.com/ --watch\n  exeat runs create --input @run.json --tag nightly\n  exeat runs list --status waiting_approval\n  exeat runs get ID\n  exeat runs retry ID"
)]
pub enum Command {
    /// Queue a run
    Create(Box<create::CreateArgs>),
    /// List runs, newest first
    List(ListArgs),
    /// Show a run with its steps, tool calls and attempts, and why it failed
    Get(GetArgs),
    /// Call a run off
    Cancel(CancelArgs),
    /// Queue a new run like one that has ended
    Retry(retry::RetryArgs),
    /// Follow a run to its end: exit 0 when it succeeded, 1 when it failed or was cancelled
    Watch(watch::WatchArgs),
}

/// Which runs.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only where they stand like this
    #[arg(long, value_parser = ["queued", "running", "waiting_approval", "succeeded", "failed", "cancelled"])]
    status: Option<String>,
    /// Only in this room
    #[arg(long, value_name = "ROOM_ID")]
    room: Option<String>,
    #[command(flatten)]
    page: PageArgs,
}

/// Which run.
#[derive(Debug, Args)]
pub struct GetArgs {
    /// Its id
    id: String,
}

/// Which run to call off.
#[derive(Debug, Args)]
pub struct CancelArgs {
    /// Its id
    id: String,
    /// Why, for the record
    #[arg(long)]
    reason: Option<String>,
}

/// Runs it.
///
/// # Errors
/// Whatever the server refuses with. A run that failed is not an error but an exit code of `watch`.
pub async fn run(command: Command, app: &App) -> Result<Exit, Failure> {
    match command {
        Command::Create(args) => return create::run(*args, app).await,
        Command::Get(args) => get::run(&args.id, app).await?,
        Command::Retry(args) => return retry::run(args, app).await,
        Command::Watch(args) => return watch::run(&args, app).await,
        Command::List(args) => {
            let mut query = vec![("room_id", args.room), ("status", args.status)];
            query.extend(args.page.query());
            let answer = app.client()?.get(&["v1", "runs"], &query).await?;
            app.output.answer(&answer, show_list)?;
        }
        Command::Cancel(CancelArgs { id, reason }) => {
            let path = ["v1", "runs", &id, "cancel"];
            let answer = app.client()?.post(&path, &body([("reason", text(reason))])).await?;
            app.output.answer(&answer, |output, _| {
                output.line(&format!("cancelled {id}"))?;
                output.say(&format!("do it after all: exeat runs retry {id}"));
                Ok(())
            })?;
        }
    }
    Ok(Exit::Ok)
}

fn show_list(output: &Output, answer: &Value) -> Result<(), Failure> {
    let mut table = Table::new(&["run", "status", "title", "attempt", "created", "ended"]);
    for run in list(answer, "runs") {
        table.row([
            field(run, "run_id"),
            field(run, "status"),
            field(run, "title"),
            field(run, "attempt_no"),
            output.when(run, "created_at"),
            output.when(run, "ended_at"),
        ]);
    }
    output.table(table, "no runs")?;
    PageArgs::say_next(output, answer);
    Ok(())
}

/// The status of a run, step or tool call in its colour.
fn status(value: &Value) -> String {
    let status = field(value, "status");
    let style = match status.as_str() {
        "succeeded" => GOOD,
        "failed" | "cancelled" => BAD,
        "waiting_approval" => WAIT,
        "queued" => DIM,
        _ => return status,
    };
    format!("{style}{status}{style:#}")
}
