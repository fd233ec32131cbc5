//! The versions of the policy set, newest first.

use gate::policies::VersionView;
use serde::Serialize;

use crate::call::{Call, ok};
use crate::page::{Page, PageParams};
use crate::problem::Reply;

/// Some of them.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct VersionList {
    /// Newest first, without files.
    versions: Vec<VersionView>,
    /// Continues the list.
    next_cursor: Option<String>,
}

/// The versions of the policy set, newest first.
#[utoipa::path(
    get,
    path = "/v1/policies/versions",
    params(PageParams),
    responses((status = 200, body = VersionList), (status = 400, description = "`invalid_request`"))
)]
pub(crate) async fn handle(call: Call) -> Reply {
    let query = call.query()?;
    let page = Page::read(&query, "policy_versions")?;
    let before = page.after.as_deref().and_then(|text| text.parse().ok());
    let mut versions = call.gate().policy_versions(&call.caller, before, page.rows()).await?;
    let next_cursor = page.cut(&mut versions, |version| version.version.to_string());
    ok(&VersionList { versions, next_cursor })
}
