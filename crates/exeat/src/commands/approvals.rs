//! `exeat approvals`: what agents ask for, and a human's answer.

mod decide;
mod scope;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::App;
use super::moment;
use super::page::PageArgs;
use super::wire::{body, lines, list, object, text};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Output, Table, field, opt};

/// What to do.
#[derive(Debug, Subcommand)]
#[command(
    before_help = "Examples:\n  exeat approvals list --status pending\n  exeat approvals approve ID --for 10m --reason \"release day\"\n  exeat approvals deny ID --reason \"not on a Friday\"\n  exeat approvals revoke ID"
)]
pub enum Command {
    /// List approvals, newest first
    List(ListArgs),
    /// Show one approval
    Get(GetArgs),
    /// Say yes
    Approve(decide::ApproveArgs),
    /// Say no
    Deny(decide::DecideArgs),
    /// Say not yet
    Hold(decide::DecideArgs),
    /// Take a yes back
    Revoke(RevokeArgs),
    /// Ask for one in advance
    Request(RequestArgs),
}

/// Which approvals.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only where they stand like this
    #[arg(long, value_parser = ["pending", "held", "approved", "denied", "expired", "revoked"])]
    status: Option<String>,
    /// Only in this room
    #[arg(long, value_name = "ROOM_ID")]
    room: Option<String>,
    #[command(flatten)]
    page: PageArgs,
}

/// Which approval.
#[derive(Debug, Args)]
pub struct GetArgs {
    /// Its id
    id: String,
}

/// Which yes to take back.
#[derive(Debug, Args)]
pub struct RevokeArgs {
    /// The approval's id
    id: String,
    /// Why, for the record
    #[arg(long)]
    reason: Option<String>,
}

/// What to ask for.
#[derive(Debug, Args)]
pub struct RequestArgs {
    /// The action, for example external.write
    action: String,
    /// One line for whoever decides
    #[arg(long)]
    title: Option<String>,
    /// For this room
    #[arg(long, value_name = "ROOM_ID")]
    room: Option<String>,
    /// For this run
    #[arg(long, value_name = "RUN_ID")]
    run: Option<String>,
    /// How far it reaches
    #[arg(long, value_enum)]
    scope: Option<scope::Reach>,
    /// Only for this domain
    #[arg(long, value_name = "DOMAIN", requires = "scope")]
    domain: Option<String>,
    /// How long the question stands: `10m`, or until a time
    #[arg(long = "for", value_name = "SPAN", value_parser = moment::future)]
    until: Option<String>,
    /// How many different people have to say yes
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    required_approvals: Option<u32>,
}

/// Runs it.
///
/// # Errors
/// Whatever the server refuses with.
pub async fn run(command: Command, app: &App) -> Result<Exit, Failure> {
    match command {
        Command::List(args) => {
            let mut query = vec![("status", args.status), ("room_id", args.room)];
            query.extend(args.page.query());
            let answer = app.client()?.get(&["v1", "approvals"], &query).await?;
            app.output.answer(&answer, show_list)?;
        }
        Command::Get(args) => {
            let answer = app.client()?.get(&["v1", "approvals", &args.id], &[]).await?;
            app.output.answer(&answer, |output, answer| show_one(output, object(answer, "approval")))?;
        }
        Command::Approve(args) => decide::approve(args, app).await?,
        Command::Deny(args) => decide::say(args, decide::Word::Deny, app).await?,
        Command::Hold(args) => decide::say(args, decide::Word::Hold, app).await?,
        Command::Revoke(RevokeArgs { id, reason }) => {
            let answer =
                app.client()?.post(&["v1", "approvals", &id, "revoke"], &body([("reason", text(reason))])).await?;
            app.output.answer(&answer, |output, _| {
                output.line(&format!("revoked {id}: what it allowed is asked again from now on"))
            })?;
        }
        Command::Request(args) => request(args, app).await?,
    }
    Ok(Exit::Ok)
}

async fn request(args: RequestArgs, app: &App) -> Result<(), Failure> {
    let scope = match args.scope {
        Some(reach) => {
            Some(scope::asked_for(reach, args.room.as_deref(), args.run.as_deref(), args.domain.as_deref())?)
        }
        None => None,
    };
    let body = body([
        ("action", Some(json!(args.action))),
        ("title", text(args.title)),
        ("room_id", text(args.room)),
        ("run_id", text(args.run)),
        ("scope", scope),
        ("expires_at", text(args.until)),
        ("required_approvals", args.required_approvals.map(Value::from)),
    ]);
    let answer = app.client()?.create(&["v1", "approvals"], &body).await?;
    app.output.answer(&answer, |output, answer| {
        let id = field(answer, "approval_id");
        output.line(&id)?;
        output.say(&format!("asked for {}; somebody else decides: exeat approvals approve {id}", args.action));
        Ok(())
    })
}

fn show_list(output: &Output, answer: &Value) -> Result<(), Failure> {
    let mut table = Table::new(&["id", "status", "asked", "what", "scope", "until"]);
    for approval in list(answer, "approvals") {
        let asked = if approval.get("requested_at").is_some() { "requested_at" } else { "created_at" };
        table.row([
            field(approval, "approval_id"),
            field(approval, "status"),
            output.when(approval, asked),
            what(approval),
            scope::in_words(approval),
            output.when(approval, "expires_at"),
        ]);
    }
    output.table(table, "no approvals")?;
    PageArgs::say_next(output, answer);
    Ok(())
}

fn show_one(output: &Output, approval: &Value) -> Result<(), Failure> {
    lines(output, approval)?;
    let id = field(approval, "approval_id");
    match field(approval, "status").as_str() {
        "pending" | "held" => {
            output.say(&format!("decide: exeat approvals approve {id}   or   exeat approvals deny {id}"));
        }
        "approved" => output.say(&format!("undo: exeat approvals revoke {id}")),
        _ => {}
    }
    Ok(())
}

/// The action and what it is aimed at.
fn what(approval: &Value) -> String {
    let scope = approval.get("scope").unwrap_or(&Value::Null);
    let request = approval.get("request").unwrap_or(&Value::Null);
    let aim = opt(request, "target_url")
        .or_else(|| opt(scope, "target_domain"))
        .or_else(|| opt(scope, "tool_name"))
        .or_else(|| opt(approval, "title"));
    let action = field(approval, "action");
    aim.map_or_else(|| action.clone(), |aim| format!("{action} {aim}"))
}
