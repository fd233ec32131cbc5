//! Labels a resource.

use gate::labels::{SetLabelInput, SetLabelOutput};

use crate::call::{Call, created};
use crate::problem::Reply;

/// Labels a resource.
#[utoipa::path(
    post,
    path = "/v1/resources/labels",
    request_body = SetLabelInput,
    responses(
        (status = 201, body = SetLabelOutput),
        (status = 400, description = "`invalid_resource`, `invalid_label`, `invalid_purpose_tags`"),
        (status = 404, description = "`room_not_found`"),
    )
)]
pub(crate) async fn handle(mut call: Call) -> Reply {
    let (input, once) = call.creation().await?;
    created(&call.gate().set_label(&call.caller, input, once).await?)
}
