//! Ends a run badly. A leased one needs the claim token.

use runs::FailRunInput;

use crate::call::{Call, ok};
use crate::problem::Reply;
use crate::view::RunAnswer;

/// Ends a run badly. A leased one needs the claim token.
#[utoipa::path(
    post,
    path = "/v1/runs/{id}/fail",
    params(("id" = String, Path, description = "Its id")),
    request_body = FailRunInput,
    responses(
        (status = 200, body = RunAnswer),
        (status = 404, description = "`run_not_found`"),
        (status = 409, description = "`run_already_ended`, `lease_token_mismatch`, `lease_expired`"),
    )
)]
pub(crate) async fn handle(mut call: Call) -> Reply {
    let input: FailRunInput = call.optional_body().await?;
    ok(&call.runs().fail(&call.caller, call.parameter(), input).await?)
}
