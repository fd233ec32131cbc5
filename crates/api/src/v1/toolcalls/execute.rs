//! Carries out a tool call that was allowed and runs: a command, held by the guard.

use http::StatusCode;
use runs::{ExecuteError, ExecuteToolCallInput};
use serde_json::json;

use crate::call::{Call, ok};
use crate::problem::{Problem, Reply};
use crate::view::ToolCallAnswer;

/// Carries out a tool call that was allowed and runs, and answers when the command has ended: the call has then
/// succeeded, or failed with what the command said. A leased run needs the claim token. Whoever is refused has
/// nothing looked up and nothing started.
#[utoipa::path(
    post,
    path = "/v1/toolcalls/{id}/execute",
    params(("id" = String, Path, description = "Its id")),
    request_body = ExecuteToolCallInput,
    responses(
        (status = 200, body = ToolCallAnswer),
        (status = 400, description = "`network_egress_blocked`: it tried to leave around the gate, and has failed; \
            `invalid_process`, `input_redacted`"),
        (status = 404, description = "`tool_call_not_found`"),
        (status = 409, description = "`tool_call_not_running`, `run_not_running`, `tool_not_executable`, \
            `tool_call_executing`, `effect_uncertain`, `lease_token_mismatch`, `lease_expired`"),
        (status = 500, description = "`event_log_failure`: what it did could not be recorded, and it was killed"),
        (status = 503, description = "`isolation_unavailable`: nothing was started"),
    )
)]
pub(crate) async fn handle(mut call: Call) -> Reply {
    let input: ExecuteToolCallInput = call.optional_body().await?;
    let processes = call.api.processes();
    ok(&call.runs().execute_tool_call(&call.caller, processes, call.parameter(), input).await?)
}

impl From<ExecuteError> for Problem {
    fn from(error: ExecuteError) -> Self {
        match error {
            ExecuteError::Gate(error) => error.into(),
            ExecuteError::Blocked { tool_call_id, ids } => {
                let detail = "the command tried to leave around the gate; the tool call has failed";
                let mut members = vec![("tool_call_id", json!(tool_call_id))];
                for name in ["event_id", "egress_request_ids", "approval_ids"] {
                    members.extend(ids.get(name).map(|value| (name, value.clone())));
                }
                Self::new(StatusCode::BAD_REQUEST, "network_egress_blocked", detail).with(members)
            }
            // Why, and what to do about it, is for who runs the server: `GET /v1/guard`.
            ExecuteError::IsolationUnavailable { layer, .. } => {
                let detail = format!("isolation is not available, and nothing was started: {layer}");
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "isolation_unavailable", detail)
                    .with(vec![("layer", json!(layer))])
            }
            ExecuteError::EventLog => {
                let detail = "what the command did could not be recorded, and all of it was killed";
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "event_log_failure", detail)
            }
        }
    }
}
