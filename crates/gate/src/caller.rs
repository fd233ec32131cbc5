//! Who calls: a credential checked once, and the view of policy it was checked on. A credential is a
//! key, a capability token in its bearer form, or, at the proxy only, one that was made for it.

use std::sync::Arc;

use model::capability::{Caveat, PREFIX};
use model::{Actor, ActorType, KeyId, PrincipalId, Role, TokenId, WorkspaceId, Zone};
use store::View;
use store::rows::KeyRow;

use crate::bearer::Bound;
use crate::errand::Errand;
use crate::key::{Credential, is_live};
use crate::minted::Minted;
use crate::{Gate, GateError, clock};

/// The workspace of a key that may use all, when the caller names none.
pub const DEFAULT_WORKSPACE: &str = "ws_dev";

/// Why a caller is not let in.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// Missing, malformed, unknown, expired, revoked: one error for every cause.
    #[error("a valid key is required")]
    Unauthenticated,
    /// The key is good but belongs to another workspace.
    #[error("the key is not for this workspace")]
    Forbidden,
    /// The key is good but the workspace named is not a workspace id.
    #[error("the workspace is 1 to 200 visible ASCII characters and not `*`")]
    InvalidWorkspace,
    /// The store cannot be read.
    #[error("the key cannot be checked now")]
    Unavailable(#[source] store::DbError),
}

/// What lets a caller in.
#[derive(Clone)]
pub(crate) enum Standing {
    /// Its key, checked again whenever policy moved.
    Key,
    /// A capability token, checked again likewise; all it asks it asks with that token.
    Token(Arc<Bound>),
    /// A credential for the proxy, checked again likewise.
    Minted(Arc<Minted>),
    /// It is a part of this program.
    Inside,
    /// The same for somebody else: all it asks it asks as the errand says.
    Errand(Arc<Errand>),
}

/// An authenticated caller in one workspace.
#[derive(Clone)]
pub struct Caller {
    /// The key it used; of a capability token a name for the token and its caveats.
    pub key_id: KeyId,
    /// What the key is for.
    pub role: Role,
    /// The workspace it works in.
    pub workspace_id: WorkspaceId,
    /// The key's own principal.
    pub principal_id: PrincipalId,
    /// The request's id, for logs.
    pub request_id: String,
    /// The policy the key was checked on; what is decided is decided on this view.
    pub view: Arc<View>,
    pub(crate) standing: Standing,
}

impl Caller {
    /// The actor that the caller itself is: its agent, else the name its principal has, else the
    /// principal's id.
    #[must_use]
    pub fn actor(&self) -> Actor {
        self.actor_of(&self.principal_id).unwrap_or_else(|| Actor::new(ActorType::Service, self.principal_id.as_str()))
    }

    /// The actor that a principal is, when the caller's workspace knows it.
    pub(crate) fn actor_of(&self, principal_id: &PrincipalId) -> Option<Actor> {
        let snapshot = &self.view.snapshot;
        if let Some(agent) = snapshot.agent_of_principal(&self.workspace_id, principal_id) {
            return Some(Actor::new(ActorType::Agent, agent.agent_id.as_str()));
        }
        let principal = snapshot.principal(&self.workspace_id, principal_id)?;
        let named = principal.legacy.clone();
        Some(named.unwrap_or_else(|| Actor::new(principal.kind, principal_id.as_str())))
    }

    /// The highest zone the caller's own agent may ask in, when it is one, and its token, when that
    /// was narrowed to one.
    #[must_use]
    pub fn zone_max(&self) -> Option<Zone> {
        let agent = self.view.snapshot.agent_of_principal(&self.workspace_id, &self.principal_id);
        // A caller that is no registered agent has nobody who vouched for more than the default.
        let own = agent.map(|agent| agent.zone_max);
        let left = self.bound().and_then(|bound| bound.narrowing.as_ref()?.zone());
        match left {
            Some(left) => Some(left.min(own.unwrap_or(Zone::Supervised))),
            None => own,
        }
    }

    /// The capability token that let the caller in, and all it asks is asked with.
    #[must_use]
    pub fn capability_token_id(&self) -> Option<&TokenId> {
        self.bound().map(|bound| &bound.token_id)
    }

    /// What the holder of its capability token took away, in the order of the links.
    #[must_use]
    pub fn caveats(&self) -> &[Caveat] {
        self.bound().and_then(|bound| bound.narrowing.as_ref()).map_or(&[], |narrowing| narrowing.caveats())
    }

    /// Whether its capability token has caveats.
    #[must_use]
    pub fn is_narrowed(&self) -> bool {
        !self.caveats().is_empty()
    }

    pub(crate) fn bound(&self) -> Option<&Arc<Bound>> {
        match &self.standing {
            Standing::Token(bound) => Some(bound),
            Standing::Key | Standing::Minted(_) | Standing::Inside | Standing::Errand(_) => None,
        }
    }

    pub(crate) fn errand(&self) -> Option<&Errand> {
        match &self.standing {
            Standing::Errand(errand) => Some(errand),
            Standing::Key | Standing::Token(_) | Standing::Minted(_) | Standing::Inside => None,
        }
    }

