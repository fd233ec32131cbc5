//! Revoking a principal: final, and at once on every replica.

use model::PrincipalId;
use model::event::EventType;
use serde::{Deserialize, Serialize};
use store::rows::PrincipalRow;
use store::{Command, ObjectKind, Reads, Tx};

use crate::change::{By, Facts};
use crate::{Caller, Gate, GateError, Refusal};

/// A principal that is revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RevokePrincipalOutput {
    /// Always true.
    pub ok: bool,
    /// Whether it was revoked before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub already_revoked: bool,
}

impl Gate {
    /// Revokes a principal. Whatever asks as it from then on is denied, and its keys and tokens let
    /// nobody in.
    ///
    /// # Errors
    /// 404 `principal_not_found`; 403 `forbidden` for a principal of all workspaces when the key is
    /// for one; see [`GateError`].
    pub async fn revoke_principal(
        &self,
        caller: &Caller,
        principal_id: &str,
    ) -> Result<RevokePrincipalOutput, GateError> {
        let principal_id = self.told(caller, PrincipalId::parse(principal_id).map_err(|_| unknown())).await?;
        let revoked = self
            .submit(caller, None, |caller| {
                Ok(RevokePrincipal { by: By::of(caller), principal_id: principal_id.clone() })
            })
            .await?;
        Ok(revoked.value)
    }
}

fn unknown() -> Refusal {
    Refusal::not_found("principal_not_found", "there is no such principal")
}

struct RevokePrincipal {
    by: By,
    principal_id: PrincipalId,
}

impl Command for RevokePrincipal {
    type Output = RevokePrincipalOutput;
    type Refusal = Refusal;

    fn reads(&self, reads: &mut Reads) {
        self.by.moves_any_policy(reads);
        reads.row::<PrincipalRow>(&[self.principal_id.as_str()]);
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<RevokePrincipalOutput, Refusal> {
        let row = tx.get::<PrincipalRow>(&[self.principal_id.as_str()]);
        let mut row = row.filter(|row| self.by.sees(row.workspace_id.as_ref())).cloned().ok_or_else(unknown)?;
        self.by.may_change(row.workspace_id.as_ref())?;
        if row.revoked_at.is_some() {
            return Ok(RevokePrincipalOutput { ok: true, already_revoked: true });
        }
        row.revoked_at = Some(tx.now());
        tx.put(row.clone());
        Facts::new()
            .with("principal_id", &row.principal_id)
            .with("principal_type", row.principal_type)
            .with("revoked_at", row.revoked_at)
            .record(tx, &self.by.context(false), EventType::PrincipalRevoked);
        self.by.changed(tx, row.workspace_id.as_ref(), ObjectKind::Principal, row.principal_id.as_str());
        Ok(RevokePrincipalOutput { ok: true, already_revoked: false })
    }
}
