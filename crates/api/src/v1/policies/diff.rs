//! What a change of rules changes, exactly.

use gate::policies::{DiffInput, DiffReport};
use serde::Serialize;

use crate::call::{Call, ok};
use crate::problem::Reply;

/// The difference.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct DiffAnswer {
    /// It.
    diff: DiffReport,
}

/// Every region of asks in which two policy sets differ, complete, with an ask for each. From the set that
/// holds, or `from`; to the version `to`, the `files` sent, or the candidate.
#[utoipa::path(
    post,
    path = "/v1/policies/diff",
    request_body = DiffInput,
    responses(
        (status = 200, body = DiffAnswer),
        (status = 404, description = "`policy_version_not_found`, `candidate_not_found`"),
        (status = 413, description = "`payload_too_large`: over 12 MiB"),
        (status = 422, description = "`invalid_policy` with `problems`, `policies_too_complicated`"),
    )
)]
pub(crate) async fn handle(mut call: Call) -> Reply {
    let input: DiffInput = call.policy_body().await?;
    ok(&DiffAnswer { diff: call.gate().diff_policies(&call.caller, input).await? })
}
