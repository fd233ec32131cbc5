//! Takes an approval back that was given.

use gate::approvals::{RevokeApprovalInput, RevokeApprovalOutput};

use crate::call::{Call, ok};
use crate::problem::Reply;

/// Takes an approval back that was given.
#[utoipa::path(
    post,
    path = "/v1/approvals/{id}/revoke",
    params(("id" = String, Path, description = "Its id")),
    request_body = RevokeApprovalInput,
    responses(
        (status = 200, body = RevokeApprovalOutput),
        (status = 404, description = "`approval_not_found`"),
        (status = 409, description = "`approval_not_approved`"),
    )
)]
pub(crate) async fn handle(mut call: Call) -> Reply {
    let input: RevokeApprovalInput = call.optional_body().await?;
    ok(&call.gate().revoke_approval(&call.caller, call.parameter(), input).await?)
}
