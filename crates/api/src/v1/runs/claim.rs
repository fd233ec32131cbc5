//! Takes queued runs, and those whose worker was not heard of.

use runs::{ClaimRunsInput, ClaimRunsOutput};

use crate::call::{Call, ok};
use crate::problem::Reply;

/// Takes queued runs, and those whose worker was not heard of.
#[utoipa::path(
    post,
    path = "/v1/runs/claim",
    request_body = ClaimRunsInput,
    responses((status = 200, body = ClaimRunsOutput), (status = 404, description = "`room_not_found`"))
)]
pub(crate) async fn handle(mut call: Call) -> Reply {
    let input: ClaimRunsInput = call.optional_body().await?;
    ok(&call.runs().claim(&call.caller, input).await?)
}
