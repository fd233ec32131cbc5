//! `exeat egress ask`: what an agent does before it leaves, by hand. The request is decided and recorded;
//! nothing is sent.

use serde_json::json;

use crate::commands::App;
use crate::commands::ask::AskArgs;
use crate::commands::wire::set;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{BAD, DIM, GOOD, WAIT, field, opt};

/// Where to.
#[derive(Debug, clap::Args)]
#[command(
    before_help = "Examples:\n  exeat egress ask https://example.com/ --method POST --agent coder\n  exeat egress ask https://example.com/ --json"
)]
pub struct Args {
    /// Where it would go
    url: String,
    /// Its method
    #[arg(long, default_value = "GET")]
    method: String,
    /// The action it counts as; without it the method says it
    #[arg(long)]
    action: Option<String>,
    #[command(flatten)]
    ask: AskArgs,
}

pub(super) async fn run(args: Args, app: &App) -> Result<Exit, Failure> {
    let method = args.method.to_uppercase();
    let follows = model::Action::name_of_method(&method);
    let mut body = json!({ "target_url": args.url, "method": method });
    set(&mut body, "action", args.action.unwrap_or_else(|| follows.to_owned()));
    let client = app.client()?;
    args.ask.add_to(&mut body, &client).await?;
    let answer = client.create(&["v1", "egress", "requests"], &body).await?;
    app.output.answer(&answer, |output, answer| {
        let outcome = field(answer, "decision");
        let (style, word) = match outcome.as_str() {
            "allow" => (GOOD, "allowed"),
            "deny" => (BAD, "denied"),
            _ => (WAIT, "needs approval"),
        };
        let blocked = if answer.get("blocked") == Some(&json!(true)) { "" } else { ", not blocked" };
        let blocked = if outcome == "allow" { "" } else { blocked };
        let id = field(answer, "egress_request_id");
        output
            .line(&format!("{style}{word}{style:#}{blocked}  {DIM}({}, {id}){DIM:#}", field(answer, "reason_code")))?;
        if let Some(approval) = opt(answer, "approval_id") {
            output.say(&format!("its approval: exeat approvals get {approval}"));
        }
        if outcome != "allow" {
            output.say(&format!("why: exeat why {id}"));
        }
        Ok(())
    })?;
    match answer.get("blocked") {
        Some(serde_json::Value::Bool(true)) => {
            Ok(Exit::from_outcome(&field(&answer, "decision")).unwrap_or(Exit::Denied))
        }
        _ => Ok(Exit::Ok),
    }
}
