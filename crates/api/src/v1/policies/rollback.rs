//! Makes an earlier policy set hold again, as a new version.

use gate::policies::RollbackInput;

use super::publish::PublishedAnswer;
use crate::call::{Call, ok_version};
use crate::problem::Reply;

/// Makes an earlier policy set hold again, as a new version: the one before, or a named one. Its tests are not run.
#[utoipa::path(
    post,
    path = "/v1/policies/rollback",
    params(("if-match" = Option<String>, Header, description = "The version that is left")),
    request_body = RollbackInput,
    responses(
        (status = 200, body = PublishedAnswer),
        (status = 404, description = "`policy_version_not_found`"),
        (status = 409, description = "`no_earlier_policy_version`, `policy_set_managed`"),
        (status = 412, description = "`policy_version_mismatch`, with the `version` that holds"),
        (status = 422, description = "`invalid_policy`: this version of the program cannot read that set"),
    )
)]
pub(crate) async fn handle(mut call: Call) -> Reply {
    let expect = call.expected_version()?;
    let input: RollbackInput = call.optional_body().await?;
    let policy_set = call.gate().roll_policies_back(&call.caller, input, expect).await?;
    let version = policy_set.version;
    ok_version(&PublishedAnswer { policy_set }, version)
}
