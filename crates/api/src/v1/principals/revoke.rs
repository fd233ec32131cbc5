//! Revokes a principal for good, at once.

use gate::principals::RevokePrincipalOutput;

use crate::call::{Call, ok};
use crate::problem::Reply;

/// Revokes a principal for good, at once.
#[utoipa::path(
    post,
    path = "/v1/principals/{id}/revoke",
    params(("id" = String, Path, description = "Its id")),
    responses(
        (status = 200, body = RevokePrincipalOutput),
        (status = 404, description = "`principal_not_found`"),
    )
)]
pub(crate) async fn handle(mut call: Call) -> Reply {
    call.no_body().await?;
    ok(&call.gate().revoke_principal(&call.caller, call.parameter()).await?)
}
