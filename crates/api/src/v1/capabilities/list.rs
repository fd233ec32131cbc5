//! Capability tokens, newest first.

use model::PrincipalId;

use crate::call::{Call, ok};
use crate::page::{Page, PageParams};
use crate::problem::Reply;
use crate::view::CapabilityTokenList;

/// Capability tokens, newest first.
#[utoipa::path(
    get,
    path = "/v1/capabilities",
    params(("principal_id" = Option<String>, Query, description = "Of this principal"), PageParams),
    responses((status = 200, body = CapabilityTokenList), (status = 400, description = "`invalid_request`"))
)]
pub(crate) async fn handle(call: Call) -> Reply {
    let query = call.query()?;
    let page = Page::read(&query, "tokens")?;
    let principal = query.id::<PrincipalId>("principal_id")?;
    let workspace = &call.caller.workspace_id;
    let mut rows = call.store().tokens(workspace, principal.as_ref(), page.after.as_deref(), page.rows()).await?;
    let next = page.cut(&mut rows, |row| row.token_id.to_string());
    ok(&CapabilityTokenList::of(rows, next))
}
