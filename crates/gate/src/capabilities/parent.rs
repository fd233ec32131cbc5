//! The token that another is delegated from: whether it may be, by whom, and how much of it.

use model::{PrincipalId, Time, TokenId, TokenScopes, WorkspaceId};
use policy::Snapshot;
use serde::{Deserialize, Serialize};
use store::Tx;
use store::rows::TokenRow;

use crate::Refusal;

/// How far below a root a token may be.
pub(super) const DEPTH_MAX: usize = 3;

/// LIMIT: the most ancestors looked at; more than can be made here.
const ANCESTORS_MAX: usize = 8;

/// Why a delegation was refused although its parent exists. It is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Denied {
    ParentTokenRevoked,
    ParentTokenExpired,
    ParentTokenGrantorMismatch,
    DelegationDepthExceeded,
}

impl Denied {
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::ParentTokenRevoked => "parent_token_revoked",
            Self::ParentTokenExpired => "parent_token_expired",
            Self::ParentTokenGrantorMismatch => "parent_token_grantor_mismatch",
            Self::DelegationDepthExceeded => "delegation_depth_exceeded",
        }
    }

    pub(super) fn refusal(self) -> Refusal {
        match self {
            Self::ParentTokenRevoked => Refusal::invalid(self.code(), "the parent, or one above it, has been revoked"),
            Self::ParentTokenExpired => Refusal::invalid(self.code(), "the parent, or one above it, has expired"),
            Self::ParentTokenGrantorMismatch => {
                Refusal::forbidden(self.code(), "only the principal that holds the parent can delegate it")
            }
            Self::DelegationDepthExceeded => {
                Refusal::invalid(self.code(), format!("a token is at most {DEPTH_MAX} below its root"))
            }
        }
    }
}

pub(super) fn unknown() -> Refusal {
    Refusal::not_found("parent_token_not_found", "there is no such parent token").at("/parent_token_id")
}

/// The ids of a token and what it was delegated from, as the view knows them. These links never
/// change, so they may be taken from any view; what the tokens are now is read when settling.
pub(super) fn chain(snapshot: &Snapshot, workspace: &WorkspaceId, token: &TokenId) -> Vec<TokenId> {
    let mut ids = vec![token.clone()];
    let mut next = snapshot.token(workspace, token).and_then(|token| token.parent.clone());
    while let Some(id) = next.filter(|_| ids.len() < ANCESTORS_MAX) {
        next = snapshot.token(workspace, &id).and_then(|token| token.parent.clone());
        ids.push(id);
    }
    ids
}

/// What a child takes over from its parent.
pub(super) struct Inherited {
    pub(super) scopes: TokenScopes,
    pub(super) valid_until: Option<Time>,
    pub(super) depth: usize,
}

/// Whether `grantor` may delegate the first token of `chain` now.
///
/// # Errors
/// 404 when it is not there for the workspace.
pub(super) fn inherited(
    tx: &Tx<'_>,
    workspace: &WorkspaceId,
    chain: &[TokenId],
    grantor: &PrincipalId,
) -> Result<Result<Inherited, Denied>, Refusal> {
    let rows: Vec<&TokenRow> = chain
        .iter()
        .map_while(|id| tx.get::<TokenRow>(&[id.as_str()]).filter(|row| row.workspace_id == *workspace))
        .collect();
    let parent = *rows.first().ok_or_else(unknown)?;
    let now = tx.now();
    // An ancestor that is missing ends the chain as one that was revoked: nothing may rest on it.
    let broken = rows.last().is_some_and(|last| last.parent_token_id.is_some());
    Ok(if broken || rows.iter().any(|row| row.revoked_at.is_some()) {
        Err(Denied::ParentTokenRevoked)
    } else if rows.iter().any(|row| row.valid_until.is_some_and(|end| now >= end)) {
        Err(Denied::ParentTokenExpired)
    } else if parent.issued_to_principal_id != *grantor {
        Err(Denied::ParentTokenGrantorMismatch)
    } else if rows.len() > DEPTH_MAX {
        Err(Denied::DelegationDepthExceeded)
    } else {
        Ok(Inherited {
            // Scopes that cannot be read cover nothing.
            scopes: serde_json::from_str(parent.scopes.as_str()).unwrap_or_default(),
            valid_until: rows.iter().filter_map(|row| row.valid_until).min(),
            depth: rows.len(),
        })
    })
}
