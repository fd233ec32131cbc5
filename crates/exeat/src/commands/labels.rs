//! `exeat labels`: how carefully data must be treated.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::App;
use super::page::PageArgs;
use super::wire::{body, list, object, text};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Output, Table, field};

/// What to do.
#[derive(Debug, Subcommand)]
#[command(
    before_help = "Examples:\n  exeat labels set document d1 confidential --purpose billing\n  exeat labels list"
)]
pub enum Command {
    /// List labels
    List(ListArgs),
    /// Set the label of a resource
    Set(SetArgs),
}

/// Which labels.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only of this kind of resource
    #[arg(long = "type", value_name = "TYPE")]
    resource_type: Option<String>,
    /// Only of the resource with this id
    #[arg(long = "id", value_name = "ID", requires = "resource_type")]
    resource_id: Option<String>,
    #[command(flatten)]
    page: PageArgs,
}

/// The label.
#[derive(Debug, Args)]
pub struct SetArgs {
    /// The kind of resource
    resource_type: String,
    /// Its id
    resource_id: String,
    /// How carefully it must be treated
    #[arg(value_parser = ["public", "internal", "restricted", "confidential", "sensitive_pii"])]
    label: String,
    /// What it may be used for; may be repeated
    #[arg(long = "purpose", value_name = "TAG")]
    purposes: Vec<String>,
    /// The room it belongs to
    #[arg(long, value_name = "ROOM_ID")]
    room: Option<String>,
}

/// Runs it.
///
/// # Errors
/// Whatever the server refuses with.
pub async fn run(command: Command, app: &App) -> Result<Exit, Failure> {
    let client = app.client()?;
    match command {
        Command::List(args) => {
            let mut query = vec![("resource_type", args.resource_type), ("resource_id", args.resource_id)];
            query.extend(args.page.query());
            let answer = client.get(&["v1", "resources", "labels"], &query).await?;
            app.output.answer(&answer, show_list)?;
        }
        Command::Set(args) => {
            let purposes = (!args.purposes.is_empty()).then(|| json!(args.purposes));
            let body = body([
                ("resource_type", Some(json!(args.resource_type))),
                ("resource_id", Some(json!(args.resource_id))),
                ("label", Some(json!(args.label))),
                ("purpose_tags", purposes),
                ("room_id", text(args.room)),
            ]);
            let answer = client.create(&["v1", "resources", "labels"], &body).await?;
            app.output.answer(&answer, |output, answer| {
                let label = object(answer, "label");
                output.line(&format!(
                    "{} {} is {}",
                    args.resource_type,
                    args.resource_id,
                    crate::output::opt(label, "label").unwrap_or(args.label)
                ))
            })?;
        }
    }
    Ok(Exit::Ok)
}

fn show_list(output: &Output, answer: &Value) -> Result<(), Failure> {
    let mut table = Table::new(&["type", "id", "label", "purposes", "room", "changed"]);
    for label in list(answer, "labels") {
        table.row([
            field(label, "resource_type"),
            field(label, "resource_id"),
            field(label, "label"),
            field(label, "purpose_tags"),
            field(label, "room_id"),
            output.when(label, "updated_at"),
        ]);
    }
    output.table(table, "no labels")?;
    PageArgs::say_next(output, answer);
    Ok(())
}