    /// The same caller on another view, when it is still let in there.
    pub(crate) fn on(mut self, view: Arc<View>) -> Option<Self> {
        match &self.standing {
            Standing::Key => {
                let key = view.key(self.key_id.as_str())?;
                let elsewhere = key.workspace_id.as_ref().is_some_and(|own| *own != self.workspace_id);
                if !is_live(key, clock::now()) || elsewhere || is_gone(&view, &self.workspace_id, &key.principal_id) {
                    return None;
                }
                self.role = key.role;
                self.principal_id = key.principal_id.clone();
            }
            Standing::Token(bound) if !bound.lives(&view, clock::now()) => return None,
            Standing::Token(_) if is_gone(&view, &self.workspace_id, &self.principal_id) => return None,
            Standing::Minted(minted) if !minted.lives(&view, clock::now()) => return None,
            Standing::Token(_) | Standing::Minted(_) | Standing::Inside | Standing::Errand(_) => {}
        }
        self.view = view;
        Some(self)
    }
}

impl Gate {
    /// Lets a caller in by the text after `Bearer `, into the workspace it names, else the key's own.
    ///
    /// A key or token that this process has not heard of is read from the store before it is refused. No
    /// head read is waited for: what the caller then changes is checked against the heads when it
    /// is recorded, and what records nothing takes [`Gate::fresh`].
    ///
    /// # Errors
    /// See [`AuthError`].
    pub async fn authenticate(
        &self,
        credential: &str,
        workspace: Option<&str>,
        request_id: &str,
    ) -> Result<Caller, AuthError> {
        if credential.starts_with(PREFIX) {
            return self.authenticate_token(credential, workspace, request_id).await;
        }
        let credential = Credential::parse(credential).ok_or(AuthError::Unauthenticated)?;
        let mut view = self.store().view();
        if view.key(credential.key_id()).is_none() {
            view = self.store().learn_key(credential.key_id()).await.map_err(AuthError::Unavailable)?;
        }
        let key = view.key(credential.key_id()).cloned();
        // An unknown key costs the same hashing as a known one.
        let good = credential.matches(key.as_ref().map_or("", |key| key.key_hash.as_str()));
        let key = key.filter(|key| good && is_live(key, clock::now())).ok_or(AuthError::Unauthenticated)?;
        let workspace_id = workspace_of(&key, workspace)?;
        if view.snapshot.principal(&workspace_id, &key.principal_id).is_none() {
            view = self.store().learn_principal(key.principal_id.as_str()).await.map_err(AuthError::Unavailable)?;
        }
        if is_gone(&view, &workspace_id, &key.principal_id) {
            return Err(AuthError::Unauthenticated);
        }
        Ok(Caller {
            key_id: key.key_id.clone(),
            role: key.role,
            workspace_id,
            principal_id: key.principal_id.clone(),
            request_id: request_id.to_owned(),
            view,
            standing: Standing::Key,
        })
    }

    /// The caller on a view that is as new as the store was at some moment after this call, for
    /// answers that record nothing.
    ///
    /// # Errors
    /// [`AuthError::Unauthenticated`] when the key died meanwhile.
    pub async fn fresh(&self, caller: Caller) -> Result<Caller, AuthError> {
        let view = self.store().fresh(&caller.workspace_id).await.map_err(AuthError::Unavailable)?;
        let caller = caller.on(view).ok_or(AuthError::Unauthenticated)?;
        match self.goes_on(&caller).await.map_err(AuthError::Unavailable)? {
            true => Ok(caller),
            false => Err(AuthError::Unauthenticated),
        }
    }

    /// A caller that is a part of this program, such as the run worker: it speaks for others and
    /// needs no key.
    #[must_use]
    pub fn inside(&self, workspace_id: WorkspaceId, principal_id: PrincipalId, request_id: &str) -> Caller {
        Caller {
            key_id: KeyId::from_stored("inside".to_owned()),
            role: Role::Worker,
            workspace_id,
            principal_id,
            request_id: request_id.to_owned(),
            view: self.store().view(),
            standing: Standing::Inside,
        }
    }

    /// The caller again after the policy moved under it.
    pub(crate) async fn again(&self, caller: &Caller) -> Result<Caller, GateError> {
        let view = self.store().fresh(&caller.workspace_id).await?;
        let caller = caller.clone().on(view).ok_or(GateError::Unauthenticated)?;
        if self.goes_on(&caller).await? { Ok(caller) } else { Err(GateError::Unauthenticated) }
    }
}

/// Whether a principal was revoked: nobody is let in as it any more, by whatever credential.
pub(crate) fn is_gone(view: &View, workspace_id: &WorkspaceId, principal_id: &PrincipalId) -> bool {
    view.snapshot.principal(workspace_id, principal_id).is_some_and(|principal| principal.revoked_at.is_some())
}

fn workspace_of(key: &KeyRow, named: Option<&str>) -> Result<WorkspaceId, AuthError> {
    let named = named.map(str::trim).filter(|text| !text.is_empty());
    match (&key.workspace_id, named) {
        (Some(own), None) => Ok(own.clone()),
        (Some(own), Some(text)) if own.as_str() == text => Ok(own.clone()),
        (Some(_), Some(_)) => Err(AuthError::Forbidden),
        (None, named) => match named.unwrap_or(DEFAULT_WORKSPACE) {
            store::INSTALL => Err(AuthError::InvalidWorkspace),
            text => WorkspaceId::parse(text).map_err(|_| AuthError::InvalidWorkspace),
        },
    }
}
