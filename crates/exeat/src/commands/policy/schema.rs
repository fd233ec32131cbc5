//! `exeat policy schema`.

use crate::commands::App;
use crate::exit::Exit;
use crate::failure::Failure;

pub(super) fn run(app: &App) -> Result<Exit, Failure> {
    app.output.raw(rules::SCHEMA.trim_end())?;
    Ok(Exit::Ok)
}
