//! Keys: how programs are let in. `exk_<key id>_<secret>`, shown once, stored hashed.
//!
//! These operations work on a bare [`Store`], because the first key is made before anybody can be
//! let in.

use std::sync::Arc;

use data_encoding::{BASE32_NOPAD, HEXLOWER};
use model::event::{EventContext, EventDraft, EventType, Stream};
use model::{Actor, ActorType, Canonical, CorrelationId, KeyId, PrincipalId, Role, Time, WorkspaceId, Zone};
use secrecy::SecretString;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use store::rows::{KeyRow, PrincipalRow};
use store::{Command, INSTALL, ObjectKind, Reads, Store, Tx};
use subtle::ConstantTimeEq as _;

use crate::secret::random;
use crate::submit::plain_error;
use crate::{GateError, Refusal};

const PREFIX: &str = "exk_";
/// 32 bytes in base32.
const SECRET_CHARS: usize = 52;
const KEY_ID_CHARS: usize = 24;

/// A credential as a caller shows it.
pub(crate) struct Credential<'a> {
    key_id: &'a str,
    secret: &'a str,
}

impl<'a> Credential<'a> {
    /// Reads `exk_<24 hex>_<52 base32>`; anything else is none.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let (key_id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let hex = key_id.len() == KEY_ID_CHARS && key_id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let base32 = secret.len() == SECRET_CHARS && secret.bytes().all(|b| matches!(b, b'2'..=b'7' | b'a'..=b'z'));
        (hex && base32).then_some(Self { key_id, secret })
    }

    pub(crate) fn key_id(&self) -> &str {
        self.key_id
    }

    /// Compares in constant time with a stored hash.
    pub(crate) fn matches(&self, stored: &str) -> bool {
        hash(self.secret).as_bytes().ct_eq(stored.as_bytes()).into()
    }
}

fn hash(secret: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(secret.as_bytes()))
}

/// Whether a key lets anybody in at `now`.
pub(crate) fn is_live(key: &KeyRow, now: Time) -> bool {
    key.revoked_at.is_none() && key.expires_at.is_none_or(|at| at > now)
}

/// A key to be made.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// The workspace it is for; `None` = all.
    pub workspace_id: Option<WorkspaceId>,
    /// What it is for.
    pub role: Role,
    /// Whose it is; a principal is made when none is named.
    pub principal_id: Option<PrincipalId>,
    /// The first moment it is no longer good.
    pub expires_at: Option<Time>,
}

/// A key that was made. Its text is not stored and cannot be shown again.
#[derive(Debug)]
pub struct CreatedKey {
    /// Its public part.
    pub key_id: KeyId,
    /// The whole text, to be shown once.
    pub key: SecretString,
    /// What it is for.
    pub role: Role,
    /// The workspace it is for; `None` = all.
    pub workspace_id: Option<WorkspaceId>,
    /// Whose it is.
    pub principal_id: PrincipalId,
}

/// Makes a key. The events `principal.created` (when one is made) and `key.created` go to the
/// workspace's stream; for a key of all workspaces to the stream of the workspace `*`.
///
/// A key of all workspaces can only be a principal's that exists in all.
///
/// # Errors
/// 400 `invalid_request` for the workspace `*`; 404 `principal_not_found`; 409 `principal_revoked`.
pub async fn create_key(store: &Store, new: NewKey) -> Result<CreatedKey, GateError> {
    if new.workspace_id.as_ref().is_some_and(|id| id.as_str() == INSTALL) {
        return Err(Refusal::invalid_field("/workspace_id", "`*` is not a workspace").into());
    }
    let bytes =
        zeroize::Zeroizing::new(random().map_err(|e| GateError::Failed(store::DbError::Refused(e.to_string())))?);
    let secret = zeroize::Zeroizing::new(BASE32_NOPAD.encode(bytes.as_slice()).to_ascii_lowercase());
    let key_id = KeyId::new();
    let command = CreateKey { key_id: key_id.clone(), key_hash: hash(&secret), new: new.clone() };
    let principal_id = store.submit(command).await.map_err(plain_error)?.into_inner();
    Ok(CreatedKey {
        key: SecretString::from(format!("{PREFIX}{key_id}_{}", secret.as_str())),
        key_id,
        role: new.role,
        workspace_id: new.workspace_id,
        principal_id,
    })
}

/// Ends a key at once, on every replica. Gives whether it was revoked before.
///
/// # Errors
/// 404 `key_not_found`.
pub async fn revoke_key(store: &Store, key_id: &KeyId) -> Result<bool, GateError> {
    let view: Arc<store::View> = store.learn_key(key_id.as_str()).await?;
    let scope = view
        .key(key_id.as_str())
        .map(|key| scope_of(key.workspace_id.as_ref()))
        .ok_or_else(|| Refusal::not_found("key_not_found", "there is no such key"))?;
    let command = RevokeKey { key_id: key_id.clone(), scope };
    Ok(store.submit(command).await.map_err(plain_error)?.into_inner())
}

/// The workspace, or `*`, whose stream and policy head a key belongs to.
fn scope_of(workspace: Option<&WorkspaceId>) -> WorkspaceId {
    workspace.cloned().unwrap_or_else(|| WorkspaceId::from_stored(INSTALL.to_owned()))
}

fn context(scope: &WorkspaceId, principal: &PrincipalId) -> EventContext {
    EventContext {
        workspace_id: scope.clone(),
        room_id: None,
        thread_id: None,
        run_id: None,
        step_id: None,
        actor: Actor::new(ActorType::Service, "keys"),
        principal_id: Some(principal.clone()),
        zone: Zone::Supervised,
        correlation_id: CorrelationId::new(),
        policy_context: Canonical::empty(),
        model_context: Canonical::empty(),
        contains_secrets: false,
    }
}

