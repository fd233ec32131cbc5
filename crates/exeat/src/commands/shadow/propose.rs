//! `exeat shadow propose`: the smallest rules that let pass what was seen, as a draft.

use std::path::PathBuf;

use rules::Source;
use serde_json::Value;

use crate::commands::App;
use crate::commands::moment;
use crate::commands::wire::{body, list, object, text};
use crate::exit::Exit;
use crate::failure::Failure;

/// Of which time, and whereto.
#[derive(Debug, clap::Args)]
#[command(
    before_help = "Examples:\n  exeat shadow propose\n  exeat shadow propose --since 14d --out policies/proposed.toml"
)]
pub struct Args {
    /// From when on: a span such as 7d, or a time
    #[arg(long, value_name = "WHEN", value_parser = moment::past, default_value = "7d")]
    since: String,
    /// Write the rules into this file, which must not be there yet
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) async fn run(args: Args, app: &App) -> Result<Exit, Failure> {
    let asked = body([("since", text(Some(args.since)))]);
    let answer = app.client()?.post(&["v1", "shadow", "propose"], &asked).await?;
    let drafts: Vec<Source> =
        list(&answer, "files").iter().filter_map(|file| serde_json::from_value(file.clone()).ok()).collect();
    let text = drafts.iter().map(|file| file.text.trim_end()).collect::<Vec<_>>().join("\n\n");
    if let Some(out) = args.out.as_ref().filter(|_| !text.is_empty()) {
        let mut file = std::fs::File::create_new(out).map_err(|error| {
            Failure::new(Exit::Conflict, "not_written", format!("`{}` cannot be made", out.display()))
                .why(error.to_string())
                .next("name a file that is not there yet")
        })?;
        std::io::Write::write_all(&mut file, format!("{text}\n").as_bytes())?;
    }
    app.output.answer(&answer, |output, answer: &Value| {
        if text.is_empty() {
            output.say("there is nothing to let pass");
            return Ok(());
        }
        match &args.out {
            Some(out) => output.line(&out.display().to_string())?,
            None => output.line(&text)?,
        }
        let report = object(answer, "report");
        if let Some(left) = report.get("left_out").and_then(Value::as_array).map(Vec::len).filter(|left| *left > 0) {
            output.say(&format!("{left} groups cannot be let pass by a rule: see --json"));
        }
        output.say(
            "read them, then: exeat policy diff active FILE, exeat policy replay FILE, exeat policy publish FOLDER",
        );
        Ok(())
    })?;
    Ok(Exit::Ok)
}
