//! `exeat policy versions`: every set there was.

use crate::commands::App;
use crate::commands::page::PageArgs;
use crate::commands::wire::list;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Table, field, opt};

/// Which page.
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  exeat policy versions\n  exeat policy versions --json")]
pub struct Args {
    #[command(flatten)]
    page: PageArgs,
}

pub(super) async fn run(args: Args, app: &App) -> Result<Exit, Failure> {
    let answer = app.client()?.get(&["v1", "policies", "versions"], &args.page.query()).await?;
    app.output.answer(&answer, |output, answer| {
        let mut table = Table::new(&["VERSION", "RULES", "SOURCE", "PUBLISHED", "NOTE"]);
        for version in list(answer, "versions") {
            let active = version.get("active").and_then(serde_json::Value::as_bool).unwrap_or(false);
            table.row([
                format!("v{}{}", field(version, "version"), if active { " ← holds" } else { "" }),
                field(version, "rules"),
                field(version, "source"),
                output.when(version, "created_at"),
                note(version),
            ]);
        }
        output.table(table, "no rules were published here yet")?;
        PageArgs::say_next(output, answer);
        Ok(())
    })?;
    Ok(Exit::Ok)
}

fn note(version: &serde_json::Value) -> String {
    let restored = opt(version, "restores").map(|restored| format!("goes back to v{restored}"));
    restored.into_iter().chain(opt(version, "note")).collect::<Vec<_>>().join(": ")
}
