//! One approval. An agent sees its own only.

use model::ApprovalId;

use crate::call::{Call, ok};
use crate::problem::{Problem, Reply};
use crate::view::ApprovalAnswer;

/// One approval. An agent sees its own only.
#[utoipa::path(
    get,
    path = "/v1/approvals/{id}",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, body = ApprovalAnswer), (status = 404, description = "`approval_not_found`"))
)]
pub(crate) async fn handle(call: Call) -> Reply {
    let row = match call.id::<ApprovalId>() {
        Some(id) => call.store().approval(&call.caller.workspace_id, &id).await?,
        None => None,
    };
    let row = row
        .filter(|row| call.sees(row.requested_by_principal_id.as_ref()))
        .ok_or_else(|| Problem::not_found("approval_not_found", "there is no such approval"))?;
    ok(&ApprovalAnswer::from(row))
}
