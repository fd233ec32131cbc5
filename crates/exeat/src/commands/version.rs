//! `exeat version`: of this program; `exeat status` shows the server's.

use serde_json::json;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Output, field};

/// No arguments.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs it.
///
/// # Errors
/// Standard output cannot be written.
pub fn run(Args {}: &Args, output: Output) -> Result<Exit, Failure> {
    let answer = json!({ "name": "exeat", "version": env!("CARGO_PKG_VERSION") });
    output.answer(&answer, |output, answer| output.line(&format!("exeat {}", field(answer, "version"))))?;
    Ok(Exit::Ok)
}
