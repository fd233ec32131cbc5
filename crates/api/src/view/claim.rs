//! What a claim gave.

use model::{ClaimToken, Time};
use runs::ClaimRunsOutput;
use serde_json::Value;

use super::run::Run;

/// A run that was taken.
#[derive(serde::Serialize, utoipa::ToSchema)]
pub(crate) struct ClaimedRun {
    /// The run.
    #[serde(flatten)]
    #[schema(value_type = Run)]
    run: Value,
    /// To be shown with everything that is written into the run.
    #[schema(value_type = String)]
    claim_token: ClaimToken,
    /// When the lease is over.
    #[schema(value_type = String)]
    lease_expires_at: Time,
}

/// What a worker got.
#[derive(serde::Serialize, utoipa::ToSchema)]
pub(crate) struct ClaimAnswer {
    /// Whether it got any.
    claimed: bool,
    /// The first; null when there is none.
    run: Option<ClaimedRun>,
    /// All of them.
    runs: Vec<ClaimedRun>,
}

impl From<runs::ClaimedRun> for ClaimedRun {
    fn from(taken: runs::ClaimedRun) -> Self {
        Self { run: taken.run, claim_token: taken.claim_token, lease_expires_at: taken.lease_expires_at }
    }
}

impl From<ClaimRunsOutput> for ClaimAnswer {
    fn from(output: ClaimRunsOutput) -> Self {
        Self {
            claimed: output.claimed,
            run: output.run.map(Into::into),
            runs: output.runs.into_iter().map(Into::into).collect(),
        }
    }
}
