//! `exeat man`: the manual pages, one for each command.

use std::path::PathBuf;

use serde_json::json;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;

/// Where to.
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  exeat man --out ~/.local/share/man/man1")]
pub struct Args {
    /// The directory; made when it is not there
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Runs it.
///
/// # Errors
/// The directory cannot be written.
pub fn run(args: &Args, output: Output) -> Result<Exit, Failure> {
    std::fs::create_dir_all(&args.out)?;
    clap_mangen::generate_to(crate::cli::command(), &args.out)?;
    let shown = args.out.display().to_string();
    output.answer(&json!({ "out": shown }), |output, _| output.line(&format!("wrote the manual pages to {shown}")))?;
    Ok(Exit::Ok)
}
