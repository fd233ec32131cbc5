//! Sets what is tried beside the policy set that holds.

use gate::policies::{CandidateInput, CandidateView};
use serde::Serialize;

use crate::call::{Call, ok};
use crate::problem::Reply;

/// What is tried.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct CandidateAnswer {
    /// It.
    candidate: CandidateView,
}

/// Sets what is tried beside the policy set that holds: what it would decide is recorded, never obeyed.
#[utoipa::path(
    put,
    path = "/v1/policies/candidate",
    request_body = CandidateInput,
    responses(
        (status = 200, body = CandidateAnswer),
        (status = 413, description = "`payload_too_large`: over 12 MiB"),
        (status = 422, description = "`invalid_policy` with `problems`"),
    )
)]
pub(crate) async fn handle(mut call: Call) -> Reply {
    let input: CandidateInput = call.policy_body().await?;
    ok(&CandidateAnswer { candidate: call.gate().set_candidate(&call.caller, input).await? })
}
