//! Quarantines an agent: it is denied everything until it is let out.

use gate::agents::{QuarantineAgentInput, QuarantineAgentOutput};

use crate::call::{Call, ok};
use crate::problem::Reply;

/// Quarantines an agent: it is denied everything until it is let out.
#[utoipa::path(
    post,
    path = "/v1/agents/{id}/quarantine",
    params(("id" = String, Path, description = "Its id")),
    request_body = QuarantineAgentInput,
    responses(
        (status = 200, body = QuarantineAgentOutput),
        (status = 404, description = "`agent_not_found`"),
        (status = 409, description = "`agent_revoked`"),
    )
)]
pub(crate) async fn handle(mut call: Call) -> Reply {
    let input: QuarantineAgentInput = call.optional_body().await?;
    ok(&call.gate().quarantine_agent(&call.caller, call.parameter(), input).await?)
}
