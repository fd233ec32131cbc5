//! The action registry.

use crate::call::{Call, ok};
use crate::problem::Reply;
use crate::view::ActionEntryList;

/// The action registry: the install's entries, and the workspace's own, which win.
#[utoipa::path(get, path = "/v1/action-registry", responses((status = 200, body = ActionEntryList)))]
pub(crate) async fn handle(call: Call) -> Reply {
    let rows = call.store().registry(&call.caller.workspace_id).await?;
    ok(&ActionEntryList::of(rows, None))
}
