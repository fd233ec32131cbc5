//! `exeat events`: the event log over HTTP; `verify` and `head` work on the store itself.

use clap::{Args, Subcommand};
use serde_json::Value;

use super::App;
use super::events_verify::{self, HeadArgs, VerifyArgs};
use super::moment;
use super::page::PageArgs;
use super::tail::{self, TailArgs};
use super::wire::{lines, list, object};
use crate::config::Config;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Output, Table, field, opt};

/// What to read.
#[derive(Debug, Subcommand)]
#[command(
    before_help = "Examples:\n  exeat events list --type egress.blocked --after 1h\n  exeat events tail --json\n  exeat events get ID"
)]
pub enum Command {
    /// List events, oldest first
    List(ListArgs),
    /// Show one event with its hashes
    Get(GetArgs),
    /// Follow events as they are recorded
    Tail(FollowArgs),
    /// Check every chain of the event log, on the store itself
    Verify(VerifyArgs),
    /// Show the head of every chain, to be kept elsewhere
    Head(HeadArgs),
}

/// Which events.
#[derive(Debug, Clone, Args)]
pub struct FilterArgs {
    /// Only this stream, for example room/room_1
    #[arg(long, value_name = "TYPE/ID", value_parser = stream)]
    stream: Option<(String, String)>,
    /// Only of these types; may be repeated or separated by commas
    #[arg(long = "type", value_name = "TYPE", value_delimiter = ',')]
    types: Vec<String>,
    /// Only in this room
    #[arg(long, value_name = "ROOM_ID")]
    room: Option<String>,
    /// Only of this run
    #[arg(long, value_name = "RUN_ID")]
    run: Option<String>,
    /// Only of this step
    #[arg(long, value_name = "STEP_ID")]
    step: Option<String>,
    /// Only with this correlation id
    #[arg(long, value_name = "ID")]
    correlation: Option<String>,
    /// Only about this principal
    #[arg(long, value_name = "PRINCIPAL_ID")]
    principal: Option<String>,
}

/// Which events, and how many.
#[derive(Debug, Args)]
pub struct ListArgs {
    #[command(flatten)]
    filter: FilterArgs,
    /// Only behind this sequence number of the stream
    #[arg(long, value_name = "N", requires = "stream")]
    from_seq: Option<u64>,
    /// Only after then: `1h` (ago) or a time
    #[arg(long, value_name = "WHEN", value_parser = moment::past)]
    after: Option<String>,
    /// Only before then: `1h` (ago) or a time
    #[arg(long, value_name = "WHEN", value_parser = moment::past)]
    before: Option<String>,
    #[command(flatten)]
    page: PageArgs,
}

/// Which events to follow.
#[derive(Debug, Args)]
pub struct FollowArgs {
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    tail: TailArgs,
}

/// Which event.
#[derive(Debug, Args)]
pub struct GetArgs {
    /// Its id
    id: String,
}

fn stream(text: &str) -> Result<(String, String), String> {
    match text.split_once('/') {
        Some((kind @ ("room" | "thread" | "workspace"), id)) if !id.is_empty() => Ok((kind.to_owned(), id.to_owned())),
        _ => Err("expected room/ID, thread/ID or workspace/ID".to_owned()),
    }
}

impl FilterArgs {
    fn query(self) -> Vec<(&'static str, Option<String>)> {
        let (stream_type, stream_id) = self.stream.unzip();
        let types = (!self.types.is_empty()).then(|| self.types.join(","));
        vec![
            ("stream_type", stream_type),
            ("stream_id", stream_id),
            ("event_type", types),
            ("room_id", self.room),
            ("run_id", self.run),
            ("step_id", self.step),
            ("correlation_id", self.correlation),
            ("subject_principal_id", self.principal),
        ]
    }
}

/// Runs it.
///
/// # Errors
/// Whatever the server refuses with.
pub async fn run(
    command: Command,
    app: &App,
    config: impl FnOnce() -> Result<Config, Failure>,
) -> Result<Exit, Failure> {
    match command {
        Command::Verify(args) => return events_verify::verify(&args, &config()?, app.output).await,
        Command::Head(_) => return events_verify::head(&config()?, app.output).await,
        Command::List(args) => {
            let mut query = args.filter.query();
            query.extend([
                ("from_seq", args.from_seq.map(|n| n.to_string())),
                ("after", args.after),
                ("before", args.before),
            ]);
            query.extend(args.page.query());
            let answer = app.client()?.get(&["v1", "events"], &query).await?;
            app.output.answer(&answer, show_list)?;
        }
        Command::Get(args) => {
            let answer = app.client()?.get(&["v1", "events", &args.id], &[]).await?;
            app.output.answer(&answer, |output, answer| lines(output, object(answer, "event")))?;
        }
        Command::Tail(args) => tail::follow(app, args.tail, &args.filter.query()).await?,
    }
    Ok(Exit::Ok)
}

fn show_list(output: &Output, answer: &Value) -> Result<(), Failure> {
    let mut table = Table::new(&["seq", "time", "stream", "type", "what", "id"]);
    for event in list(answer, "events") {
        let stream = format!("{}/{}", field(event, "stream_type"), field(event, "stream_id"));
        table.row([
            field(event, "stream_seq"),
            output.when(event, "occurred_at"),
            stream,
            field(event, "event_type"),
            what(event),
            field(event, "event_id"),
        ]);
    }
    output.table(table, "no events")?;
    PageArgs::say_next(output, answer);
    Ok(())
}

/// What an event is about, in a few words: the members of its data that a reader looks for.
pub(super) fn what(event: &Value) -> String {
    let none = Value::Null;
    let data = event.get("data").unwrap_or(&none);
    let names = [
        "action",
        "method",
        "target_url",
        "tool_name",
        "title",
        "display_name",
        "decision",
        "reason_code",
        "approval_id",
        "outcome",
        "violation_code",
        "status",
    ];
    let words: Vec<String> = names.iter().filter_map(|name| opt(data, name)).collect();
    if words.is_empty() { field(event, "actor_id") } else { words.join(" ") }
}
