//! Revokes a capability token and everything delegated from it, at once.

use gate::capabilities::{RevokeCapabilityInput, RevokeCapabilityOutput};

use crate::call::{Call, ok};
use crate::problem::Reply;

/// Revokes a capability token and everything delegated from it, at once.
#[utoipa::path(
    post,
    path = "/v1/capabilities/revoke",
    request_body = RevokeCapabilityInput,
    responses(
        (status = 200, body = RevokeCapabilityOutput),
        (status = 404, description = "`token_not_found`"),
    )
)]
pub(crate) async fn handle(mut call: Call) -> Reply {
    let input = call.body().await?;
    ok(&call.gate().revoke_capability(&call.caller, input).await?)
}
