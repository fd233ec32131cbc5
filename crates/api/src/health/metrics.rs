//! The metrics, for those who may read everything.

use http::StatusCode;

use crate::call::{Call, with_type};
use crate::problem::{Problem, Reply};

/// Gives the metrics of this process (Prometheus text).
#[utoipa::path(
    get,
    path = "/metrics",
    responses(
        (status = 200, body = String, content_type = "text/plain"),
        (status = 404, description = "`not_found`: metrics are off")
    )
)]
pub(crate) async fn handle(call: Call) -> Reply {
    let handle = call.api.metrics().ok_or_else(|| Problem::not_found("not_found", "metrics are off"))?;
    ::metrics::gauge!("exeat_recorder_waiting").set(u32::try_from(call.store().waiting()).unwrap_or(u32::MAX));
    Ok(with_type(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", handle.render()))
}
