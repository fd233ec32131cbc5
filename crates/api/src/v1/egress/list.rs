//! Egress requests, newest first.

use model::Outcome;
use store::query::EgressFilter;

use crate::call::{Call, ok};
use crate::page::{Page, PageParams};
use crate::problem::Reply;
use crate::view::EgressRequestList;

/// Egress requests, newest first.
#[utoipa::path(
    get,
    path = "/v1/egress/requests",
    params(
        ("room_id" = Option<String>, Query, description = "Of this room"),
        ("run_id" = Option<String>, Query, description = "Of this run"),
        ("decision" = Option<String>, Query, description = "allow, deny or require_approval"),
        ("since" = Option<String>, Query, description = "Asked at or after this time"),
        PageParams),
    responses((status = 200, body = EgressRequestList), (status = 400, description = "`invalid_request`"))
)]
pub(crate) async fn handle(call: Call) -> Reply {
    let query = call.query()?;
    let page = Page::read(&query, "egress")?;
    let filter = EgressFilter {
        room_id: query.id("room_id")?,
        run_id: query.id("run_id")?,
        decision: query.read("decision", "allow, deny or require_approval is wanted", Outcome::parse)?,
        since: query.time("since")?,
    };
    let workspace = &call.caller.workspace_id;
    let mut rows = call.store().egress_requests(workspace, &filter, page.after.as_deref(), page.rows()).await?;
    let next = page.cut(&mut rows, |row| row.egress_request_id.to_string());
    ok(&EgressRequestList::of(rows, next))
}
