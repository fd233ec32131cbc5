//! Ends a tool call badly.

use runs::FailToolCallInput;

use crate::call::{Call, ok};
use crate::problem::Reply;
use crate::view::ToolCallAnswer;

/// Ends a tool call badly. A leased run needs the claim token.
#[utoipa::path(
    post,
    path = "/v1/toolcalls/{id}/fail",
    params(("id" = String, Path, description = "Its id")),
    request_body = FailToolCallInput,
    responses(
        (status = 200, body = ToolCallAnswer),
        (status = 404, description = "`tool_call_not_found`"),
        (status = 409, description = "`tool_call_not_running`, `lease_token_mismatch`, `lease_expired`"),
    )
)]
pub(crate) async fn handle(mut call: Call) -> Reply {
    let input: FailToolCallInput = call.optional_body().await?;
    ok(&call.runs().fail_tool_call(&call.caller, call.parameter(), input).await?)
}
