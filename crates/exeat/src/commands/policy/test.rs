//! `exeat policy test`: the tests beside a set, and assertions given here. Runs on this machine.

use rules::Problem;
use serde_json::json;

use super::set::{Which, broken};
use crate::commands::App;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{BAD, BOLD, DIM, GOOD, clean};

/// Which set.
#[derive(Debug, clap::Args)]
#[command(
    before_help = "Examples:\n  exeat policy test policies/\n  exeat policy test policies/ --never 'agent:coder POST *.prod.example.com'"
)]
pub struct Args {
    /// A folder, a file, `active`, `candidate` or a version such as v3
    which: Which,
    /// Something that must never be allowed, whatever is asked; may be repeated
    #[arg(long, value_name = "ASKS")]
    never: Vec<String>,
}

pub(super) async fn run(args: Args, app: &App) -> Result<Exit, Failure> {
    let files = args.which.files(app).await?;
    let loaded = rules::load(&files).map_err(|problems| broken(app, &problems))?;
    let mut cases = rules::cases::parse(&files).map_err(|problems| broken(app, &problems))?;
    cases.extend(given(&args.never).map_err(|problem| broken(app, &[problem]))?);
    let now = crate::output::now();
    let results = rules::cases::run(&loaded.set, &rules::compile(&loaded.set), &cases, now);
    let failed = results.iter().filter(|result| !result.passed).count();
    let passed = results.len() - failed;
    app.output.answer(&json!({ "passed": passed, "failed": failed, "results": results }), |output, _| {
        for result in &results {
            if result.passed {
                output.detail(&format!("{GOOD}✓{GOOD:#} {}", clean(&result.name)));
                continue;
            }
            output.line(&format!(
                "{BAD}✗ {}{BAD:#}  {DIM}{}:{}{DIM:#}",
                clean(&result.name),
                clean(&result.file),
                result.line
            ))?;
            // An assertion says all in its message.
            if !result.expected.starts_with("never ") {
                output.line(&format!("    expected {}, got {}", clean(&result.expected), clean(&result.got)))?;
            }
            if let Some(message) = &result.message {
                output.line(&format!("    {}", clean(message)))?;
            }
            if !result.rules.is_empty() {
                output.line(&format!("    decided by {}", clean(&result.rules.join(", "))))?;
            }
        }
        let style = if failed == 0 { GOOD } else { BAD };
        output.line(&format!("{BOLD}{style}{passed} passed, {failed} failed{style:#}{BOLD:#}"))?;
        if results.is_empty() {
            output.say("there are no tests: write [[case]] into a file named *.test.toml beside the rules");
        }
        Ok(())
    })?;
    Ok(if failed == 0 { Exit::Ok } else { Exit::Failure })
}

/// Assertions from the command line, as a file of tests would hold them.
fn given(never: &[String]) -> Result<Vec<rules::cases::Case>, Problem> {
    let mut text = String::new();
    for assertion in never {
        let quoted = rules::write::text(assertion);
        text.push_str(&format!(
            "[[case]]\nname = {}\nnever = {quoted}\n",
            rules::write::text(&format!("never {assertion}"))
        ));
    }
    let file = rules::Source { name: "--never.test.toml".to_owned(), text };
    let parsed = rules::cases::parse(&[file]);
    parsed.map_err(|problems| {
        let first = problems.into_iter().next();
        first.map(|problem| Problem { file: "--never".to_owned(), line: 0, column: 0, ..problem }).unwrap_or_else(
            || Problem {
                file: "--never".to_owned(),
                line: 0,
                column: 0,
                message: "cannot be read".to_owned(),
                hint: None,
            },
        )
    })
}
