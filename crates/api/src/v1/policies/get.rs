//! The policy set that holds, with its files.

use gate::policies::PolicySetView;
use serde::Serialize;

use crate::call::{Call, ok_version};
use crate::problem::Reply;

/// The policy set.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct PolicySetAnswer {
    /// It.
    policy_set: PolicySetView,
}

/// The policy set that holds in the workspace. The `etag` is its version, for `If-Match`; 0 where there is none.
#[utoipa::path(get, path = "/v1/policies", responses((status = 200, body = PolicySetAnswer)))]
pub(crate) async fn handle(call: Call) -> Reply {
    let policy_set = call.gate().policies(&call.caller).await?;
    let version = policy_set.version;
    ok_version(&PolicySetAnswer { policy_set }, version)
}
