//! `exeat settings`: a workspace's defaults and quota.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::App;
use super::wire::{lines, object, set};
use crate::exit::Exit;
use crate::failure::Failure;

/// What to do.
#[derive(Debug, Subcommand)]
#[command(
    before_help = "Examples:\n  exeat settings get\n  exeat settings set --egress-max-requests-per-hour 500\n  exeat settings set --default-decision deny"
)]
pub enum Command {
    /// Show the settings
    Get,
    /// Change settings; those not named stay
    Set(SetArgs),
}

/// The changes.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub struct SetArgs {
    /// What happens to an ask that nothing speaks about
    #[arg(long, value_parser = ["allow", "deny"])]
    default_decision: Option<String>,
    /// Requests to leave per rolling hour and principal; 0 is off
    #[arg(long, value_name = "N")]
    egress_max_requests_per_hour: Option<u64>,
    /// Whether every ask must show a capability token
    #[arg(long, value_name = "BOOL")]
    require_capability_token: Option<bool>,
}

/// The members a change sends.
const MEMBERS: [&str; 3] = ["default_decision", "egress_max_requests_per_hour", "require_capability_token"];

/// Runs it.
///
/// # Errors
/// Whatever the server refuses with.
pub async fn run(command: Command, app: &App) -> Result<Exit, Failure> {
    let path = ["v1", "policy", "settings"];
    let client = app.client()?;
    let now = client.get(&path, &[]).await?;
    let answer = match command {
        Command::Get => now,
        Command::Set(args) => client.put(&path, &changed(object(&now, "settings"), args)).await?,
    };
    app.output.answer(&answer, |output, answer| lines(output, object(answer, "settings")))?;
    Ok(Exit::Ok)
}

/// The settings as they are with the changes laid over them: a PUT names them all.
fn changed(now: &Value, args: SetArgs) -> Value {
    let mut body = json!({});
    for name in MEMBERS {
        if let Some(value) = now.get(name).filter(|value| !value.is_null()) {
            set(&mut body, name, value.clone());
        }
    }
    let changes = [
        ("default_decision", args.default_decision.map(Value::from)),
        ("egress_max_requests_per_hour", args.egress_max_requests_per_hour.map(Value::from)),
        ("require_capability_token", args.require_capability_token.map(Value::from)),
    ];
    for (name, value) in changes {
        if let Some(value) = value {
            set(&mut body, name, value);
        }
    }
    body
}
