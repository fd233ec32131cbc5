//! One run. An agent sees its own only.

use crate::call::{Call, ok};
use crate::problem::Reply;
use crate::view::RunAnswer;

/// One run. An agent sees its own only.
#[utoipa::path(
    get,
    path = "/v1/runs/{id}",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, body = RunAnswer), (status = 404, description = "`run_not_found`"))
)]
pub(crate) async fn handle(call: Call) -> Reply {
    ok(&RunAnswer::from(super::seen(&call).await?))
}
