//! The attempts at a run, oldest first, on one page: a run has few. An agent sees those of its own
//! runs only.

use crate::call::{Call, ok};
use crate::problem::Reply;
use crate::view::AttemptList;

/// The attempts at a run, oldest first, on one page. An agent sees those of its own runs only.
#[utoipa::path(
    get,
    path = "/v1/runs/{id}/attempts",
    params(("id" = String, Path, description = "The run")),
    responses((status = 200, body = AttemptList), (status = 404, description = "`run_not_found`"))
)]
pub(crate) async fn handle(call: Call) -> Reply {
    let run = super::seen(&call).await?;
    let rows = call.store().attempts(&call.caller.workspace_id, &run.run_id, run.attempt_no).await?;
    ok(&AttemptList::of(rows, None))
}
