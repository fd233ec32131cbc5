//! Revokes an agent for good, at once.

use gate::agents::RevokeAgentOutput;

use crate::call::{Call, ok};
use crate::problem::Reply;

/// Revokes an agent for good, at once.
#[utoipa::path(
    post,
    path = "/v1/agents/{id}/revoke",
    params(("id" = String, Path, description = "Its id")),
    responses(
        (status = 200, body = RevokeAgentOutput),
        (status = 404, description = "`agent_not_found`"),
    )
)]
pub(crate) async fn handle(mut call: Call) -> Reply {
    call.no_body().await?;
    ok(&call.gate().revoke_agent(&call.caller, call.parameter()).await?)
}
