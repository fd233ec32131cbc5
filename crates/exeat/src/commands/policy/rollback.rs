//! `exeat policy rollback`: the version before, as a new version.

use serde_json::json;

use super::publish;
use crate::commands::App;
use crate::commands::wire::{body, text};
use crate::exit::Exit;
use crate::failure::Failure;

/// Where to.
#[derive(Debug, clap::Args)]
#[command(
    before_help = "Examples:\n  exeat policy rollback\n  exeat policy rollback --to 3 --reason \"broke the nightly build\""
)]
pub struct Args {
    /// The version whose rules come back; without it the one before
    #[arg(long, value_name = "N")]
    to: Option<u64>,
    /// Why, for the record
    #[arg(long)]
    reason: Option<String>,
    /// Do not ask
    #[arg(long, short = 'y')]
    yes: bool,
}

pub(super) async fn run(args: Args, app: &App) -> Result<Exit, Failure> {
    let where_to = args.to.map_or_else(|| "the version before".to_owned(), |version| format!("version {version}"));
    if !args.yes && !publish::confirmed(&format!("bring back the rules of {where_to}?"))? {
        return Err(Failure::new(Exit::Failure, "not_rolled_back", "nothing was changed"));
    }
    let body = body([("to", args.to.map(|to| json!(to))), ("reason", text(args.reason))]);
    let answer = app.client()?.post(&["v1", "policies", "rollback"], &body).await?;
    publish::show(app, &answer)
}
