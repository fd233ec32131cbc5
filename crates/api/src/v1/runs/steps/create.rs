//! Makes a step of a running run.

use runs::{CreateStepInput, CreateStepOutput};

use crate::call::{Call, created};
use crate::problem::Reply;

/// Makes a step of a running run.
#[utoipa::path(
    post,
    path = "/v1/runs/{id}/steps",
    params(("id" = String, Path, description = "The run")),
    request_body = CreateStepInput,
    responses(
        (status = 201, body = CreateStepOutput),
        (status = 400, description = "`missing_kind`, `invalid_request`"),
        (status = 404, description = "`run_not_found`"),
        (status = 409,
            description = "`run_not_running`, `lease_token_mismatch`, `lease_expired`, `idempotency_key_reused`"),
    )
)]
pub(crate) async fn handle(mut call: Call) -> Reply {
    let (input, once) = call.creation().await?;
    created(&call.runs().create_step(&call.caller, call.parameter(), input, once).await?)
}
