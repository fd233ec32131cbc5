//! `exeat reason-codes`: every reason a decision can have, as the server knows them.

use serde_json::Value;

use super::App;
use super::wire::list;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Output, Table, field, opt};

/// No arguments.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs it.
///
/// # Errors
/// Whatever the server refuses with.
pub async fn run(Args {}: Args, app: &App) -> Result<Exit, Failure> {
    let answer = app.client()?.get(&["v1", "reason-codes"], &[]).await?;
    app.output.answer(&answer, show)?;
    Ok(Exit::Ok)
}

fn show(output: &Output, answer: &Value) -> Result<(), Failure> {
    let mut table = Table::new(&["code", "means", "remedy"]);
    for code in list(answer, "reason_codes") {
        let name = opt(code, "reason_code").unwrap_or_else(|| field(code, "code"));
        table.row([name, field(code, "sentence"), field(code, "remedy")]);
    }
    for code in list(answer, "error_codes") {
        table.row([field(code, "error_code"), field(code, "sentence"), field(code, "remedy")]);
    }
    output.table(table, "no reason codes")
}
