//! Runs, newest first.

use model::run::RunStatus;
use store::query::RunFilter;

use crate::call::{Call, ok};
use crate::page::{Page, PageParams};
use crate::problem::Reply;
use crate::view::RunList;

/// Runs, newest first.
#[utoipa::path(
    get,
    path = "/v1/runs",
    params(
        ("room_id" = Option<String>, Query, description = "Of this room"),
        ("status" = Option<String>, Query,
            description = "queued, running, waiting_approval, succeeded, failed or cancelled"),
        PageParams),
    responses((status = 200, body = RunList), (status = 400, description = "`invalid_request`"))
)]
pub(crate) async fn handle(call: Call) -> Reply {
    let query = call.query()?;
    let page = Page::read(&query, "runs")?;
    let filter = RunFilter {
        room_id: query.id("room_id")?,
        status: query.read("status", "not a status of a run", RunStatus::parse)?,
    };
    let workspace = &call.caller.workspace_id;
    let mut rows = call.store().runs(workspace, &filter, page.after.as_deref(), page.rows()).await?;
    let next = page.cut(&mut rows, |row| row.run_id.to_string());
    ok(&RunList::of(rows, next))
}
