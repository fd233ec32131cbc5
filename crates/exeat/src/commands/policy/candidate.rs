//! `exeat policy candidate`: a set that is tried on real asks beside the one that holds. Its outcomes
//! are recorded with every decision and change nothing.

use std::path::PathBuf;

use clap::Subcommand;

use super::set::{body, broken, read};
use crate::commands::App;
use crate::commands::wire::set;
use crate::exit::Exit;
use crate::failure::Failure;

/// What to do.
#[derive(Debug, Subcommand)]
#[command(
    before_help = "Examples:\n  exeat policy candidate set policies/\n  exeat shadow report\n  exeat policy candidate clear"
)]
pub enum Command {
    /// Try a set from now on
    Set(SetArgs),
    /// Try none any more
    Clear,
}

/// Which set.
#[derive(Debug, clap::Args)]
pub struct SetArgs {
    /// A folder with *.toml files, or one file
    path: PathBuf,
    /// Why, for the record
    #[arg(long)]
    note: Option<String>,
}

pub(super) async fn run(command: Command, app: &App) -> Result<Exit, Failure> {
    let path = ["v1", "policies", "candidate"];
    let (answer, said) = match command {
        Command::Set(args) => {
            let files = read(&args.path)?;
            let loaded = rules::load(&files).map_err(|problems| broken(app, &problems))?;
            let mut body = body(&files);
            if let Some(note) = args.note {
                set(&mut body, "note", note);
            }
            let answer = app.client()?.put(&path, &body).await?;
            (answer, format!("{} rules are tried from now on; they change nothing", loaded.set.rules.len()))
        }
        Command::Clear => (app.client()?.delete(&path).await?, "no set is tried any more".to_owned()),
    };
    app.output.answer(&answer, |output, _| output.line(&said))?;
    Ok(Exit::Ok)
}
