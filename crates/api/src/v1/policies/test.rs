//! Runs the tests beside a policy set. Changes nothing.

use gate::policies::{TestInput, TestReport};
use serde::Serialize;

use crate::call::{Call, ok};
use crate::problem::Reply;

/// What the tests found.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct TestAnswer {
    /// It.
    report: TestReport,
}

/// Runs the tests (`*.test.toml`) of the files sent, or of the set that holds when none are.
#[utoipa::path(
    post,
    path = "/v1/policies/test",
    request_body = TestInput,
    responses(
        (status = 200, body = TestAnswer),
        (status = 404, description = "`policy_set_not_found`"),
        (status = 413, description = "`payload_too_large`: over 12 MiB"),
        (status = 422, description = "`invalid_policy` with `problems`"),
    )
)]
pub(crate) async fn handle(mut call: Call) -> Reply {
    let input: TestInput = call.policy_body().await?;
    ok(&TestAnswer { report: call.gate().test_policies(&call.caller, input).await? })
}
