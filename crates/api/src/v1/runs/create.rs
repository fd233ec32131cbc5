//! Makes a run: it is queued until a worker takes it.

use runs::{CreateRunInput, CreateRunOutput};

use crate::call::{Call, created};
use crate::problem::Reply;

/// Makes a run: it is queued until a worker takes it.
#[utoipa::path(
    post,
    path = "/v1/runs",
    request_body = CreateRunInput,
    responses(
        (status = 201, body = CreateRunOutput),
        (status = 403, description = "`identity_not_permitted`"),
        (status = 404, description = "`room_not_found`"),
    )
)]
pub(crate) async fn handle(mut call: Call) -> Reply {
    let (input, once) = call.creation().await?;
    created(&call.runs().create(&call.caller, input, once).await?)
}
