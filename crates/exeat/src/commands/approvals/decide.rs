//! The answer to a question: approve, deny, hold. Each says how to undo it.

use clap::Args;
use serde_json::{Value, json};

use super::super::wire::{body, object, text};
use super::super::{App, moment};
use super::scope::{self, Reach};
use super::what;
use crate::failure::Failure;
use crate::output::{Output, opt};

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
        ("scope", scope),
        ("expires_at", text(until)),
    ]);
    let answer = client.post(&["v1", "approvals", &id, "decide"], &body).await?;
    // How it stands now: the server may have given it an end.
    let after = client.get(&["v1", "approvals", &id], &[]).await?;
    app.output.answer(&answer, |output, _| show(output, object(&after, "approval"), &id))
}

fn show(output: &Output, approval: &Value, id: &str) -> Result<(), Failure> {
    let status = approval.get("status").and_then(Value::as_str);
    if matches!(status, Some("pending" | "held")) {
        return output.line(&format!("your yes to {id} counts; it needs another person's too"));
    }
    let until = opt(approval, "expires_at").map(|at| format!(" until {at}")).unwrap_or_default();
    let (what, reach) = (what(approval), scope::in_words(approval));
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
