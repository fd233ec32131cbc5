//! Approvals: asked for, decided, taken back, expired.
//!
//! A yes is what a decision rests on, so giving or ending one moves the policy head. Who asked
//! never decides.

mod decide;
mod request;
mod revoke;
mod scope;
mod sweep;
mod wait;

use model::ApprovalId;
use model::event::EventContext;
use store::rows::ApprovalRow;

use crate::change::By;
use crate::{Caller, Gate, GateError, Refusal};

pub use decide::{DecideApprovalInput, DecideApprovalOutput};
pub use request::{RequestApprovalInput, RequestApprovalOutput};
pub use revoke::{RevokeApprovalInput, RevokeApprovalOutput};
pub use sweep::Swept;
pub(crate) use wait::Waits;

/// The member of an approval's `request` that says for how many seconds a yes is to hold.
pub(crate) const VALID_FOR: &str = "valid_for_s";

fn unknown() -> Refusal {
    Refusal::not_found("approval_not_found", "there is no such approval")
}

/// The context of what happens to an approval: where it was asked for, what it was asked for.
fn context(by: &By, row: &ApprovalRow, contains_secrets: bool) -> EventContext {
    EventContext {
        room_id: row.room_id.clone(),
        run_id: row.run_id.clone(),
        step_id: row.step_id.clone(),
        correlation_id: row.correlation_id.clone(),
        ..by.context(contains_secrets)
    }
}

impl Gate {
    /// The approval as it is stored now: its room names the stream of what happens to it and never
    /// changes; what does change is read again when the change is settled.
    async fn stored_approval(&self, caller: &Caller, id: &str) -> Result<ApprovalRow, GateError> {
        let row = match ApprovalId::parse(id) {
            Ok(id) => self.store().approval(&caller.workspace_id, &id).await?,
            Err(_) => None,
        };
        self.told(caller, row.ok_or_else(unknown)).await
    }
}