struct CreateKey {
    key_id: KeyId,
    key_hash: String,
    new: NewKey,
}

impl Command for CreateKey {
    type Output = PrincipalId;
    type Refusal = Refusal;

    fn reads(&self, reads: &mut Reads) {
        let scope = scope_of(self.new.workspace_id.as_ref());
        reads.stream(Stream::of(&scope, None));
        reads.moves_head(scope.as_str());
        reads.row::<KeyRow>(&[self.key_id.as_str()]);
        if let Some(id) = &self.new.principal_id {
            reads.row::<PrincipalRow>(&[id.as_str()]);
        }
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<PrincipalId, Refusal> {
        let scope = scope_of(self.new.workspace_id.as_ref());
        let now = tx.now();
        let mut cause = None;
        let principal_id = match &self.new.principal_id {
            Some(id) => known_principal(tx, id, self.new.workspace_id.as_ref())?,
            None => {
                let id = PrincipalId::new();
                let principal_type = match self.new.role {
                    Role::Owner | Role::Operator | Role::Approver | Role::Auditor => ActorType::User,
                    Role::Gateway | Role::Agent | Role::Worker => ActorType::Service,
                };
                tx.put(PrincipalRow {
                    principal_id: id.clone(),
                    workspace_id: self.new.workspace_id.clone(),
                    principal_type,
                    legacy_actor_type: None,
                    legacy_actor_id: None,
                    created_at: now,
                    revoked_at: None,
                });
                tx.policy_changed(scope.as_str(), ObjectKind::Principal, id.as_str());
                let data = json!({"principal_id": id, "principal_type": principal_type});
                cause = Some(
                    tx.append(&context(&scope, &id), EventDraft::new(EventType::PrincipalCreated, (&data).into())),
                );
                id
            }
        };
        tx.put(KeyRow {
            key_id: self.key_id.clone(),
            key_hash: self.key_hash.clone(),
            workspace_id: self.new.workspace_id.clone(),
            role: self.new.role,
            principal_id: principal_id.clone(),
            created_at: now,
            expires_at: self.new.expires_at,
            revoked_at: None,
        });
        tx.policy_changed(scope.as_str(), ObjectKind::Key, self.key_id.as_str());
        let mut data = json!({"key_id": self.key_id, "role": self.new.role, "principal_id": principal_id});
        if let (Some(members), Some(at)) = (data.as_object_mut(), self.new.expires_at) {
            members.insert("expires_at".to_owned(), json!(at));
        }
        let draft = EventDraft::new(EventType::KeyCreated, (&data).into()).caused_by(cause);
        tx.append(&context(&scope, &principal_id), draft);
        Ok(principal_id)
    }
}

fn known_principal(tx: &Tx<'_>, id: &PrincipalId, workspace: Option<&WorkspaceId>) -> Result<PrincipalId, Refusal> {
    let row = tx
        .get::<PrincipalRow>(&[id.as_str()])
        .filter(|row| row.workspace_id.is_none() || row.workspace_id.as_ref() == workspace)
        .ok_or_else(|| Refusal::not_found("principal_not_found", "there is no such principal where the key is for"))?;
    if row.revoked_at.is_some() {
        return Err(Refusal::conflict("principal_revoked", "the principal has been revoked"));
    }
    Ok(row.principal_id.clone())
}

struct RevokeKey {
    key_id: KeyId,
    scope: WorkspaceId,
}

impl Command for RevokeKey {
    type Output = bool;
    type Refusal = Refusal;

    fn reads(&self, reads: &mut Reads) {
        reads.stream(Stream::of(&self.scope, None));
        reads.moves_head(self.scope.as_str());
        reads.row::<KeyRow>(&[self.key_id.as_str()]);
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<bool, Refusal> {
        let Some(mut row) = tx.get::<KeyRow>(&[self.key_id.as_str()]).cloned() else {
            return Err(Refusal::not_found("key_not_found", "there is no such key"));
        };
        if row.revoked_at.is_some() {
            return Ok(true);
        }
        let now = tx.now();
        let principal = row.principal_id.clone();
        row.revoked_at = Some(now);
        tx.put(row);
        tx.policy_changed(self.scope.as_str(), ObjectKind::Key, self.key_id.as_str());
        let data = json!({"key_id": self.key_id, "revoked_at": now});
        tx.append(&context(&self.scope, &principal), EventDraft::new(EventType::KeyRevoked, (&data).into()));
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_only_whole_credentials() {
        let id = "0123456789abcdef01234567";
        let secret = "a".repeat(52);
        let good = format!("exk_{id}_{secret}");
        let read = Credential::parse(&good).unwrap();
        assert_eq!(read.key_id(), id);
        assert!(read.matches(&hash(&secret)));
        assert!(!read.matches(""));
        assert!(!read.matches(&hash("other")));
        for bad in [
            "",
            "exk_",
            &format!("exk_{id}"),
            &format!("exk_{id}_"),
            &format!("EXK_{id}_{secret}"),
            &format!("exk_{}_{secret}", id.to_uppercase()),
            &format!("exk_{id}_{}", secret.to_uppercase()),
            &format!("exk_{id}_{secret}a"),
            &format!(" {good}"),
            &format!("{good} "),
        ] {
            assert!(Credential::parse(bad).is_none(), "{bad}");
        }
    }
}
