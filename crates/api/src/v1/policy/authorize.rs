//! Decides any kind of ask, with its trace.

use gate::authorize::{AuthorizeInput, AuthorizeOutput};

use crate::call::{Call, ok};
use crate::problem::Reply;

/// Decides any kind of ask, with its trace.
#[utoipa::path(
    post,
    path = "/v1/authorize",
    request_body = AuthorizeInput,
    responses(
        (status = 200, body = AuthorizeOutput),
        (status = 400, description = "`missing_action`, `invalid_category`"),
        (status = 403, description = "`identity_not_permitted`"),
    )
)]
pub(crate) async fn handle(mut call: Call) -> Reply {
    let input = call.body().await?;
    ok(&call.gate().authorize(&call.caller, input).await?)
}
