//! Says what the gate would decide. Creates no approval.

use gate::authorize::{EvaluateInput, EvaluateOutput};

use crate::call::{Call, ok};
use crate::problem::Reply;

/// Says what the gate would decide. Creates no approval.
#[utoipa::path(
    post,
    path = "/v1/policy/evaluate",
    request_body = EvaluateInput,
    responses(
        (status = 200, body = EvaluateOutput),
        (status = 400, description = "`missing_action`"),
        (status = 403, description = "`identity_not_permitted`"),
    )
)]
pub(crate) async fn handle(mut call: Call) -> Reply {
    let input = call.body().await?;
    ok(&call.gate().evaluate(&call.caller, input).await?)
}
