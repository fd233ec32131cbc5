//! The steps of a run, oldest first. An agent sees those of its own runs only.

use crate::call::{Call, ok};
use crate::page::{Page, PageParams};
use crate::problem::Reply;
use crate::v1::runs::seen;
use crate::view::StepList;

/// The steps of a run, oldest first. An agent sees those of its own runs only.
#[utoipa::path(
    get,
    path = "/v1/runs/{id}/steps",
    params(("id" = String, Path, description = "The run"), PageParams),
    responses(
        (status = 200, body = StepList),
        (status = 400, description = "`invalid_request`"),
        (status = 404, description = "`run_not_found`"),
    )
)]
pub(crate) async fn handle(call: Call) -> Reply {
    let query = call.query()?;
    let page = Page::read(&query, "steps")?;
    let run = seen(&call).await?.run_id;
    let workspace = &call.caller.workspace_id;
    let mut rows = call.store().steps(workspace, &run, page.after.as_deref(), page.rows()).await?;
    let next = page.cut(&mut rows, |row| row.step_id.to_string());
    ok(&StepList::of(rows, next))
}
