//! `exeat policy fmt`: one way to write rules; comments stay.

use std::path::PathBuf;

use serde_json::json;

use super::set::{broken, read};
use crate::commands::App;
use crate::exit::Exit;
use crate::failure::Failure;

/// Which files.
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  exeat policy fmt policies/\n  exeat policy fmt policies/ --check")]
pub struct Args {
    /// A folder with *.toml files, or one file
    path: PathBuf,
    /// Change nothing; exit 1 when something would change
    #[arg(long)]
    check: bool,
}

pub(super) fn run(args: &Args, app: &App) -> Result<Exit, Failure> {
    let mut changed = Vec::new();
    let folder = args.path.is_dir();
    for file in read(&args.path)? {
        let formatted = rules::fmt::format(&file.name, &file.text).map_err(|problem| broken(app, &[problem]))?;
        if formatted == file.text {
            continue;
        }
        let path = if folder { args.path.join(&file.name) } else { args.path.clone() };
        if !args.check {
            write(&path, &formatted)?;
        }
        changed.push(path.display().to_string());
    }
    let answer = json!({ "changed": changed, "written": !args.check });
    app.output.answer(&answer, |output, _| changed.iter().try_for_each(|path| output.line(path)))?;
    Ok(if args.check && !changed.is_empty() { Exit::Failure } else { Exit::Ok })
}

/// Beside the file first, then in its place: a full disk loses nothing.
fn write(path: &std::path::Path, text: &str) -> Result<(), Failure> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    std::fs::write(&beside, text)?;
    std::fs::set_permissions(&beside, std::fs::metadata(path)?.permissions())?;
    std::fs::rename(&beside, path)?;
    Ok(())
}
