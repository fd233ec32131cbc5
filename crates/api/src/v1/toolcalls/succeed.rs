//! Ends a tool call well.

use runs::SucceedToolCallInput;

use crate::call::{Call, ok};
use crate::problem::Reply;
use crate::view::ToolCallAnswer;

/// Ends a tool call well. A leased run needs the claim token.
#[utoipa::path(
    post,
    path = "/v1/toolcalls/{id}/succeed",
    params(("id" = String, Path, description = "Its id")),
    request_body = SucceedToolCallInput,
    responses(
        (status = 200, body = ToolCallAnswer),
        (status = 404, description = "`tool_call_not_found`"),
        (status = 409, description = "`tool_call_not_running`, `lease_token_mismatch`, `lease_expired`"),
    )
)]
pub(crate) async fn handle(mut call: Call) -> Reply {
    let input: SucceedToolCallInput = call.optional_body().await?;
    ok(&call.runs().succeed_tool_call(&call.caller, call.parameter(), input).await?)
}
