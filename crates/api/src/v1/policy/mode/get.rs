//! The enforcement mode of the workspace, and where it comes from.

use gate::settings::ModeOutput;

use crate::call::{Call, ok};
use crate::problem::Reply;

/// The enforcement mode of the workspace, and where it comes from.
#[utoipa::path(get, path = "/v1/policy/mode", responses((status = 200, body = ModeOutput)))]
pub(crate) async fn handle(call: Call) -> Reply {
    ok(&call.gate().mode(&call.caller))
}
