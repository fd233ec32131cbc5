//! Switches the kill switch for external writes. `effective` is false in shadow mode.

use gate::settings::{KillSwitchOutput, SetKillSwitchInput};

use crate::call::{Call, ok};
use crate::problem::Reply;

/// Switches the kill switch for external writes. `effective` is false in shadow mode.
#[utoipa::path(
    put,
    path = "/v1/policy/kill-switch",
    request_body = SetKillSwitchInput,
    responses(
        (status = 200, body = KillSwitchOutput),
        (status = 400, description = "`invalid_request`"),
    )
)]
pub(crate) async fn handle(mut call: Call) -> Reply {
    let input = call.body().await?;
    ok(&call.gate().set_kill_switch(&call.caller, input).await?)
}
