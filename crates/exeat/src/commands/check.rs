//! `exeat check`: would this be allowed? Asks `POST /v1/authorize`, which decides and creates no
//! approval and no request. Exits 0, 3 or 4 by the outcome, in shadow mode too: the decision never
//! depends on the mode.

use clap::{Args, Subcommand, ValueEnum};
use model::ReasonCode;
use serde_json::{Value, json};

use super::App;
use super::ask::AskArgs;
use super::wire::set;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{BAD, DIM, GOOD, Output, WAIT, field, opt};

/// What would be done.
#[derive(Debug, Subcommand)]
#[command(
    before_help = "Examples:\n  exeat check egress https://example.com/ --method POST --agent ID\n  exeat check tool-call web.search\n  exeat check data read document d1 --purpose billing"
)]
pub enum Command {
    /// Ask whether a request may leave
    Egress(EgressArgs),
    /// Ask whether a tool may be called
    ToolCall(ToolCallArgs),
    /// Ask whether an action may be taken
    Action(ActionArgs),
    /// Ask whether labelled data may be read or written
    Data(DataArgs),
}

/// A request to leave.
#[derive(Debug, Args)]
pub struct EgressArgs {
    /// Where it would go
    url: String,
    /// Its method
    #[arg(long)]
    method: Option<String>,
    /// The action it counts as
    #[arg(long, default_value = "external.write")]
    action: String,
    #[command(flatten)]
    ask: AskArgs,
}

/// A tool call.
#[derive(Debug, Args)]
pub struct ToolCallArgs {
    /// The tool's name
    tool: String,
    #[command(flatten)]
    ask: AskArgs,
}

/// An action.
#[derive(Debug, Args)]
pub struct ActionArgs {
    /// The action's name
    action: String,
    #[command(flatten)]
    ask: AskArgs,
}

/// How data would be used.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Access {
    Read,
    Write,
}

/// Data.
#[derive(Debug, Args)]
pub struct DataArgs {
    /// How it would be used
    access: Access,
    /// The kind of resource
    resource_type: String,
    /// Its id
    resource_id: String,
    /// What for; may be repeated
    #[arg(long = "purpose", value_name = "TAG")]
    purposes: Vec<String>,
    /// Why, when the purpose is not one the data is tagged with
    #[arg(long)]
    justification: Option<String>,
    #[command(flatten)]
    ask: AskArgs,
}

/// Runs it.
///
/// # Errors
/// Whatever the server refuses with. A deny is not an error but an exit code.
pub async fn run(command: Command, app: &App) -> Result<Exit, Failure> {
    let (mut body, ask) = question(command);
    let client = app.client()?;
    ask.add_to(&mut body, &client).await?;
    let answer = client.post(&["v1", "authorize"], &body).await?;
    app.output.answer(&answer, show)?;
    exit(&answer)
}

/// The body of the ask, without who asks.
fn question(command: Command) -> (Value, AskArgs) {
    match command {
        Command::Egress(EgressArgs { url, method, action, ask }) => {
            let mut egress = json!({ "target_url": url });
            if let Some(method) = method {
                set(&mut egress, "method", method.to_uppercase());
            }
            (json!({ "category": "egress", "action": action, "context": { "egress": egress } }), ask)
        }
        Command::ToolCall(ToolCallArgs { tool, ask }) => (
            json!({ "category": "tool_call", "action": format!("tool.call.{tool}"), "context": { "tool_call": { "tool_name": tool } } }),
            ask,
        ),
        Command::Action(ActionArgs { action, ask }) => (json!({ "category": "action", "action": action }), ask),
        Command::Data(DataArgs { access, resource_type, resource_id, purposes, justification, ask }) => {
            let action = match access {
                Access::Read => "data.read",
                Access::Write => "data.write",
            };
            let mut data = json!({ "resource_type": resource_type, "resource_id": resource_id });
            if !purposes.is_empty() {
                set(&mut data, "purpose_tags", purposes);
            }
            if let Some(why) = justification {
                set(&mut data, "justification", why);
            }
            (json!({ "category": "data_access", "action": action, "context": { "data_access": data } }), ask)
        }
    }
}

fn exit(answer: &Value) -> Result<Exit, Failure> {
    let outcome = field(answer, "decision");
    Exit::from_outcome(&outcome).ok_or_else(|| {
        Failure::new(Exit::Failure, "unexpected_answer", format!("the server answered with a decision of `{outcome}`"))
            .next("exeat version   (the server may be newer)")
    })
}

/// The outcome, the reason in a sentence, and what would change it.
fn show(output: &Output, answer: &Value) -> Result<(), Failure> {
    let code = field(answer, "reason_code");
    let known = ReasonCode::parse(&code);
    let reason = opt(answer, "reason")
        .or_else(|| known.map(|known| known.sentence().to_owned()))
        .unwrap_or_else(|| code.clone());
    let outcome = field(answer, "decision");
    let (style, word) = match outcome.as_str() {
        "allow" => (GOOD, "allowed"),
        "deny" => (BAD, "denied"),
        _ => (WAIT, "needs approval"),
    };
    output.line(&format!("{style}{word}{style:#}  {reason}  {DIM}({code}){DIM:#}"))?;
    if outcome == "allow" {
        return Ok(());
    }
    if answer.get("blocked") == Some(&Value::Bool(false)) {
        output.say("  mode: shadow, so it would be recorded and not blocked");
    }
    if let Some(known) = known {
        output.say(&format!("  next: {}", known.remedy()));
    }
    if let Some(id) = opt(answer, "decision_id") {
        output.say(&format!("  why:  exeat why {id}"));
    }
    Ok(())
}
