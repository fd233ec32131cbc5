//! `exeat status`: is the server there, is it ready, does it block?

use serde_json::{Value, json};

use super::App;
use super::wire::{object, set};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{BAD, GOOD, Output, field, opt};

/// No arguments.
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  exeat status\n  exeat status --json --server https://gate.example")]
pub struct Args {}

/// Runs it. Exits 1 when the server answers but is not ready.
///
/// # Errors
/// Whatever the server refuses with.
pub async fn run(Args {}: Args, app: &App) -> Result<Exit, Failure> {
    let client = app.client()?;
    let version = client.get(&["version"], &[]).await?;
    let ready = client.answers_well(&["readyz"]).await?;
    let mode = client.get(&["v1", "policy", "mode"], &[]).await?;
    let switch = client.get(&["v1", "policy", "kill-switch"], &[]).await?;
    let mut all = json!({ "server": client.base(), "version": field(&version, "version"), "ready": ready });
    for (name, answer, noun) in [("mode", &mode, "settings"), ("active", &switch, "kill_switch")] {
        if let Some(value) = object(answer, noun).get(name) {
            set(&mut all, if name == "active" { "kill_switch" } else { name }, value.clone());
        }
    }
    // A server before there was a proxy says nothing of one.
    if ready && let Ok(parts) = client.get(&["readyz"], &[]).await {
        set(&mut all, "proxy", parts.get("proxy").cloned().unwrap_or_default());
    }
    app.output.answer(&all, show)?;
    Ok(if ready { Exit::Ok } else { Exit::Failure })
}

fn show(output: &Output, all: &Value) -> Result<(), Failure> {
    let ready = all.get("ready") == Some(&Value::Bool(true));
    let (style, word) = if ready { (GOOD, "ready") } else { (BAD, "not ready") };
    output.line(&format!("{style}{word}{style:#}  {}  exeat {}", field(all, "server"), field(all, "version")))?;
    let switch = if opt(all, "kill_switch").as_deref() == Some("true") { "on" } else { "off" };
    let proxy = opt(all, "proxy").map(|proxy| format!("  proxy {proxy}")).unwrap_or_default();
    output.line(&format!("mode {}  kill switch {switch}{proxy}", field(all, "mode")))?;
    if !ready {
        output.say("the store or the recorder does not answer; see the server's log");
    }
    Ok(())
}
