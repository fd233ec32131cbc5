//! `exeat shadow report`: what would have been blocked, and how far away enforcing is.

use serde_json::Value;

use crate::commands::App;
use crate::commands::moment;
use crate::commands::wire::{list, object};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{BOLD, GOOD, Table, WAIT, field, opt};

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
        let report = object(answer, "report");
        let mut table = Table::new(&["GROUP", "WHO", "WHAT", "OUTCOME", "COUNT", "LAST SEEN", "STATE"]);
        for group in list(report, "groups") {
            let state = field(group, "state");
            if args.open && state != "open" {
                continue;
            }
            table.row([
                field(group, "id"),
                who(group),
                what(group),
                field(group, "reason_code"),
                field(group, "count"),
                output.when(group, "last_seen"),
                state,
            ]);
        }
        output.table(table, "nothing would have been blocked")?;
        let ready = report.get("ready").and_then(Value::as_bool) == Some(true);
        // Without an open one in sight, how long it was quiet is how far was looked back: no news.
        let days = report.get("quiet_days").and_then(Value::as_u64).filter(|_| opt(report, "last_open_at").is_some());
        let days = days.unwrap_or(0);
        let told = match (ready, report.get("open").and_then(Value::as_u64).unwrap_or(0)) {
            (true, _) if days > 0 => format!("{GOOD}ready to enforce{GOOD:#}: nothing open for {days} days"),
            (true, _) => format!("{GOOD}ready to enforce{GOOD:#}: nothing is open"),
            (false, 1) => format!("{WAIT}not ready{WAIT:#}: 1 group is open"),
            (false, open) => format!("{WAIT}not ready{WAIT:#}: {open} groups are open"),
        };
        output.line(&format!("{BOLD}{told}{BOLD:#}"))?;
        if !ready {
            output.say("let them pass: exeat shadow propose    keep them blocked: exeat shadow review GROUP");
        }
        for (name, what) in
            [("dropped", "decisions are missing from the log"), ("other", "would-blocks are in no group")]
        {
            if let Some(count) = report.get(name).and_then(Value::as_u64).filter(|count| *count > 0) {
                output.warn(&format!("{count} {what}"));
            }
        }
        Ok(())
    })?;
    Ok(Exit::Ok)
}

fn who(group: &Value) -> String {
    format!("{} {}", field(group, "who_type"), opt(group, "who").unwrap_or_else(|| "?".to_owned()))
}

fn what(group: &Value) -> String {
    let parts = ["action", "method", "host", "tool"];
    parts.iter().filter_map(|name| opt(group, name)).collect::<Vec<_>>().join(" ")
}
