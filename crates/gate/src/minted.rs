//! Credentials for the proxy only: short-lived, made for one principal and, when it is wanted, one run.
//!
//! `exp1.<what it says>.<seal>`. Nothing of it is stored; the seal is keyed by the install secret, so
//! whoever has the database has no credential. A program that is given one can ask to leave and nothing
//! else: the HTTP API does not take it. It ends by the clock, and with the key it was made with, its
//! principal, and its run.
//!
//! Who is let in by a capability token makes none: the token's caveats would be lost. It can be shown to
//! the proxy itself.

use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use model::{ActorType, KeyId, PrincipalId, Role, RunId, StepId, Time, WorkspaceId};
use policy::Snapshot;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use store::View;
use subtle::ConstantTimeEq as _;

use crate::caller::Standing;
use crate::key::is_live;
use crate::wording::Wording;
use crate::{AuthError, Caller, Gate, GateError, Place, Refusal, clock};

/// What a credential begins with.
const PREFIX: &str = "exp1.";
/// Keeps its seals apart from everything else that is keyed.
const DOMAIN: &str = "proxy-credential";
/// LIMIT: the longest text that is looked at, in bytes.
const TEXT_MAX: usize = 2_048;
/// How long one is good when nobody says.
const DEFAULT: Duration = Duration::from_secs(8 * 3_600);
/// LIMIT: how long one can be good.
const MAX: Duration = Duration::from_secs(24 * 3_600);

/// A credential to be made.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewProxyCredential {
    /// Whom it is for; the caller's own principal when left out. Agents make them for themselves only.
    pub principal_id: Option<String>,
    /// The run that everything asked with it is part of; it ends with the run. Not for agents.
    pub run_id: Option<String>,
    /// The step of that run.
    pub step_id: Option<String>,
    /// How long it is good, in whole seconds: 1 to 86,400; 28,800 when left out.
    pub expires_in_s: Option<u64>,
    /// Whether it is for a confined command: then everything asked with it is enforced, whatever the mode of the
    /// workspace.
    #[serde(default)]
    pub confined: bool,
}

/// A credential that was made. Its text is kept nowhere and cannot be shown again.
#[derive(Debug)]
pub struct ProxyCredential {
    /// The whole text, to be shown once: the password of `Proxy-Authorization`, or behind `Bearer`.
    pub credential: SecretString,
    /// The first moment it is no longer good.
    pub expires_at: Time,
    /// Whom it is for.
    pub principal_id: PrincipalId,
    /// The run that it is for.
    pub run_id: Option<RunId>,
}

/// What a credential says.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Minted {
    #[serde(rename = "w")]
    workspace_id: WorkspaceId,
    #[serde(rename = "p")]
    principal_id: PrincipalId,
    /// The key it was made with; none when a part of this program made it.
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    key_id: Option<KeyId>,
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub(crate) run_id: Option<RunId>,
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    step_id: Option<StepId>,
    /// Milliseconds since 1970.
    #[serde(rename = "e")]
    expires_at: i64,
    /// For a confined command.
    #[serde(rename = "c", default, skip_serializing_if = "std::ops::Not::not")]
    confined: bool,
}

impl Minted {
    /// Whether it is good, as far as a view can tell. Its run is asked for by [`Gate::goes_on`].
    pub(crate) fn lives(&self, view: &View, now: Time) -> bool {
        let key = match &self.key_id {
            None => true,
            Some(id) => view.key(id.as_str()).is_some_and(|key| {
                is_live(key, now) && key.workspace_id.as_ref().is_none_or(|own| *own == self.workspace_id)
            }),
        };
        key && now.as_millis() < self.expires_at && is_good(&view.snapshot, &self.workspace_id, &self.principal_id)
    }
}

/// Whether a principal is there and neither it nor its agent is revoked.
fn is_good(snapshot: &Snapshot, workspace: &WorkspaceId, id: &PrincipalId) -> bool {
    let Some(principal) = snapshot.principal(workspace, id) else { return false };
    let agent = snapshot.agent_of_principal(workspace, id);
    principal.revoked_at.is_none() && agent.is_none_or(|agent| agent.revoked_at.is_none())
}

fn not_permitted(field: &str) -> Refusal {
    Refusal::forbidden("identity_not_permitted", "this key makes credentials for its own principal, and for no run")
        .at(field)
}

