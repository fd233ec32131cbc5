//! Asks whether data may be read or written, and records the answer.

use gate::data::{DataAccessInput, DataAccessOutput};

use crate::call::{Call, ok};
use crate::problem::Reply;

/// Asks whether data may be read or written, and records the answer.
#[utoipa::path(
    post,
    path = "/v1/data/access/requests",
    request_body = DataAccessInput,
    responses(
        (status = 200, body = DataAccessOutput),
        (status = 400, description = "`invalid_action`, `invalid_resource`, `invalid_label`, `invalid_purpose_tags`"),
        (status = 403, description = "`identity_not_permitted`"),
    )
)]
pub(crate) async fn handle(mut call: Call) -> Reply {
    let input = call.body().await?;
    ok(&call.gate().request_data_access(&call.caller, input).await?)
}
