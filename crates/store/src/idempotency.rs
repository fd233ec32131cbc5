//! Idempotency keys: the first answer again, in the same transaction as what it answers.

use std::time::Duration;

use model::{Canonical, KeyId, WorkspaceId};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::command::{Command, Reads};
use crate::rows::IdempotencyRow;
use crate::tx::Tx;

/// How long an answer is kept.
const KEPT: Duration = Duration::from_secs(24 * 3_600);

/// What identifies a request that may be sent again.
#[derive(Debug, Clone)]
pub struct IdempotencyKey {
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The key that sent it.
    pub key_id: KeyId,
    /// Method and route.
    pub route: String,
    /// What the caller chose.
    pub key: String,
    /// A digest of the body.
    pub body_digest: String,
}

/// An answer, and whether it was given before.
#[derive(Debug)]
pub struct Answer<T> {
    /// The answer.
    pub value: T,
    /// Whether this is the first answer again.
    pub replayed: bool,
}

/// Why a request under an idempotency key was refused.
#[derive(Debug, Clone, thiserror::Error)]
pub enum IdempotentRefusal<R> {
    /// The key was used for another body.
    #[error("the idempotency key was used for another request")]
    Reused,
    /// The command refused.
    #[error("refused")]
    Refused(R),
}

/// A command whose answer is kept under an idempotency key, when there is one.
pub(crate) struct Idempotent<C> {
    pub(crate) command: C,
    pub(crate) key: Option<IdempotencyKey>,
}

impl<C> Command for Idempotent<C>
where
    C: Command,
    C::Output: Serialize + DeserializeOwned,
{
    type Output = Answer<C::Output>;
    type Refusal = IdempotentRefusal<C::Refusal>;

    fn reads(&self, reads: &mut Reads) {
        self.command.reads(reads);
        if let Some(key) = &self.key {
            reads.row::<IdempotencyRow>(&[key.workspace_id.as_str(), key.key_id.as_str(), &key.route, &key.key]);
        }
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<Self::Output, Self::Refusal> {
        let Some(key) = &self.key else {
            let value = self.command.settle(tx).map_err(IdempotentRefusal::Refused)?;
            return Ok(Answer { value, replayed: false });
        };
        let now = tx.now();
        let stored = tx.get::<IdempotencyRow>(&[key.workspace_id.as_str(), key.key_id.as_str(), &key.route, &key.key]);
        if let Some(row) = stored.filter(|row| row.expires_at > now) {
            if row.body_digest != key.body_digest {
                return Err(IdempotentRefusal::Reused);
            }
            if let Ok(value) = serde_json::from_str(row.answer.as_str()) {
                return Ok(Answer { value, replayed: true });
            }
        }
        let value = self.command.settle(tx).map_err(IdempotentRefusal::Refused)?;
        tx.put(IdempotencyRow {
            workspace_id: key.workspace_id.clone(),
            key_id: key.key_id.clone(),
            route: key.route.clone(),
            idempotency_key: key.key.clone(),
            body_digest: key.body_digest.clone(),
            answer: Canonical::of(&value).unwrap_or_else(|_| Canonical::empty()),
            expires_at: now.plus(KEPT),
        });
        Ok(Answer { value, replayed: false })
    }
}
