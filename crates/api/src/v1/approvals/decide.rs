//! Decides an approval: approve, deny or hold. Whoever asked can never decide.

use gate::approvals::{DecideApprovalInput, DecideApprovalOutput};

use crate::call::{Call, ok};
use crate::problem::Reply;

/// Decides an approval: approve, deny or hold. Whoever asked can never decide.
#[utoipa::path(
    post,
    path = "/v1/approvals/{id}/decide",
    params(("id" = String, Path, description = "Its id")),
    request_body = DecideApprovalInput,
    responses(
        (status = 200, body = DecideApprovalOutput),
        (status = 400, description = "`invalid_decision`, `invalid_scope`, `invalid_expires_at`"),
        (status = 403, description = "`self_approval`"),
        (status = 404, description = "`approval_not_found`"),
        (status = 409, description = "`approval_already_decided`"),
    )
)]
pub(crate) async fn handle(mut call: Call) -> Reply {
    let input: DecideApprovalInput = call.body().await?;
    ok(&call.gate().decide_approval(&call.caller, call.parameter(), input).await?)
}
