//! Revoking a token, and with it everything delegated from it.

use model::TokenId;
use model::event::EventType;
use serde::{Deserialize, Serialize};
use store::rows::TokenRow;
use store::{Command, ObjectKind, Reads, Tx};

use crate::change::{By, Facts};
use crate::wording::Wording;
use crate::{Caller, Gate, GateError, Refusal};

/// A token to be revoked.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RevokeCapabilityInput {
    /// The token.
    pub token_id: Option<String>,
    /// Why, at most 4,000 characters.
    pub reason: Option<String>,
}

/// A token that is revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RevokeCapabilityOutput {
    /// Always true.
    pub ok: bool,
    /// Whether it was revoked before; then nothing changed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub already_revoked: bool,
}

impl Gate {
    /// Revokes a token of the caller's workspace.
    ///
    /// # Errors
    /// 400 `token_id_required`, `invalid_request`; 404 `token_not_found`; see [`GateError`].
    pub async fn revoke_capability(
        &self,
        caller: &Caller,
        input: RevokeCapabilityInput,
    ) -> Result<RevokeCapabilityOutput, GateError> {
        let mut wording = Wording::new();
        let read = read(&input, &mut wording);
        let (token_id, reason) = self.told(caller, read).await?;
        let contains_secrets = wording.contains_secrets();
        let revoked = self
            .submit(caller, None, |caller| {
                Ok(RevokeCapability {
                    by: By::of(caller),
                    token_id: token_id.clone(),
                    reason: reason.clone(),
                    contains_secrets,
                })
            })
            .await?;
        Ok(revoked.value)
    }
}

fn unknown() -> Refusal {
    Refusal::not_found("token_not_found", "there is no such token")
}

fn read(input: &RevokeCapabilityInput, wording: &mut Wording) -> Result<(TokenId, Option<String>), Refusal> {
    let text = input.token_id.as_deref().map(str::trim).unwrap_or_default();
    if text.is_empty() {
        return Err(Refusal::invalid("token_id_required", "a token id is required").at("/token_id"));
    }
    let reason = wording.reason(input.reason.as_deref())?;
    Ok((TokenId::parse(text).map_err(|_| unknown())?, reason))
}

struct RevokeCapability {
    by: By,
    token_id: TokenId,
    reason: Option<String>,
    contains_secrets: bool,
}

impl Command for RevokeCapability {
    type Output = RevokeCapabilityOutput;
    type Refusal = Refusal;

    fn reads(&self, reads: &mut Reads) {
        self.by.moves_policy(reads);
        reads.row::<TokenRow>(&[self.token_id.as_str()]);
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<RevokeCapabilityOutput, Refusal> {
        let row = tx.get::<TokenRow>(&[self.token_id.as_str()]);
        let mut row = row.filter(|row| row.workspace_id == self.by.workspace_id).cloned().ok_or_else(unknown)?;
        if row.revoked_at.is_some() {
            return Ok(RevokeCapabilityOutput { ok: true, already_revoked: true });
        }
        row.revoked_at = Some(tx.now());
        tx.put(row.clone());
        Facts::new()
            .with("token_id", &row.token_id)
            .with("issued_to_principal_id", &row.issued_to_principal_id)
            .with("revoked_at", row.revoked_at)
            .maybe("reason", self.reason.as_ref())
            .record(tx, &self.by.context(self.contains_secrets), EventType::CapabilityRevoked);
        self.by.changed(tx, Some(&self.by.workspace_id), ObjectKind::Token, row.token_id.as_str());
        Ok(RevokeCapabilityOutput { ok: true, already_revoked: false })
    }
}
