//! Grants a capability token, or delegates a narrower one from it.

use gate::capabilities::{GrantCapabilityInput, GrantCapabilityOutput};

use crate::call::{Call, created};
use crate::problem::Reply;

/// Grants a capability token, or delegates a narrower one from it.
#[utoipa::path(
    post,
    path = "/v1/capabilities/grant",
    request_body = GrantCapabilityInput,
    responses(
        (status = 201, body = GrantCapabilityOutput),
        (status = 400, description = "`issued_to_principal_id_required`, `granted_by_principal_id_required`, `issued_to_principal_not_found`, `granted_by_principal_not_found`, `invalid_valid_until`, `parent_token_revoked`, `parent_token_expired`, `delegation_depth_exceeded`, `invalid_scopes`"),
        (status = 403, description = "`parent_token_grantor_mismatch`"),
        (status = 404, description = "`parent_token_not_found`"),
    )
)]
pub(crate) async fn handle(mut call: Call) -> Reply {
    let (input, once) = call.creation().await?;
    created(&call.gate().grant_capability(&call.caller, input, once).await?)
}
