//! `exeat policy validate`: whether rules load, without a server.

use std::path::PathBuf;

use rules::check::Finding;
use rules::{PolicySet, Problem};
use serde_json::json;

use super::set::{broken, read, shown};
use crate::commands::App;
use crate::exit::Exit;
use crate::failure::Failure;

/// Which rules.
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  exeat policy validate policies/\n  exeat policy validate policies/ --json")]
pub struct Args {
    /// A folder with *.toml files, or one file
    path: PathBuf,
    /// Warnings count as problems; notes do not
    #[arg(long)]
    strict: bool,
}

pub(super) fn run(args: &Args, app: &App) -> Result<Exit, Failure> {
    let files = read(&args.path)?;
    let loaded = rules::load(&files).map_err(|problems| broken(app, &problems))?;
    let now = crate::output::now();
    let mut warnings = loaded.warnings.clone();
    warnings.extend(rules::load::expired(&loaded.set, now));
    warnings.extend(idle(&loaded.set));
    let notes = rules::check::blind_in_tunnels(&loaded.set);
    let counts = rules::load::counts(&loaded.set);
    let valid = warnings.is_empty() || !args.strict;
    let answer = json!({ "valid": valid, "rules": loaded.set.rules.len(), "counts": counts, "problems": [], "warnings": warnings, "notes": notes });
    app.output.answer(&answer, |output, _| {
        warnings.iter().for_each(|warning| output.warn(&shown(warning)));
        notes.iter().for_each(|note| output.say(&format!("note: {}", shown(note))));
        let shadow = if counts.shadow > 0 { format!(", {} of them only tried", counts.shadow) } else { String::new() };
        output.line(&format!(
            "{}: {} deny, {} ask, {} allow{shadow}",
            if loaded.set.rules.len() == 1 { "1 rule".to_owned() } else { format!("{} rules", loaded.set.rules.len()) },
            counts.deny,
            counts.ask,
            counts.allow
        ))
    })?;
    Ok(if valid { Exit::Ok } else { Exit::Failure })
}

/// Rules that do nothing.
fn idle(set: &PolicySet) -> Vec<Problem> {
    match rules::check::findings(set) {
        Ok(findings) => findings.iter().map(problem).collect(),
        Err(error) => {
            let message = format!("whether rules do nothing cannot be said: {error}");
            vec![Problem { file: "policies".to_owned(), line: 0, column: 0, message, hint: None }]
        }
    }
}

fn problem(finding: &Finding) -> Problem {
    let told = finding.to_string();
    let message = told.strip_prefix(&format!("{}: ", finding.place)).unwrap_or(&told).to_owned();
    let place = &finding.place;
    Problem { file: place.file.to_string(), line: place.line, column: place.column, message, hint: None }
}
