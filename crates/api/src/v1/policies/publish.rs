//! Publishes a policy set: the whole of it, over the version that the publisher has seen.

use gate::policies::{PublishInput, Published};
use serde::Serialize;

use crate::call::{Call, ok_version};
use crate::problem::Reply;

/// What holds now.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct PublishedAnswer {
    /// It.
    pub(crate) policy_set: Published,
}

/// Publishes a policy set: the whole of it, in place of the version named by `If-Match`. Its tests are run
/// first. Holds on every replica for every decision after the answer.
#[utoipa::path(
    put,
    path = "/v1/policies",
    params(("if-match" = Option<String>, Header,
        description = "The version that is replaced, as the `etag` of `GET /v1/policies` has it; `*` = whichever. Needed once there is one")),
    request_body = PublishInput,
    responses(
        (status = 200, body = PublishedAnswer),
        (status = 409, description = "`policy_set_managed`: the set comes from a folder"),
        (status = 412, description = "`policy_version_mismatch`, with the `version` that holds"),
        (status = 413, description = "`payload_too_large`: over 12 MiB"),
        (status = 422, description = "`invalid_policy` with `problems`, `policy_tests_failed` with `results`"),
        (status = 428, description = "`precondition_required`"),
    )
)]
pub(crate) async fn handle(mut call: Call) -> Reply {
    let expect = call.expected_version()?;
    let input: PublishInput = call.policy_body().await?;
    let policy_set = call.gate().publish_policies(&call.caller, input, expect).await?;
    let version = policy_set.version;
    ok_version(&PublishedAnswer { policy_set }, version)
}
