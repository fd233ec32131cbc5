//! Tries nothing any more.

use serde::Serialize;

use crate::call::{Call, ok};
use crate::problem::Reply;

/// It is done.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ClearedAnswer {
    /// True.
    ok: bool,
}

/// Tries nothing any more beside the policy set that holds.
#[utoipa::path(delete, path = "/v1/policies/candidate", responses((status = 200, body = ClearedAnswer)))]
pub(crate) async fn handle(call: Call) -> Reply {
    call.gate().clear_candidate(&call.caller).await?;
    ok(&ClearedAnswer { ok: true })
}
