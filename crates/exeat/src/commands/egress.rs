//! `exeat egress`: the requests to leave, past and as they happen.

mod ask;
mod filter;
mod said;
mod stats;
mod tail;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::App;
use super::moment;
use super::page::PageArgs;
use super::wire::{list, object};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Output, Table, field, opt};

/// What to see.
#[derive(Debug, Subcommand)]
#[command(
    before_help = "Examples:\n  exeat egress list --decision deny --since 1h\n  exeat egress tail decision:deny\n  exeat egress stats --since 24h\n  exeat egress get ID"
)]
pub enum Command {
    /// Ask for a request to leave; it is recorded, and nothing is sent
    Ask(ask::Args),
    /// List requests, newest first
    List(ListArgs),
    /// Show one request
    Get(GetArgs),
    /// Follow requests as they are decided, and how they end
    Tail(tail::Args),
    /// Count who went where, how much, and what was refused
    Stats(stats::Args),
}

/// Which requests.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only with this decision
    #[arg(long, value_parser = ["allow", "deny", "require_approval"])]
    decision: Option<String>,
    /// Only in this room
    #[arg(long, value_name = "ROOM_ID")]
    room: Option<String>,
    /// Only of this run
    #[arg(long, value_name = "RUN_ID")]
    run: Option<String>,
    /// Only since then: `1h`, or a time
    #[arg(long, value_name = "WHEN", value_parser = moment::past)]
    since: Option<String>,
    #[command(flatten)]
    page: PageArgs,
}

/// Which request.
#[derive(Debug, Args)]
pub struct GetArgs {
    /// Its id
    id: String,
}

/// Runs it.
///
/// # Errors
/// Whatever the server refuses with.
pub async fn run(command: Command, app: &App) -> Result<Exit, Failure> {
    match command {
        Command::Ask(args) => return ask::run(args, app).await,
        Command::List(args) => {
            let mut query =
                vec![("decision", args.decision), ("room_id", args.room), ("run_id", args.run), ("since", args.since)];
            query.extend(args.page.query());
            let answer = app.client()?.get(&["v1", "egress", "requests"], &query).await?;
            app.output.answer(&answer, show_list)?;
        }
        Command::Get(args) => {
            let answer = app.client()?.get(&["v1", "egress", "requests", &args.id], &[]).await?;
            app.output.answer(&answer, |output, answer| show_one(output, object(answer, "request")))?;
        }
        Command::Tail(args) => return tail::run(args, app).await,
        Command::Stats(args) => return stats::run(args, app).await,
    }
    Ok(Exit::Ok)
}

fn show_list(output: &Output, answer: &Value) -> Result<(), Failure> {
    let mut table = Table::new(&["time", "decision", "what", "reason", "id"]);
    for request in list(answer, "requests") {
        table.row([
            output.when(request, "created_at"),
            decision(request),
            what(request),
            field(request, "policy_reason_code"),
            field(request, "egress_request_id"),
        ]);
    }
    output.table(table, "no requests")?;
    PageArgs::say_next(output, answer);
    Ok(())
}

/// The decision, marked when it was only recorded.
fn decision(request: &Value) -> String {
    let decision = field(request, "policy_decision");
    let passed = request.get("blocked") == Some(&Value::Bool(false));
    if decision != "allow" && passed { format!("{decision} (shadow)") } else { decision }
}

fn what(request: &Value) -> String {
    let method = opt(request, "method").unwrap_or_else(|| field(request, "action"));
    format!("{method} {}", field(request, "target_url"))
}

fn show_one(output: &Output, request: &Value) -> Result<(), Failure> {
    super::wire::lines(output, request)?;
    if let Some(approval) = opt(request, "approval_id") {
        output.say(&format!("approval: exeat approvals get {approval}"));
    }
    Ok(())
}
