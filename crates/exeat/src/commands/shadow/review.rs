//! `exeat shadow review`: groups that were looked at and stay blocked.

use serde_json::{Value, json};

use crate::commands::App;
use crate::commands::moment;
use crate::commands::wire::{body, list, object, text};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::field;

/// Which groups.
#[derive(Debug, clap::Args)]
#[command(
    before_help = "Examples:\n  exeat shadow review GROUP --note \"ads, stays blocked\"\n  exeat shadow review --all --note \"all of these stay blocked\""
)]
pub struct Args {
    /// Groups as the report names them
    #[arg(value_name = "GROUP", required_unless_present = "all")]
    groups: Vec<String>,
    /// Every group that is open now
    #[arg(long, conflicts_with = "groups")]
    all: bool,
    /// With --all: of which time
    #[arg(long, value_name = "WHEN", value_parser = moment::past, default_value = "7d")]
    since: String,
    /// Why, for the record
    #[arg(long)]
    note: Option<String>,
}

pub(super) async fn run(args: Args, app: &App) -> Result<Exit, Failure> {
    let client = app.client()?;
    let mut groups = args.groups;
    if args.all {
        let answer = client.get(&["v1", "shadow", "report"], &[("since", Some(args.since))]).await?;
        let open = |group: &&Value| field(group, "state") == "open";
        groups =
            list(object(&answer, "report"), "groups").iter().filter(open).map(|group| field(group, "id")).collect();
        if groups.is_empty() {
            app.output.say("nothing is open");
            return Ok(Exit::Ok);
        }
    }
    let count = groups.len();
    let answer = client
        .post(&["v1", "shadow", "review"], &body([("groups", Some(json!(groups))), ("note", text(args.note))]))
        .await?;
    app.output
        .answer(&answer, |output, _| output.line(&format!("{count} reviewed; they stay blocked when enforced")))?;
    Ok(Exit::Ok)
}
