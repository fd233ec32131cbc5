//! Sets what the workspace knows of an action.

use gate::registry::{SetRegistryInput, SetRegistryOutput};

use crate::call::{Call, ok};
use crate::problem::Reply;

/// Sets what the workspace knows of an action.
#[utoipa::path(
    put,
    path = "/v1/action-registry/{action_type}",
    params(("action_type" = String, Path, description = "The action")),
    request_body = SetRegistryInput,
    responses(
        (status = 200, body = SetRegistryOutput),
        (status = 400, description = "`invalid_request`"),
    )
)]
pub(crate) async fn handle(mut call: Call) -> Reply {
    let input: SetRegistryInput = call.body().await?;
    ok(&call.gate().set_registry(&call.caller, call.parameter(), input).await?)
}
