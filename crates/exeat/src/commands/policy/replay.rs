//! `exeat policy replay`: what other rules would have made of what happened.
//!
//! The server reads the log in parts; this side puts the parts together, says how far it is, and can
//! go on where it was stopped.

use std::io::IsTerminal as _;

use model::Outcome;
use replay::Report;
use replay::differences::Differences;
use serde_json::{Value, json};

use super::set::{Which, body};
use crate::commands::App;
use crate::commands::moment;
use crate::commands::wire::set;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{BAD, BOLD, DIM, GOOD, Output, Table, WAIT, clean, opt};

/// What is replayed.
#[derive(Debug, clap::Args)]
#[command(
    before_help = "Examples:\n  exeat policy replay policies/ --since 7d\n  exeat policy replay policies/ --since 24h --max-new-deny 0\n  exeat policy replay v3 --as-of now --json"
)]
pub struct Args {
    /// A folder, a file, `active`, `candidate` or a version such as v3
    which: Which,
    /// From when on: a span such as 7d, or a time
    #[arg(long, value_name = "WHEN", value_parser = moment::past, default_value = "7d")]
    since: String,
    /// Up to when
    #[arg(long, value_name = "WHEN", value_parser = moment::past)]
    until: Option<String>,
    /// Agents, tokens, approvals and settings as they were then, or as they are now
    #[arg(long, value_parser = ["then", "now"], default_value = "then")]
    as_of: String,
    /// Exit 1 when more decisions than this would newly be denied
    #[arg(long, value_name = "N")]
    max_new_deny: Option<u64>,
    /// Exit 1 when more decisions than this would newly need an approval
    #[arg(long, value_name = "N")]
    max_new_ask: Option<u64>,
    /// Go on where an earlier replay was stopped
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
    /// How many names of each kind are shown
    #[arg(long, value_name = "N", default_value_t = 10)]
    show: usize,
}

pub(super) async fn run(args: Args, app: &App) -> Result<Exit, Failure> {
    let files = args.which.files(app).await?;
    let client = app.client()?;
    let mut ask = body(&files);
    set(&mut ask, "as_of", args.as_of.as_str());
    set(&mut ask, "since", args.since.as_str());
    if let Some(until) = &args.until {
        set(&mut ask, "until", until.as_str());
    }
    let mut whole: Option<Report> = None;
    let mut cursor = args.cursor.clone();
    loop {
        if let Some(cursor) = &cursor {
            set(&mut ask, "cursor", cursor.as_str());
        }
        let answer = match client.post(&["v1", "policies", "replay"], &ask).await {
            Ok(answer) => answer,
            Err(failure) => {
                if let Some(cursor) = &cursor {
                    app.output.say(&format!("go on: repeat with --cursor {cursor}"));
                }
                return Err(failure);
            }
        };
        let part: Report =
            serde_json::from_value(answer.get("report").cloned().unwrap_or(Value::Null)).map_err(|error| {
                Failure::new(Exit::Failure, "unexpected_answer", "the report cannot be read").why(error.to_string())
            })?;
        match &mut whole {
            Some(whole) => whole.merge(&part),
            None => whole = Some(part),
        }
        cursor = opt(&answer, "next_cursor");
        if cursor.is_none() {
            break;
        }
        progress(app, whole.as_ref().map_or(0, |whole| whole.rows), &answer);
    }
    let report = whole.unwrap_or_default();
    app.output.answer(&json!({ "report": report }), |output, _| show(output, &report, args.show))?;
    let (deny, ask) = (report.matrix.newly(Outcome::Deny), report.matrix.newly(Outcome::RequireApproval));
    let over = |most: Option<u64>, count: u64| most.is_some_and(|most| count > most);
    let failed = over(args.max_new_deny, deny) || over(args.max_new_ask, ask);
    if failed {
        app.output.say(&format!(
            "{deny} decisions would newly be denied, {ask} would newly need an approval: over the limit"
        ));
    }
    Ok(if failed { Exit::Failure } else { Exit::Ok })
}

fn progress(app: &App, rows: u64, answer: &Value) {
    if !std::io::stderr().is_terminal() || app.output.is_json() {
        return;
    }
    let left = answer.get("remaining").and_then(Value::as_u64).map(|left| format!(", {left} left")).unwrap_or_default();
    app.output.say(&format!("{DIM}{rows} decisions read{left}{DIM:#}"));
}

