//! The kill switch for external writes.

use gate::settings::KillSwitchOutput;

use crate::call::{Call, ok};
use crate::problem::Reply;

/// The kill switch for external writes.
#[utoipa::path(get, path = "/v1/policy/kill-switch", responses((status = 200, body = KillSwitchOutput)))]
pub(crate) async fn handle(call: Call) -> Reply {
    ok(&call.gate().kill_switch(&call.caller).await?)
}
