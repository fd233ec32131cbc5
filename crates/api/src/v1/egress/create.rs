//! Asks whether something may leave, and records the answer. 201 whatever the decision.

use gate::egress::{EgressInput, EgressOutput};

use crate::call::{Call, created};
use crate::problem::Reply;

/// Asks whether something may leave, and records the answer. 201 whatever the decision.
#[utoipa::path(
    post,
    path = "/v1/egress/requests",
    request_body = EgressInput,
    responses(
        (status = 201, body = EgressOutput),
        (status = 400, description = "`invalid_target_url`, `invalid_request`"),
        (status = 403, description = "`identity_not_permitted`"),
        (status = 404, description = "`room_not_found`, `run_not_found`, `step_not_found`"),
        (status = 409, description = "`lease_token_mismatch`, `lease_expired`, `idempotency_key_reused`"),
    )
)]
pub(crate) async fn handle(mut call: Call) -> Reply {
    let (input, once) = call.creation().await?;
    created(&call.gate().request_egress(&call.caller, input, once).await?)
}
