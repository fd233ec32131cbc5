//! `exeat shadow report`: what would have been blocked, and how far away enforcing is.

use serde_json::Value;

use crate::commands::App;
use crate::commands::moment;
use crate::commands::wire::{list, object};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{BOLD, GOOD, Table, WAIT, clean, field, opt};

/// Of which time.
#[derive(Debug, clap::Args)]
#[command(
    before_help = "Examples:\n  exeat shadow report\n  exeat shadow report --since 24h --open\n  exeat shadow report --json"
)]
pub struct Args {
    /// From when on: a span such as 7d, or a time
    #[arg(long, value_name = "WHEN", value_parser = moment::past, default_value = "7d")]
    since: String,
    /// Only what is neither reviewed nor let pass by the rules that hold now
    #[arg(long)]
    open: bool,
}

pub(super) async fn run(args: Args, app: &App) -> Result<Exit, Failure> {
    let answer = app.client()?.get(&["v1", "shadow", "report"], &[("since", Some(args.since))]).await?;
    app.output.answer(&answer, |output, answer| {
        let report = object(answer, "shadow_report");
        let mut table = Table::new(&["GROUP", "WHO", "WHAT", "OUTCOME", "COUNT", "LAST SEEN", "STATE"]);
        for group in list(report, "groups") {
            let state = field(group, "state");
            if args.open && state != "open" {
                continue;
            }
            table.row([
                field(group, "group_id"),
                who(group),
                what(group),
                field(group, "reason_code"),
                field(group, "count"),
                output.when(group, "last_seen"),
                state,
            ]);
        }
        output.table(table, "nothing would have been blocked")?;
        let open = report.get("open").and_then(Value::as_u64).unwrap_or(0);
        let told = match (open, opt(report, "quiet_days")) {
            (0, Some(days)) => format!("{GOOD}ready to enforce{GOOD:#}: no unreviewed would-block for {days} days"),
            (0, None) => format!("{GOOD}ready to enforce{GOOD:#}: no unreviewed would-block in this time"),
            (1, _) => format!("{WAIT}1 group is open{WAIT:#}"),
            (some, _) => format!("{WAIT}{some} groups are open{WAIT:#}"),
        };
        output.line(&format!("{BOLD}{told}{BOLD:#}"))?;
        if open > 0 {
            output.say("let them pass: exeat shadow propose   keep them blocked: exeat shadow review GROUP");
        } else {
            output.say("next: exeat mode set enforce");
        }
        Ok(())
    })?;
    Ok(Exit::Ok)
}

fn who(group: &Value) -> String {
    match group.get("who").filter(|who| who.is_object()) {
        Some(who) => format!("{} {}", field(who, "kind"), field(who, "name")),
        None => clean(&field(group, "who")),
    }
}

fn what(group: &Value) -> String {
    let parts = ["action", "method", "host", "tool"];
    parts.iter().filter_map(|name| opt(group, name)).collect::<Vec<_>>().join(" ")
}
