//! Ends a run well. A leased one needs the claim token.

use runs::CompleteRunInput;

use crate::call::{Call, ok};
use crate::problem::Reply;
use crate::view::RunAnswer;

/// Ends a run well. A leased one needs the claim token.
#[utoipa::path(
    post,
    path = "/v1/runs/{id}/complete",
    params(("id" = String, Path, description = "Its id")),
    request_body = CompleteRunInput,
    responses(
        (status = 200, body = RunAnswer),
        (status = 404, description = "`run_not_found`"),
        (status = 409, description = "`run_already_ended`, `lease_token_mismatch`, `lease_expired`"),
    )
)]
pub(crate) async fn handle(mut call: Call) -> Reply {
    let input: CompleteRunInput = call.optional_body().await?;
    ok(&call.runs().complete(&call.caller, call.parameter(), input).await?)
}
