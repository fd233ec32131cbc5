//! Gives the principal of an actor, made when there is none.

use gate::principals::{EnsurePrincipalInput, EnsurePrincipalOutput};

use crate::call::{Call, ok};
use crate::problem::Reply;

/// Gives the principal of an actor, made when there is none.
#[utoipa::path(
    post,
    path = "/v1/principals/legacy/ensure",
    request_body = EnsurePrincipalInput,
    responses(
        (status = 200, body = EnsurePrincipalOutput),
        (status = 400, description = "`invalid_actor_type`, `invalid_actor_id`"),
        (status = 409, description = "`principal_revoked`"),
    )
)]
pub(crate) async fn handle(mut call: Call) -> Reply {
    let input = call.body().await?;
    ok(&call.gate().ensure_principal(&call.caller, input).await?)
}
