//! Makes a principal.

use gate::principals::{CreatePrincipalInput, CreatePrincipalOutput};

use crate::call::{Call, created};
use crate::problem::Reply;

/// Makes a principal.
#[utoipa::path(
    post,
    path = "/v1/principals",
    request_body = CreatePrincipalInput,
    responses(
        (status = 201, body = CreatePrincipalOutput),
        (status = 400, description = "`invalid_principal_type`, `invalid_actor_type`, `invalid_actor_id`"),
    )
)]
pub(crate) async fn handle(mut call: Call) -> Reply {
    let (input, once) = call.creation().await?;
    created(&call.gate().create_principal(&call.caller, input, once).await?)
}
