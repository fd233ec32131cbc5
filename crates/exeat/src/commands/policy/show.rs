//! `exeat policy show`: the texts of a set.

use serde_json::json;

use super::set::{Which, held};
use crate::commands::App;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{DIM, clean};

/// Which set.
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  exeat policy show\n  exeat policy show v3\n  exeat policy show candidate")]
pub struct Args {
    /// `active`, `candidate` or a version such as v3
    #[arg(default_value = "active")]
    which: Which,
}

pub(super) async fn run(args: Args, app: &App) -> Result<Exit, Failure> {
    let (version, files) = match &args.which {
        Which::Active => {
            let held = held(&app.client()?).await?;
            (Some(held.version), held.files)
        }
        other => (None, other.files(app).await?),
    };
    app.output.answer(&json!({ "version": version, "files": files }), |output, _| {
        if files.is_empty() {
            output.say("no rules are published here; begin with: exeat policy allow HOST --agent NAME");
        }
        for file in &files {
            output.line(&format!("{DIM}# {}{DIM:#}", clean(&file.name)))?;
            output.line(file.text.trim_end())?;
            output.line("")?;
        }
        if let Some(version) = version.filter(|version| *version > 0) {
            output.say(&format!("version {version}"));
        }
        Ok(())
    })?;
    Ok(Exit::Ok)
}
