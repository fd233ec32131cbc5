//! Delegations of capability tokens, newest first.

use model::PrincipalId;

use crate::call::{Call, ok};
use crate::page::{Page, PageParams};
use crate::problem::Reply;
use crate::view::DelegationEdgeList;

/// Delegations of capability tokens, newest first.
#[utoipa::path(
    get,
    path = "/v1/capabilities/delegations",
    params(("principal_id" = Option<String>, Query, description = "Of this principal"), PageParams),
    responses((status = 200, body = DelegationEdgeList), (status = 400, description = "`invalid_request`"))
)]
pub(crate) async fn handle(call: Call) -> Reply {
    let query = call.query()?;
    let page = Page::read(&query, "delegations")?;
    let principal = query.id::<PrincipalId>("principal_id")?;
    let workspace = &call.caller.workspace_id;
    let mut rows = call.store().delegations(workspace, principal.as_ref(), page.after.as_deref(), page.rows()).await?;
    let next = page.cut(&mut rows, |row| row.edge_id.to_string());
    ok(&DelegationEdgeList::of(rows, next))
}