impl Caller {
    /// Whether what it asks is enforced whatever the mode of the workspace: its credential was made for a confined
    /// command.
    #[must_use]
    pub fn is_confined(&self) -> bool {
        matches!(&self.standing, Standing::Minted(minted) if minted.confined)
    }
}

impl Gate {
    /// Makes a credential that is good for the proxy only.
    ///
    /// # Errors
    /// 400 `invalid_request`; 403 `forbidden` for roles that do not ask, and for who is let in by a
    /// capability token, `identity_not_permitted`; 404 `principal_not_found`, `run_not_found`,
    /// `step_not_found`; 409 `principal_revoked`, `run_already_ended`; see [`GateError`].
    pub async fn mint_proxy_credential(
        &self,
        caller: &Caller,
        new: NewProxyCredential,
    ) -> Result<ProxyCredential, GateError> {
        let key_id = self.told(caller, may_mint(caller)).await?;
        let trusted = caller.role.speaks_for_others();
        let lasts = self.told(caller, lasts(new.expires_in_s)).await?;
        let named = new.principal_id.as_deref().map(PrincipalId::parse).transpose();
        let named = named.map_err(|error| Refusal::invalid_field("/principal_id", error.to_string()));
        let principal_id = self.told(caller, named).await?.unwrap_or_else(|| caller.principal_id.clone());
        if !trusted && principal_id != caller.principal_id {
            return self.told(caller, Err(not_permitted("/principal_id"))).await;
        }
        if !trusted && (new.run_id.is_some() || new.step_id.is_some()) {
            return self.told(caller, Err(not_permitted("/run_id"))).await;
        }
        let view = self.view_of(&caller.workspace_id, &principal_id, None).await?;
        let found = view.snapshot.principal(&caller.workspace_id, &principal_id).is_some();
        if !found {
            let unknown = Refusal::not_found("principal_not_found", "there is no such principal").at("/principal_id");
            return self.told(caller, Err(unknown)).await;
        }
        if !is_good(&view.snapshot, &caller.workspace_id, &principal_id) {
            let revoked = Refusal::conflict("principal_revoked", "the principal was revoked").at("/principal_id");
            return self.told(caller, Err(revoked)).await;
        }
        let (run, step) = (new.run_id.as_deref(), new.step_id.as_deref());
        let place = match self.place(&caller.workspace_id, None, None, run, step, &mut Wording::new()).await {
            Err(GateError::Refused(refusal)) => return self.told(caller, Err(refusal)).await,
            place => place?,
        };
        if !self.run_goes_on(&caller.workspace_id, place.run_id.as_ref()).await? {
            let ended = Refusal::conflict("run_already_ended", "the run has ended").at("/run_id");
            return self.told(caller, Err(ended)).await;
        }
        let expires_at = clock::now().plus(lasts);
        let minted = Minted {
            workspace_id: caller.workspace_id.clone(),
            principal_id: principal_id.clone(),
            key_id,
            run_id: place.run_id.clone(),
            step_id: place.step_id,
            expires_at: expires_at.as_millis(),
            confined: new.confined,
        };
        Ok(ProxyCredential {
            credential: SecretString::from(self.text_of(&minted)),
            expires_at,
            principal_id,
            run_id: place.run_id,
        })
    }

    fn text_of(&self, minted: &Minted) -> String {
        let said = serde_json::to_vec(minted).unwrap_or_default();
        let seal = self.secret().seal(DOMAIN, &said);
        format!("{PREFIX}{}.{}", BASE64URL_NOPAD.encode(&said), BASE64URL_NOPAD.encode(&seal))
    }

    fn read(&self, text: &str) -> Option<Minted> {
        let (said, seal) = text.strip_prefix(PREFIX).filter(|_| text.len() <= TEXT_MAX)?.split_once('.')?;
        let said = BASE64URL_NOPAD.decode(said.as_bytes()).ok()?;
        let seal = BASE64URL_NOPAD.decode(seal.as_bytes()).ok()?;
        let good: bool = self.secret().seal(DOMAIN, &said).as_slice().ct_eq(&seal).into();
        if good { serde_json::from_slice(&said).ok() } else { None }
    }

