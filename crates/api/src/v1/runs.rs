//! Runs: queued work, who takes it, and how it ends.

pub(crate) mod attempts;
pub(crate) mod cancel;
pub(crate) mod claim;
pub(crate) mod complete;
pub(crate) mod create;
pub(crate) mod fail;
pub(crate) mod get;
pub(crate) mod heartbeat;
pub(crate) mod list;
pub(crate) mod release;
pub(crate) mod start;
pub(crate) mod steps;

use model::RunId;
use store::rows::RunRow;

use crate::call::Call;
use crate::problem::Problem;

/// The run of the path, if it is there and the caller may see it.
async fn seen(call: &Call) -> Result<RunRow, Problem> {
    let row = match call.id::<RunId>() {
        Some(id) => call.store().run(&call.caller.workspace_id, &id).await?,
        None => None,
    };
    row.filter(|row| call.sees(row.created_by_principal_id.as_ref()))
        .ok_or_else(|| Problem::not_found("run_not_found", "there is no such run"))
}
