//! How often a narrowed token may still be used: counted where the decision is recorded, so exact under
//! any concurrency and on any number of replicas.
//!
//! Only an allow is a use. What is denied, or has to be approved first, takes none. A counter belongs to
//! one link of a token's chain, so all tokens that were narrowed further from there share it.

use std::sync::Arc;

use model::{Decision, Time, TokenId, WorkspaceId};
use store::rows::CapabilityUseRow;
use store::{Reads, Tx};

use crate::ruling::Ruling;
use crate::{Gate, GateError};

/// One caveat that counts.
pub(crate) struct Counter {
    /// A keyed digest of the chain up to the caveat.
    pub(crate) chain: String,
    pub(crate) token_id: TokenId,
    /// How many asks may be allowed.
    pub(crate) uses: u64,
    /// From when on nothing can be counted here any more.
    pub(crate) ends_at: Option<Time>,
}

impl Counter {
    fn is_used_up(&self, row: Option<&CapabilityUseRow>) -> bool {
        taken(row) >= self.uses
    }
}

fn taken(row: Option<&CapabilityUseRow>) -> u64 {
    // A count that is none cannot be ours: nothing is left.
    row.map_or(0, |row| u64::try_from(row.taken).unwrap_or(u64::MAX))
}

/// Declares what [`used_up`] and [`take`] look at.
pub(crate) fn reads(reads: &mut Reads, workspace: &WorkspaceId, counters: &[Counter]) {
    for counter in counters {
        reads.row::<CapabilityUseRow>(&[workspace.as_str(), &counter.chain]);
    }
}

/// The uses of the first counter that has none left.
pub(crate) fn used_up(tx: &Tx<'_>, workspace: &WorkspaceId, counters: &[Counter]) -> Option<u64> {
    let row = |counter: &Counter| tx.get::<CapabilityUseRow>(&[workspace.as_str(), &counter.chain]);
    counters.iter().find(|counter| counter.is_used_up(row(counter))).map(|counter| counter.uses)
}

/// Takes one use of every counter.
pub(crate) fn take(tx: &mut Tx<'_>, workspace: &WorkspaceId, counters: &[Counter]) {
    for counter in counters {
        let so_far = taken(tx.get::<CapabilityUseRow>(&[workspace.as_str(), &counter.chain]));
        tx.put(CapabilityUseRow {
            workspace_id: workspace.clone(),
            chain: counter.chain.clone(),
            token_id: counter.token_id.clone(),
            taken: i64::try_from(so_far.saturating_add(1)).unwrap_or(i64::MAX),
            ends_at: counter.ends_at,
        });
    }
}

impl Gate {
    /// Denies when the uses are used up, for an answer that no batch checks. Takes none.
    pub(crate) async fn verify_uses(&self, ruling: &mut Ruling) -> Result<(), GateError> {
        if ruling.decision.outcome != model::Outcome::Allow {
            return Ok(());
        }
        for counter in ruling.uses.iter() {
            let row = self.store().capability_uses(&ruling.ask.workspace_id, &counter.chain).await?;
            if counter.is_used_up(row.as_ref()) {
                ruling.decision = Arc::new(Decision::clone(&ruling.decision).deny_by_uses(counter.uses));
                return Ok(());
            }
        }
        Ok(())
    }
}
