//! One version of the policy set, with its files.

use gate::policies::VersionView;
use serde::Serialize;

use crate::call::{Call, ok};
use crate::problem::{Problem, Reply};

/// One of them.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct VersionAnswer {
    /// It.
    version: VersionView,
}

/// One version of the policy set, with its files.
#[utoipa::path(
    get,
    path = "/v1/policies/versions/{version}",
    params(("version" = String, Path, description = "Its number")),
    responses((status = 200, body = VersionAnswer), (status = 404, description = "`policy_version_not_found`"))
)]
pub(crate) async fn handle(call: Call) -> Reply {
    let version = match call.parameter().parse() {
        Ok(number) => call.gate().policy_version(&call.caller, number).await?,
        Err(_) => None,
    };
    let version = version.ok_or_else(|| Problem::not_found("policy_version_not_found", "there is no such version"))?;
    ok(&VersionAnswer { version })
}
