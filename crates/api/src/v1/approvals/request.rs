//! Asks a human for an approval.

use gate::approvals::{RequestApprovalInput, RequestApprovalOutput};

use crate::call::{Call, created};
use crate::problem::Reply;

/// Asks a human for an approval.
#[utoipa::path(
    post,
    path = "/v1/approvals",
    request_body = RequestApprovalInput,
    responses(
        (status = 201, body = RequestApprovalOutput),
        (status = 400, description = "`missing_action`, `invalid_scope`, `invalid_expires_at`"),
        (status = 403, description = "`identity_not_permitted`"),
        (status = 404, description = "`room_not_found`, `run_not_found`, `step_not_found`"),
    )
)]
pub(crate) async fn handle(mut call: Call) -> Reply {
    let (input, once) = call.creation().await?;
    created(&call.gate().request_approval(&call.caller, input, once).await?)
}
