//! The answer to a question: approve, deny, hold. Each says how to undo it.

use clap::Args;
use serde_json::{Value, json};

use super::super::wire::{body, object, text};
use super::super::{App, moment};
use super::scope::{self, Reach};
use super::what;
use crate::failure::Failure;
use crate::output::Output;

/// A yes.
#[derive(Debug, Args)]
pub struct ApproveArgs {
    /// The approval's id
    id: String,
    /// How far it reaches; without it as far as was asked
    #[arg(long, value_enum)]
    scope: Option<Reach>,
    /// How long it holds: `10m`, or until a time
    #[arg(long = "for", value_name = "SPAN", value_parser = moment::future)]
    until: Option<String>,
    /// Why, for the record
    #[arg(long)]
    reason: Option<String>,
}

/// A no, or a not yet.
#[derive(Debug, Args)]
pub struct DecideArgs {
    /// The approval's id
    id: String,
    /// Why, for the record
    #[arg(long)]
    reason: Option<String>,
}

/// Which of the two.
#[derive(Debug, Clone, Copy)]
pub(super) enum Word {
    Deny,
    Hold,
}

pub(super) async fn approve(args: ApproveArgs, app: &App) -> Result<(), Failure> {
    let ApproveArgs { id, scope, until, reason } = args;
    let client = app.client()?;
    let before = client.get(&["v1", "approvals", &id], &[]).await?;
    let before = object(&before, "approval");
    let scope = scope.map(|reach| scope::decided(before, reach)).transpose()?;
    let body = body([
        ("decision", Some(json!("approve"))),
        ("reason", text(reason)),
        ("scope", scope.clone()),
        ("expires_at", text(until.clone())),
    ]);
    let answer = client.post(&["v1", "approvals", &id, "decide"], &body).await?;
    let reach = scope.map_or_else(|| scope::in_words(before), |scope| scope::in_words(&json!({ "scope": scope })));
    app.output.answer(&answer, |output, answer| show(output, answer, &id, &what(before), &reach, until.as_deref()))
}

fn show(
    output: &Output,
    answer: &Value,
    id: &str,
    what: &str,
    reach: &str,
    until: Option<&str>,
) -> Result<(), Failure> {
    let status = object(answer, "approval").get("status").and_then(Value::as_str);
    if matches!(status, Some("pending" | "held")) {
        return output.line(&format!("your yes to {id} counts; it needs another person's too"));
    }
    let until = until.map(|at| format!(" until {at}")).unwrap_or_default();
    output.line(&format!("approved {id}: {what}{until} (scope: {reach})"))?;
    output.say(&format!("undo: exeat approvals revoke {id}"));
    Ok(())
}

pub(super) async fn say(args: DecideArgs, word: Word, app: &App) -> Result<(), Failure> {
    let DecideArgs { id, reason } = args;
    let (decision, told, then) = match word {
        Word::Deny => ("deny", "denied", "it can be asked for again"),
        Word::Hold => ("hold", "held", "decide later: exeat approvals approve"),
    };
    let answer = app
        .client()?
        .post(
            &["v1", "approvals", &id, "decide"],
            &body([("decision", Some(json!(decision))), ("reason", text(reason))]),
        )
        .await?;
    app.output.answer(&answer, |output, _| {
        output.line(&format!("{told} {id}"))?;
        output.say(&format!("{then}{}", if matches!(word, Word::Hold) { format!(" {id}") } else { String::new() }));
        Ok(())
    })
}
