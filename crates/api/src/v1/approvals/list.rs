//! Approvals, newest first.

use model::approval::ApprovalStatus;
use store::query::ApprovalFilter;

use crate::call::{Call, ok};
use crate::page::{Page, PageParams};
use crate::problem::Reply;
use crate::view::ApprovalList;

/// Approvals, newest first.
#[utoipa::path(
    get,
    path = "/v1/approvals",
    params(
        ("status" = Option<String>, Query, description = "pending, held, approved, denied, expired or revoked"),
        ("room_id" = Option<String>, Query, description = "Of this room"),
        ("run_id" = Option<String>, Query, description = "Of this run"),
        PageParams),
    responses((status = 200, body = ApprovalList), (status = 400, description = "`invalid_request`"))
)]
pub(crate) async fn handle(call: Call) -> Reply {
    let query = call.query()?;
    let page = Page::read(&query, "approvals")?;
    let filter = ApprovalFilter {
        status: query.read("status", "not a status of an approval", ApprovalStatus::parse)?,
        room_id: query.id("room_id")?,
        run_id: query.id("run_id")?,
    };
    let workspace = &call.caller.workspace_id;
    let mut rows = call.store().approvals(workspace, &filter, page.after.as_deref(), page.rows()).await?;
    let next = page.cut(&mut rows, |row| row.approval_id.to_string());
    ok(&ApprovalList::of(rows, next))
}
