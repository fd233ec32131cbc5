//! Sets the enforcement mode of the workspace. Holds on every replica for every decision after the answer.

use gate::settings::{ModeOutput, SetModeInput};

use crate::call::{Call, ok};
use crate::problem::Reply;

/// Sets the enforcement mode of the workspace. Holds on every replica for every decision after the answer.
#[utoipa::path(
    put,
    path = "/v1/policy/mode",
    request_body = SetModeInput,
    responses(
        (status = 200, body = ModeOutput),
        (status = 400, description = "`invalid_mode`"),
        (status = 409, description = "`unreviewed_would_blocks`"),
    )
)]
pub(crate) async fn handle(mut call: Call) -> Reply {
    let input = call.body().await?;
    ok(&call.gate().set_mode(&call.caller, input).await?)
}
