//! `exeat policy publish`: makes a set the one that holds, and says exactly what that changes.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::PathBuf;

use rules::Source;
use serde_json::Value;

use super::diff::{self, Compared};
use super::set::{Held, body, broken, held, read};
use crate::client::Client;
use crate::commands::App;
use crate::commands::wire::{object, set};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::field;

/// Which set.
#[derive(Debug, clap::Args)]
#[command(
    before_help = "Examples:\n  exeat policy publish policies/ --note \"let coder read github\"\n  exeat policy publish policies/ --yes --if-version 4"
)]
pub struct Args {
    /// A folder with *.toml files, or one file
    path: PathBuf,
    /// Why, for the record
    #[arg(long)]
    note: Option<String>,
    /// Only when this version still holds; without it, the one that held when the command began
    #[arg(long, value_name = "N")]
    if_version: Option<u64>,
    /// Do not ask
    #[arg(long, short = 'y')]
    yes: bool,
    /// Publish although a folder on the server is watched for this workspace
    #[arg(long)]
    take_over: bool,
    /// How many changes are shown
    #[arg(long, value_name = "N", default_value_t = 10)]
    show: usize,
}

pub(super) async fn run(args: Args, app: &App) -> Result<Exit, Failure> {
    let files = read(&args.path)?;
    let client = app.client()?;
    let before = held(&client).await?;
    let compared = compare(app, &before, &files)?;
    if !app.output.is_json() {
        diff::tell(app, &compared, args.show);
    }
    if !args.yes && !confirmed("publish this?")? {
        return Err(Failure::new(Exit::Failure, "not_published", "nothing was published"));
    }
    let version = args.if_version.unwrap_or(before.version);
    let answer = put(&client, &files, version, args.note, args.take_over).await?;
    show(app, &answer)
}

/// What publishing `files` changes.
pub(super) fn compare(app: &App, before: &Held, files: &[Source]) -> Result<Compared, Failure> {
    let new = rules::load(files).map_err(|problems| broken(app, &problems))?;
    // A stored set that no longer loads denies everything; there is nothing to compare with.
    let old = rules::load(&before.files).map(|loaded| loaded.set).unwrap_or_default();
    diff::compare(&old, &new.set)
}

/// Publishes `files` where `version` still holds.
pub(super) async fn put(
    client: &Client,
    files: &[Source],
    version: u64,
    note: Option<String>,
    take_over: bool,
) -> Result<Value, Failure> {
    let mut body = body(files);
    if let Some(note) = note {
        set(&mut body, "note", note);
    }
    if take_over {
        set(&mut body, "take_over", true);
    }
    client.put_at(&["v1", "policies"], &body, version).await
}

pub(super) fn show(app: &App, answer: &Value) -> Result<Exit, Failure> {
    app.output.answer(answer, |output, answer| {
        let published = object(answer, "policy_set");
        let version = field(published, "version");
        if published.get("unchanged").and_then(Value::as_bool) == Some(true) {
            return output.line(&format!("version {version} holds already these very rules"));
        }
        let tests = match published.get("tests_passed").and_then(Value::as_u64) {
            Some(1..) => format!(", {} tests passed", field(published, "tests_passed")),
            _ => String::new(),
        };
        let rules = match published.get("rules").and_then(Value::as_u64) {
            Some(1) => "1 rule".to_owned(),
            _ => format!("{} rules", field(published, "rules")),
        };
        output.line(&format!("version {version} holds: {rules}{tests}"))?;
        if published.get("previous_version").and_then(Value::as_u64).is_some_and(|previous| previous > 0) {
            output.say("undo: exeat policy rollback");
        }
        Ok(())
    })?;
    Ok(Exit::Ok)
}

/// Asks on a terminal; elsewhere the command itself is the yes.
pub(super) fn confirmed(question: &str) -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() {
        return Ok(true);
    }
    let mut talk = anstream::stderr().lock();
    write!(talk, "{question} [y/N] ")?;
    talk.flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
