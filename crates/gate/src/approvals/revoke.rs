//! Taking back a yes.

use model::approval::ApprovalStatus;
use model::event::{EventType, Stream};
use serde::{Deserialize, Serialize};
use store::rows::{ApprovalRow, RunRow, WaitRow};
use store::{Command, ObjectKind, Reads, Tx};

use super::{context, unknown};
use crate::change::{By, Facts};
use crate::wording::Wording;
use crate::{Caller, Gate, GateError, Refusal};

/// Why an approval is taken back.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RevokeApprovalInput {
    /// At most 4,000 characters.
    pub reason: Option<String>,
}

/// An approval that is taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RevokeApprovalOutput {
    /// Always true.
    pub ok: bool,
    /// Whether it was taken back before; then nothing changed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub already_revoked: bool,
}

impl Gate {
    /// Takes back an approval that was given.
    ///
    /// # Errors
    /// 404 `approval_not_found`; 400 `invalid_request`; 409 `approval_not_approved`; see
    /// [`GateError`].
    pub async fn revoke_approval(
        &self,
        caller: &Caller,
        approval_id: &str,
        input: RevokeApprovalInput,
    ) -> Result<RevokeApprovalOutput, GateError> {
        let row = self.stored_approval(caller, approval_id).await?;
        let mut wording = Wording::new();
        let reason = wording.reason(input.reason.as_deref());
        let reason = self.told(caller, reason).await?;
        let contains_secrets = wording.contains_secrets();
        let revoked = self
            .submit(caller, None, |caller| {
                Ok(RevokeApproval { by: By::of(caller), given: row.clone(), reason: reason.clone(), contains_secrets })
            })
            .await?;
        Ok(revoked.value)
    }
}

struct RevokeApproval {
    by: By,
    /// The approval as it was when the command was made; only what never changes is used of it.
    given: ApprovalRow,
    reason: Option<String>,
    contains_secrets: bool,
}

impl Command for RevokeApproval {
    type Output = RevokeApprovalOutput;
    type Refusal = Refusal;

    fn reads(&self, reads: &mut Reads) {
        self.by.moves_policy(reads);
        reads.stream(Stream::of(&self.by.workspace_id, self.given.room_id.as_ref()));
        reads.row::<ApprovalRow>(&[self.given.approval_id.as_str()]);
        if let Some(run) = &self.given.run_id {
            // Whether the run waits is settled by whoever holds its row.
            reads.row::<RunRow>(&[run.as_str()]);
            reads.row::<WaitRow>(&[run.as_str()]);
        }
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<RevokeApprovalOutput, Refusal> {
        let id = &self.given.approval_id;
        let row = tx.get::<ApprovalRow>(&[id.as_str()]).cloned().ok_or_else(unknown)?;
        match row.status {
            ApprovalStatus::Approved => {}
            ApprovalStatus::Revoked => return Ok(RevokeApprovalOutput { ok: true, already_revoked: true }),
            ApprovalStatus::Pending | ApprovalStatus::Held | ApprovalStatus::Denied | ApprovalStatus::Expired => {
                return Err(Refusal::conflict("approval_not_approved", "only a yes can be taken back"));
            }
        }
        let draft = Facts::new()
            .with("approval_id", id)
            .maybe("reason", self.reason.as_ref())
            .draft(EventType::ApprovalRevoked)
            .caused_by(Some(row.last_event_id.clone()));
        tx.append(&context(&self.by, &row, self.contains_secrets), draft);
        self.by.changed(tx, Some(&self.by.workspace_id), ObjectKind::Approval, id.as_str());
        Ok(RevokeApprovalOutput { ok: true, already_revoked: false })
    }
}
