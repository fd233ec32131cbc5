//! The shadow report.

use gate::shadow::ShadowReport;
use serde::Serialize;

use crate::call::{Call, ok};
use crate::problem::Reply;

/// The shadow report.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ShadowReportAnswer {
    /// It.
    report: ShadowReport,
}

/// What would have been blocked, in groups, and how each stands: open, resolved by the active rules, or reviewed.
#[utoipa::path(
    get,
    path = "/v1/shadow/report",
    params(("since" = Option<String>, Query, description = "Only decisions at or after this time; the last seven days when left out")),
    responses((status = 200, body = ShadowReportAnswer), (status = 400, description = "`invalid_request`"))
)]
pub(crate) async fn handle(call: Call) -> Reply {
    let since = call.query()?.time("since")?;
    ok(&ShadowReportAnswer { report: call.gate().shadow_report(&call.caller, since).await? })
}
