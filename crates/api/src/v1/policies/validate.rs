//! Whether a policy set could be published. Changes nothing.

use gate::policies::{FilesInput, Validation};
use serde::Serialize;

use crate::call::{Call, ok};
use crate::problem::Reply;

/// What was found.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ValidationAnswer {
    /// It.
    validation: Validation,
}

/// Says whether a policy set could be published, and everything that is wrong with it. Its tests are read, not run.
#[utoipa::path(
    post,
    path = "/v1/policies/validate",
    request_body = FilesInput,
    responses(
        (status = 200, body = ValidationAnswer),
        (status = 413, description = "`payload_too_large`: over 12 MiB"),
    )
)]
pub(crate) async fn handle(mut call: Call) -> Reply {
    let input: FilesInput = call.policy_body().await?;
    ok(&ValidationAnswer { validation: call.gate().validate_policies(&call.caller, input).await? })
}
