//! Gives a run back to the queue. With a message or an error the attempt counts as failed.

use runs::ReleaseInput;

use crate::call::{Call, ok};
use crate::problem::Reply;
use crate::view::RunAnswer;

/// Gives a run back to the queue. With a message or an error the attempt counts as failed.
#[utoipa::path(
    post,
    path = "/v1/runs/{id}/lease/release",
    params(("id" = String, Path, description = "The run")),
    request_body = ReleaseInput,
    responses(
        (status = 200, body = RunAnswer),
        (status = 404, description = "`run_not_found`"),
        (status = 409, description = "`lease_token_mismatch`, `lease_expired`, `run_not_running`"),
    )
)]
pub(crate) async fn handle(mut call: Call) -> Reply {
    let input: ReleaseInput = call.optional_body().await?;
    ok(&call.runs().release(&call.caller, call.parameter(), input).await?)
}