fn show(output: &Output, report: &Report, most: usize) -> Result<(), Failure> {
    if report.rows == 0 {
        return output.line("nothing was decided in this time, or it is not kept any more");
    }
    output.line(&matrix(report))?;
    for (title, differences) in
        [("RULE", &report.by_rule), ("WHO", &report.by_agent), ("HOST", &report.by_host), ("TOOL", &report.by_tool)]
    {
        differing(output, title, differences, most)?;
    }
    let mut notes = Vec::new();
    let (failing, waiting) = (report.runs.failing.count(), report.runs.waiting.count());
    if failing + waiting > 0 {
        notes.push(format!("{failing} runs would have failed, {waiting} would have waited for an approval"));
        notes.extend(report.runs.examples.iter().take(3).map(|run| format!("  exeat runs get {}", run.run_id)));
    }
    let days: Vec<_> = report.approvals.days().collect();
    if let Some(most) = days.iter().map(|(_, day)| day.with.count()).max().filter(|most| *most > 0) {
        let then = days.iter().map(|(_, day)| day.then.count()).max().unwrap_or(0);
        notes.push(format!("approvals on the busiest day: {most} (it was {then})"));
    }
    if !report.never_hit.is_empty() {
        let some: Vec<&str> = report.never_hit.iter().take(most).map(|rule| &**rule).collect();
        let more = report.never_hit.len().saturating_sub(some.len());
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        notes.push(format!("rules that decided nothing: {}{more}", clean(&some.join(", "))));
    }
    if report.indeterminate_rows() > 0 {
        let why: Vec<String> = report
            .indeterminate
            .iter()
            .map(|(missing, rows)| {
                let missing = serde_json::to_value(missing).ok().and_then(|text| text.as_str().map(str::to_owned));
                format!("{} in {rows}", missing.unwrap_or_default())
            })
            .collect();
        notes.push(format!(
            "{} cannot be judged, for it was not kept: {}",
            report.indeterminate_rows(),
            why.join(", ")
        ));
    }
    if report.excluded.quota + report.excluded.once > 0 {
        notes.push(format!(
            "left out: {} that the quota decided, {} that used up an approval",
            report.excluded.quota, report.excluded.once
        ));
    }
    if report.dropped > 0 {
        notes.push(format!("{} decisions are missing from the log", report.dropped));
    }
    notes.iter().try_for_each(|note| output.line(note))
}

/// The outcomes before in rows, after in columns.
fn matrix(report: &Report) -> String {
    let outcomes =
        [(Outcome::Allow, "allow", GOOD), (Outcome::RequireApproval, "ask", WAIT), (Outcome::Deny, "deny", BAD)];
    let mut text = format!(
        "{BOLD}{} decisions, {} would differ{BOLD:#}\n{DIM}{:>14}{:>12}{:>12}{:>12}{DIM:#}\n",
        report.rows,
        report.matrix.changed(),
        "was \\ is",
        "allow",
        "ask",
        "deny"
    );
    for (before, name, _) in outcomes {
        text.push_str(&format!("{DIM}{name:>14}{DIM:#}"));
        for (after, _, style) in outcomes {
            let count = report.matrix.get(before, after);
            match before == after || count == 0 {
                true => text.push_str(&format!("{DIM}{count:>12}{DIM:#}")),
                false => text.push_str(&format!("{style}{count:>12}{style:#}")),
            }
        }
        text.push('\n');
    }
    text
}

fn differing(output: &Output, title: &str, differences: &Differences, most: usize) -> Result<(), Failure> {
    let top = differences.top();
    if top.is_empty() {
        return Ok(());
    }
    let mut table = Table::new(&[title, "COUNT", "→ DENY", "→ ASK", "→ ALLOW", "LAST SEEN", "EXAMPLE"]);
    for (name, difference) in top.iter().take(most) {
        let example = difference.examples.first().map(|example| example.decision_id.to_string()).unwrap_or_default();
        table.row([
            clean(name),
            difference.count.to_string(),
            difference.matrix.newly(Outcome::Deny).to_string(),
            difference.matrix.newly(Outcome::RequireApproval).to_string(),
            difference.matrix.newly(Outcome::Allow).to_string(),
            output.when(&json!({ "at": difference.last_seen.to_string() }), "at"),
            example,
        ]);
    }
    output.table(table, "")?;
    output.line("")
}
