//! Starts a queued run without a lease: whoever started it drives it.

use crate::call::{Call, ok};
use crate::problem::Reply;
use crate::view::RunAnswer;

/// Starts a queued run without a lease: whoever started it drives it.
#[utoipa::path(
    post,
    path = "/v1/runs/{id}/start",
    params(("id" = String, Path, description = "Its id")),
    responses(
        (status = 200, body = RunAnswer),
        (status = 404, description = "`run_not_found`"),
        (status = 409, description = "`run_not_queued`"),
    )
)]
pub(crate) async fn handle(mut call: Call) -> Reply {
    call.no_body().await?;
    ok(&call.runs().start(&call.caller, call.parameter()).await?)
}
