//! Registers an agent; it gets a principal of its own.

use gate::agents::{RegisterAgentInput, RegisterAgentOutput};

use crate::call::{Call, created};
use crate::problem::Reply;

/// Registers an agent; it gets a principal of its own.
#[utoipa::path(
    post,
    path = "/v1/agents",
    request_body = RegisterAgentInput,
    responses(
        (status = 201, body = RegisterAgentOutput),
        (status = 400, description = "`invalid_display_name`"),
    )
)]
pub(crate) async fn handle(mut call: Call) -> Reply {
    let (input, once) = call.creation().await?;
    created(&call.gate().register_agent(&call.caller, input, once).await?)
}