    /// Lets a caller in to the proxy: by a key, by a capability token, or by a credential that was made for
    /// it; gives also what everything that it asks is part of.
    ///
    /// # Errors
    /// See [`AuthError`].
    pub async fn authenticate_proxy(&self, text: &str, request_id: &str) -> Result<(Caller, Place), AuthError> {
        if !text.starts_with(PREFIX) {
            let caller = self.authenticate(text, None, request_id).await?;
            return if caller.role.asks() { Ok((caller, Place::default())) } else { Err(AuthError::Forbidden) };
        }
        let minted = self.read(text).ok_or(AuthError::Unauthenticated)?;
        let (workspace, principal) = (&minted.workspace_id, &minted.principal_id);
        let view = self.view_of(workspace, principal, minted.key_id.as_ref()).await.map_err(AuthError::Unavailable)?;
        if !minted.lives(&view, clock::now()) {
            return Err(AuthError::Unauthenticated);
        }
        let (run, step) = (minted.run_id.as_ref(), minted.step_id.as_ref());
        let (run, step) = (run.map(RunId::as_str), step.map(StepId::as_str));
        let place = match self.place(workspace, None, None, run, step, &mut Wording::new()).await {
            Ok(place) => place,
            Err(GateError::Unavailable(error) | GateError::Failed(error)) => {
                return Err(AuthError::Unavailable(error));
            }
            Err(_) => return Err(AuthError::Unauthenticated),
        };
        let caller = Caller {
            key_id: KeyId::from_stored(format!("{PREFIX}{}", self.name_of(text))),
            role: Role::Agent,
            workspace_id: workspace.clone(),
            principal_id: principal.clone(),
            request_id: request_id.to_owned(),
            view,
            standing: Standing::Minted(Arc::new(minted)),
        };
        if self.goes_on(&caller).await.map_err(AuthError::Unavailable)? {
            Ok((caller, place))
        } else {
            Err(AuthError::Unauthenticated)
        }
    }

    /// What a credential is called in logs, which lets nobody in.
    fn name_of(&self, text: &str) -> String {
        self.secret().digest("proxy-credential-name", text.as_bytes()).chars().take(24).collect()
    }

    /// A view that knows a principal and, if one is named, a key.
    async fn view_of(
        &self,
        workspace: &WorkspaceId,
        principal: &PrincipalId,
        key: Option<&KeyId>,
    ) -> Result<Arc<View>, store::DbError> {
        let mut view = self.store().view();
        if let Some(key) = key
            && view.key(key.as_str()).is_none()
        {
            view = self.store().learn_key(key.as_str()).await?;
        }
        let known = view.snapshot.principal(workspace, principal);
        let agent = known.is_some_and(|known| known.kind == ActorType::Agent);
        if known.is_none() || agent && view.snapshot.agent_of_principal(workspace, principal).is_none() {
            view = self.store().learn_principal(principal.as_str()).await?;
        }
        Ok(view)
    }

    /// Whether what a caller's credential was made for still goes on.
    pub(crate) async fn goes_on(&self, caller: &Caller) -> Result<bool, store::DbError> {
        match &caller.standing {
            Standing::Minted(minted) => self.run_goes_on(&caller.workspace_id, minted.run_id.as_ref()).await,
            Standing::Errand(errand) => self.run_goes_on(&caller.workspace_id, errand.run_id.as_ref()).await,
            Standing::Key | Standing::Token(_) | Standing::Inside => Ok(true),
        }
    }

    async fn run_goes_on(&self, workspace: &WorkspaceId, run: Option<&RunId>) -> Result<bool, store::DbError> {
        let Some(run) = run else { return Ok(true) };
        Ok(self.store().run(workspace, run).await?.is_some_and(|run| !run.status.is_ended()))
    }
}

/// The key that a credential is made with.
fn may_mint(caller: &Caller) -> Result<Option<KeyId>, Refusal> {
    let forbidden = |detail| Err(Refusal::forbidden("forbidden", detail));
    match (&caller.standing, caller.role) {
        (Standing::Token(_), _) => forbidden("a capability token can be shown to the proxy itself"),
        (Standing::Minted(_), _) => forbidden("this credential is for the proxy only"),
        (_, role) if !role.asks() => forbidden("this role does not ask"),
        (Standing::Errand(_), _) => forbidden("an errand asks for itself"),
        (Standing::Inside, _) => Ok(None),
        (Standing::Key, _) => Ok(Some(caller.key_id.clone())),
    }
}

fn lasts(seconds: Option<u64>) -> Result<Duration, Refusal> {
    let lasts = seconds.map_or(DEFAULT, Duration::from_secs);
    if lasts.is_zero() || lasts > MAX {
        let detail = format!("a whole number from 1 to {}", MAX.as_secs());
        return Err(Refusal::invalid_field("/expires_in_s", detail));
    }
    Ok(lasts)
}
