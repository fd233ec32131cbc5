//! Marks groups of would-blocks as reviewed.

use gate::shadow::{ReviewInput, Reviewed};
use serde::Serialize;

use crate::call::{Call, ok};
use crate::problem::Reply;

/// What was reviewed.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ReviewedAnswer {
    /// It.
    reviewed: Reviewed,
}

/// Marks groups of would-blocks as reviewed: somebody has looked, and they are to be blocked.
#[utoipa::path(
    post,
    path = "/v1/shadow/review",
    request_body = ReviewInput,
    responses((status = 200, body = ReviewedAnswer), (status = 400, description = "`invalid_request`"))
)]
pub(crate) async fn handle(mut call: Call) -> Reply {
    let input: ReviewInput = call.body().await?;
    ok(&ReviewedAnswer { reviewed: call.gate().review_would_blocks(&call.caller, input).await? })
}
