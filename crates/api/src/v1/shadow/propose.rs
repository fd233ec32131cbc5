//! Rules that would let pass what was seen. Changes nothing.

use gate::shadow::{ProposeInput, ProposeOutput};

use crate::call::{Call, ok};
use crate::problem::Reply;

/// Proposes rules that let pass what is open in the shadow report, as files to be read, edited and published.
#[utoipa::path(
    post,
    path = "/v1/shadow/propose",
    request_body = ProposeInput,
    responses((status = 200, body = ProposeOutput), (status = 400, description = "`invalid_request`"))
)]
pub(crate) async fn handle(mut call: Call) -> Reply {
    let input: ProposeInput = call.optional_body().await?;
    ok(&call.gate().propose_policies(&call.caller, input).await?)
}
