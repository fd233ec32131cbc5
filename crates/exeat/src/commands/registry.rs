//! `exeat registry`: what is known of each kind of action.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::App;
use super::wire::{lines, list, object, set};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Output, Table, field};

/// What to do.
#[derive(Debug, Subcommand)]
#[command(
    before_help = "Examples:\n  exeat registry list\n  exeat registry set email.send --requires-pre-approval true"
)]
pub enum Command {
    /// List the known actions
    List,
    /// Change or add an action; what is not named stays
    Set(SetArgs),
}

/// The changes.
#[derive(Debug, Args)]
pub struct SetArgs {
    /// The action
    action_type: String,
    /// Whether it can be undone
    #[arg(long, value_name = "BOOL")]
    reversible: Option<bool>,
    /// The zone it needs
    #[arg(long, value_parser = ["sandbox", "supervised", "high_stakes"])]
    zone_required: Option<String>,
    /// Whether a human is asked first
    #[arg(long, value_name = "BOOL")]
    requires_pre_approval: Option<bool>,
    /// Whether a human looks at it afterwards
    #[arg(long, value_name = "BOOL")]
    post_review_required: Option<bool>,
    /// Further facts, as a JSON object
    #[arg(long, value_name = "JSON", value_parser = json_object)]
    metadata: Option<Value>,
}

fn json_object(text: &str) -> Result<Value, String> {
    serde_json::from_str::<Value>(text).ok().filter(Value::is_object).ok_or_else(|| "expected a JSON object".to_owned())
}

/// Runs it.
///
/// # Errors
/// Whatever the server refuses with.
pub async fn run(command: Command, app: &App) -> Result<Exit, Failure> {
    let client = app.client()?;
    let all = client.get(&["v1", "action-registry"], &[]).await?;
    match command {
        Command::List => app.output.answer(&all, show_list)?,
        Command::Set(args) => {
            let name = args.action_type.clone();
            let known = list(&all, "actions").iter().find(|action| field(action, "action_type") == name);
            let answer = client.put(&["v1", "action-registry", &name], &changed(known, args)).await?;
            app.output.answer(&answer, |output, answer| lines(output, object(answer, "action")))?;
        }
    }
    Ok(Exit::Ok)
}

/// What is known with the changes laid over it: a PUT names all.
fn changed(known: Option<&Value>, args: SetArgs) -> Value {
    let mut body = json!({});
    let changes = [
        ("reversible", args.reversible.map(Value::from)),
        ("zone_required", args.zone_required.map(Value::from)),
        ("requires_pre_approval", args.requires_pre_approval.map(Value::from)),
        ("post_review_required", args.post_review_required.map(Value::from)),
        ("metadata", args.metadata),
    ];
    for (name, change) in changes {
        let value = change.or_else(|| known?.get(name).filter(|value| !value.is_null()).cloned());
        if let Some(value) = value {
            set(&mut body, name, value);
        }
    }
    body
}

fn show_list(output: &Output, answer: &Value) -> Result<(), Failure> {
    let mut table = Table::new(&["action", "reversible", "zone", "pre-approval", "post-review"]);
    for action in list(answer, "actions") {
        table.row([
            field(action, "action_type"),
            field(action, "reversible"),
            field(action, "zone_required"),
            field(action, "requires_pre_approval"),
            field(action, "post_review_required"),
        ]);
    }
    output.table(table, "no actions")
}
