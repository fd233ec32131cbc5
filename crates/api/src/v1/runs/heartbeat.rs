//! Prolongs a lease by its own length, from now.

use runs::{HeartbeatInput, HeartbeatOutput};

use crate::call::{Call, ok};
use crate::problem::Reply;

/// Prolongs a lease by its own length, from now.
#[utoipa::path(
    post,
    path = "/v1/runs/{id}/lease/heartbeat",
    params(("id" = String, Path, description = "The run")),
    request_body = HeartbeatInput,
    responses(
        (status = 200, body = HeartbeatOutput),
        (status = 404, description = "`run_not_found`"),
        (status = 409, description = "`lease_token_mismatch`, `lease_expired`, `run_not_running`"),
    )
)]
pub(crate) async fn handle(mut call: Call) -> Reply {
    let input: HeartbeatInput = call.optional_body().await?;
    ok(&call.runs().heartbeat(&call.caller, call.parameter(), input).await?)
}
