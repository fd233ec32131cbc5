//! Asks for a tool call. 201 when it may be made and is running now, 200 when it is blocked.

use http::StatusCode;
use runs::{ToolCallInput, ToolCallOutput};

use crate::call::{Call, answered};
use crate::problem::Reply;

/// Asks for a tool call. 201 when it may be made and is running now, 200 when it is blocked.
#[utoipa::path(
    post,
    path = "/v1/steps/{id}/toolcalls",
    params(("id" = String, Path, description = "The step")),
    request_body = ToolCallInput,
    responses(
        (status = 200, body = ToolCallOutput, description = "Blocked: there is no tool call"),
        (status = 201, body = ToolCallOutput, description = "The tool call and its step run"),
        (status = 400, description = "`missing_tool_name`, `invalid_request`"),
        (status = 403, description = "`identity_not_permitted`"),
        (status = 404, description = "`step_not_found`"),
        (status = 409,
            description = "`run_not_running`, `lease_token_mismatch`, `lease_expired`, `idempotency_key_reused`"),
    )
)]
pub(crate) async fn handle(mut call: Call) -> Reply {
    let (input, once) = call.creation().await?;
    let answer = call.runs().call_tool(&call.caller, call.parameter(), input, once).await?;
    let status = if answer.value.blocked { StatusCode::OK } else { StatusCode::CREATED };
    answered(status, &answer)
}
