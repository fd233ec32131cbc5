//! The fence around a run: while a worker has it, only that worker writes into it.
//!
//! Checked in the batch, under the lock of the lease: a worker that comes back after its lease is
//! over, or after somebody else took the run, changes nothing.

use model::{ClaimToken, RunId};
use store::rows::{LeaseRow, RunRow};
use store::{Reads, Tx};

use crate::Refusal;

/// What is shown to write into a run.
#[derive(Debug, Clone)]
pub struct Fence {
    run_id: RunId,
    token: Option<ClaimToken>,
}

impl Fence {
    /// The fence of a run, and the claim token shown.
    #[must_use]
    pub fn new(run_id: RunId, token: Option<ClaimToken>) -> Self {
        Self { run_id, token }
    }

    /// The same, from what a caller sent. Text that is no token is a token that does not match.
    #[must_use]
    pub fn shown(run_id: RunId, token: Option<&str>) -> Self {
        let token = token.map(|text| ClaimToken::parse(text).unwrap_or_else(|_| ClaimToken::new()));
        Self { run_id, token }
    }

    /// The run.
    #[must_use]
    pub fn run_id(&self) -> &RunId {
        &self.run_id
    }

    /// Declares what [`Self::check`] looks at.
    pub fn reads(&self, reads: &mut Reads) {
        reads.row::<RunRow>(&[self.run_id.as_str()]);
        reads.row::<LeaseRow>(&[self.run_id.as_str()]);
    }

    /// Whether whoever shows the token may write now.
    ///
    /// # Errors
    /// 409 `lease_token_mismatch`, `lease_expired`.
    pub fn check(&self, tx: &Tx<'_>) -> Result<(), Refusal> {
        let lease = tx.get::<LeaseRow>(&[self.run_id.as_str()]);
        match (lease, &self.token) {
            (None, None) => Ok(()),
            (Some(lease), Some(token)) if lease.claim_token == *token => {
                if lease.lease_expires_at <= tx.now() {
                    return Err(Refusal::conflict("lease_expired", "the lease is over: claim the run again"));
                }
                Ok(())
            }
            (Some(_), None) => Err(mismatch("a worker has the run: only with its `claim_token`")),
            (Some(_), Some(_)) => Err(mismatch("another worker has the run now")),
            (None, Some(_)) => Err(mismatch("no worker has the run now")),
        }
    }
}

fn mismatch(detail: &str) -> Refusal {
    Refusal::conflict("lease_token_mismatch", detail).at("/claim_token")
}
