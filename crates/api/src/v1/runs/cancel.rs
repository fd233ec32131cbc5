//! Calls a run off, whoever has it.

use runs::CancelRunInput;

use crate::call::{Call, ok};
use crate::problem::Reply;
use crate::view::RunAnswer;

/// Calls a run off, whoever has it.
#[utoipa::path(
    post,
    path = "/v1/runs/{id}/cancel",
    params(("id" = String, Path, description = "Its id")),
    request_body = CancelRunInput,
    responses(
        (status = 200, body = RunAnswer),
        (status = 404, description = "`run_not_found`"),
        (status = 409, description = "`run_already_ended`"),
    )
)]
pub(crate) async fn handle(mut call: Call) -> Reply {
    let input: CancelRunInput = call.optional_body().await?;
    ok(&call.runs().cancel(&call.caller, call.parameter(), input).await?)
}
