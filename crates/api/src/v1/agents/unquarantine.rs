//! Lets an agent out of quarantine.

use gate::agents::UnquarantineAgentOutput;

use crate::call::{Call, ok};
use crate::problem::Reply;

/// Lets an agent out of quarantine.
#[utoipa::path(
    post,
    path = "/v1/agents/{id}/unquarantine",
    params(("id" = String, Path, description = "Its id")),
    responses(
        (status = 200, body = UnquarantineAgentOutput),
        (status = 404, description = "`agent_not_found`"),
    )
)]
pub(crate) async fn handle(mut call: Call) -> Reply {
    call.no_body().await?;
    ok(&call.gate().unquarantine_agent(&call.caller, call.parameter()).await?)
}
