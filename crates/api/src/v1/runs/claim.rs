//! Takes queued runs, and those whose worker was not heard of.

use runs::ClaimRunsInput;

use crate::call::{Call, ok};
use crate::problem::Reply;
use crate::view::ClaimAnswer;

/// Takes queued runs, and those whose worker was not heard of.
#[utoipa::path(
    post,
    path = "/v1/runs/claim",
    request_body = ClaimRunsInput,
    responses((status = 200, body = ClaimAnswer), (status = 404, description = "`room_not_found`"))
)]
pub(crate) async fn handle(mut call: Call) -> Reply {
    let input: ClaimRunsInput = call.optional_body().await?;
    ok(&ClaimAnswer::from(call.runs().claim(&call.caller, input).await?))
}
