//! What a policy set would have made of what happened. Changes nothing.

use gate::policies::{ReplayInput, ReplayOutput};

use crate::call::{Call, ok};
use crate::problem::Reply;

/// Decides a part of the decision log again under the files sent. Bounded: `next_cursor` says how to go on,
/// and the reports of all parts merge to the report of the whole. Quota and single-use approvals are not compared.
#[utoipa::path(
    post,
    path = "/v1/policies/replay",
    request_body = ReplayInput,
    responses(
        (status = 200, body = ReplayOutput),
        (status = 400, description = "`invalid_request`"),
        (status = 413, description = "`payload_too_large`: over 12 MiB"),
        (status = 422, description = "`invalid_policy` with `problems`"),
    )
)]
pub(crate) async fn handle(mut call: Call) -> Reply {
    let input: ReplayInput = call.policy_body().await?;
    ok(&call.gate().replay_policies(&call.caller, input).await?)
}
