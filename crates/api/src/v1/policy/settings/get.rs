//! The settings of the workspace, as they hold.

use gate::settings::SettingsOutput;

use crate::call::{Call, ok};
use crate::problem::Reply;

/// The settings of the workspace, as they hold.
#[utoipa::path(get, path = "/v1/policy/settings", responses((status = 200, body = SettingsOutput)))]
pub(crate) async fn handle(call: Call) -> Reply {
    ok(&call.gate().settings(&call.caller))
}
