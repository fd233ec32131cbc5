//! From what a caller sent to an [`Ask`]: identity, place and ids are checked, what only the store
//! knows is learnt, and what will be kept is rid of secrets first.

mod digest;
mod principal;

use std::borrow::Cow;
use std::sync::Arc;

use model::ask::Subject;
use model::event::EventContext;
use model::{Action, Actor, Ask, Canonical, CorrelationId, PrincipalId, TokenId, WorkspaceId, Zone};
use serde_json::Value;
use store::{DbError, View};

use crate::identity::{Claims, Identity, identify};
use crate::place::Place;
use crate::uses::Counter;
use crate::wording::Wording;
use crate::{Caller, Gate, GateError, Refusal};

pub(crate) use principal::EnsurePrincipal;

/// What all entry points are given, unread.
pub(crate) struct Request<'a> {
    pub(crate) action: Action,
    pub(crate) subject: Subject,
    pub(crate) claims: Claims<'a>,
    pub(crate) place: Where<'a>,
    pub(crate) token_id: Option<&'a str>,
    pub(crate) correlation_id: Option<&'a str>,
    pub(crate) context: Option<&'a Value>,
}

/// Where it happens.
pub(crate) enum Where<'a> {
    /// As a caller named it.
    Named { room_id: Option<&'a str>, thread_id: Option<&'a str>, run_id: Option<&'a str>, step_id: Option<&'a str> },
    /// As it is known to be.
    Known(&'a Place),
}

/// Whether a principal is made for an actor that has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FirstUse {
    /// Now: the ask, its digest and its quota rest on it.
    Ensure,
    /// Not before something is recorded.
    Leave,
}

/// An ask that is ready to be decided, and what of it may be kept.
pub(crate) struct Asked {
    /// What it is decided on; the caller's key is good there.
    pub(crate) view: Arc<View>,
    pub(crate) ask: Ask,
    /// Where and for whom it is recorded.
    pub(crate) context: EventContext,
    /// The action without secrets.
    pub(crate) action: String,
    /// The token's id without secrets.
    pub(crate) token: Option<String>,
    /// What it may be used for only so often.
    pub(crate) uses: Arc<[Counter]>,
    /// What was found in the texts so far.
    pub(crate) wording: Wording,
}

/// Why one attempt gave no answer.
pub(crate) enum Trouble {
    /// The policy moved: ask again on a fresh view.
    Stale,
    /// The answer is an error.
    Final(GateError),
}

impl<E: Into<GateError>> From<E> for Trouble {
    fn from(error: E) -> Self {
        Self::Final(error.into())
    }
}

impl Gate {
    /// Checks a request and builds its ask.
    pub(crate) async fn asked(
        &self,
        caller: &Caller,
        request: Request<'_>,
        first_use: FirstUse,
    ) -> Result<Asked, Trouble> {
        let mut wording = Wording::new();
        let workspace_id = caller.workspace_id.clone();
        let token_id = shown(caller, request.token_id)?;
        let correlation_id = correlation(request.correlation_id, &mut wording)?;
        let policy_context = context(request.context, &mut wording)?;
        let mut identity = identified(caller, request.claims, &mut wording)?;
        let mut caller = Cow::Borrowed(caller);
        if let Some(view) = self.informed(&caller, &identity, token_id.as_ref()).await? {
            // The view is newer than the one the key was checked on.
            caller = Cow::Owned(caller.into_owned().on(view).ok_or(GateError::Unauthenticated)?);
            identity = identified(&caller, request.claims, &mut wording)?;
        }
        let place = match request.place {
            Where::Known(place) => place.clone(),
            Where::Named { room_id, thread_id, run_id, step_id } => {
                self.place(&workspace_id, room_id, thread_id, run_id, step_id, &mut wording).await?
            }
        };
        if first_use == FirstUse::Ensure
            && let Some(view) = self.with_principal(&caller, &identity).await?
        {
            caller = Cow::Owned(caller.into_owned().on(view).ok_or(GateError::Unauthenticated)?);
        }
        let recorded_principal = accountable(&caller, &identity);
        let action = wording.clean(request.action.as_str());
        let token = token_id.as_ref().map(|id| wording.clean(id.as_str()));
        let context = EventContext {
            workspace_id: workspace_id.clone(),
            room_id: place.room_id.clone(),
            thread_id: place.thread_id.clone(),
            run_id: place.run_id.clone(),
            step_id: place.step_id.clone(),
            actor: identity.actor.clone(),
            principal_id: recorded_principal,
            zone: identity.zone.unwrap_or(Zone::Supervised),
            correlation_id,
            policy_context,
            model_context: Canonical::empty(),
            contains_secrets: wording.contains_secrets(),
        };
        let mut ask = Ask {
            workspace_id,
            action: request.action,
            actor: identity.actor,
            principal_id: identity.principal_id,
            capability_token_id: token_id,
            narrowing: caller.bound().and_then(|bound| bound.narrowing.clone()),
            token_required: false,
            zone: identity.zone,
            room_id: place.room_id,
            thread_id: place.thread_id,
            run_id: place.run_id,
            step_id: place.step_id,
            subject: request.subject,
            ask_digest: None,
        };
        let view = Arc::clone(&caller.view);
        let asker = view.snapshot.asker(&ask);
        let tool_input = request.context.and_then(|context| context.pointer("/tool_call/input"));
        ask.ask_digest = Some(digest::of(self.secret(), &ask, asker.as_ref(), tool_input));
        let uses = caller.bound().map_or_else(Arc::default, |bound| Arc::clone(&bound.uses));
        Ok(Asked { view, ask, context, action, token, uses, wording })
    }

    /// A view that knows whom and what the ask names, when the caller's does not.
    async fn informed(
        &self,
        caller: &Caller,
        identity: &Identity,
        token: Option<&TokenId>,
    ) -> Result<Option<Arc<View>>, DbError> {
        let (workspace, mut learnt) = (&caller.workspace_id, None);
        let snapshot = &caller.view.snapshot;
        match &identity.principal_id {
            Some(id) => {
                let agent_wanted = identity.actor.kind == model::ActorType::Agent;
                if snapshot.principal(workspace, id).is_none()
                    || agent_wanted && snapshot.agent_of_principal(workspace, id).is_none()
                {
                    learnt = Some(self.store().learn_principal(id.as_str()).await?);
                }
            }
            None if snapshot.principal_of(workspace, &identity.actor).is_none() => {
                learnt = Some(self.store().learn_actor(workspace, &identity.actor).await?);
            }
            None => {}
        }
        if let Some(id) = token
            && snapshot.token(workspace, id).is_none()
        {
            learnt = Some(self.store().learn_token(id.as_str()).await?);
        }
        Ok(learnt)
    }

    /// A view with a principal for the actor that will be recorded, when there was none.
    async fn with_principal(&self, caller: &Caller, identity: &Identity) -> Result<Option<Arc<View>>, Trouble> {
        if accountable(caller, identity).is_some() {
            return Ok(None);
        }
        let (workspace, actor): (&WorkspaceId, &Actor) = (&caller.workspace_id, &identity.actor);
        // The principal given is not known; its actor may still have to be learnt.
        let view = self.store().learn_actor(workspace, actor).await?;
        if view.snapshot.principal_of(workspace, actor).is_some() {
            return Ok(Some(view));
        }
        let command =
            EnsurePrincipal { view: Arc::clone(&caller.view), workspace_id: workspace.clone(), actor: actor.clone() };
        match self.store().submit(command).await {
            Ok(_) => Ok(Some(self.store().learn_actor(workspace, actor).await?)),
            Err(store::SubmitError::Stale) => Err(Trouble::Stale),
            Err(error) => Err(crate::submit::plain_error(error).into()),
        }
    }
}

/// The principal that events name: the one given when it is known, else the actor's.
fn accountable(caller: &Caller, identity: &Identity) -> Option<PrincipalId> {
    let snapshot = &caller.view.snapshot;
    if let Some(id) = &identity.principal_id {
        if *id == caller.principal_id || snapshot.principal(&caller.workspace_id, id).is_some() {
            return Some(id.clone());
        }
        if identity.actor == caller.actor() {
            return Some(caller.principal_id.clone());
        }
    }
    snapshot.principal_of(&caller.workspace_id, &identity.actor).cloned()
}

fn identified(caller: &Caller, claims: Claims<'_>, wording: &mut Wording) -> Result<Identity, Refusal> {
    let mut identity = identify(caller, claims)?;
    if claims.actor_id.is_some() {
        identity.actor.id = wording.clean(&identity.actor.id);
    }
    Ok(identity)
}

/// The token that is asked with: the one named, and for who was let in by a token that one and no other.
fn shown(caller: &Caller, named: Option<&str>) -> Result<Option<TokenId>, Refusal> {
    let field = "/capability_token_id";
    let named =
        named.map(|text| TokenId::parse(text).map_err(|e| Refusal::invalid_field(field, e.to_string()))).transpose()?;
    match (caller.capability_token_id(), named) {
        (None, named) => Ok(named),
        (Some(own), Some(other)) if *own != other => {
            let detail = "who is let in by a capability token asks with that token";
            Err(Refusal::forbidden("identity_not_permitted", detail).at(field))
        }
        (Some(own), _) => Ok(Some(own.clone())),
    }
}

fn correlation(text: Option<&str>, wording: &mut Wording) -> Result<CorrelationId, Refusal> {
    let Some(text) = text else { return Ok(CorrelationId::new()) };
    let refused = |e: model::InvalidId| Refusal::invalid_field("/correlation_id", e.to_string());
    CorrelationId::parse(text).map_err(refused)?;
    CorrelationId::parse(&wording.clean(text)).map_err(refused)
}

fn context(value: Option<&Value>, wording: &mut Wording) -> Result<Canonical, Refusal> {
    match value {
        None | Some(Value::Null) => Ok(Canonical::empty()),
        Some(Value::Object(members)) if members.is_empty() => Ok(Canonical::empty()),
        Some(value @ Value::Object(_)) => Ok(Canonical::from(&wording.clean_value(value.clone()))),
        Some(_) => Err(Refusal::invalid_field("/context", "must be an object")),
    }
}

/// Reads an action.
///
/// # Errors
/// 400 `missing_action` when it is missing or blank, `invalid_request` when it is no action name.
pub(crate) fn action(text: Option<&str>) -> Result<Action, Refusal> {
    let text = text
        .filter(|text| !text.trim().is_empty())
        .ok_or_else(|| Refusal::invalid("missing_action", "`action` is missing").at("/action"))?;
    Action::parse(text).map_err(|e| Refusal::invalid_field("/action", e.to_string()))
}

/// Reads a method: letters, digits and the other characters of a token, at most 32; upper-case.
///
/// # Errors
/// 400 `invalid_request` at `/method`.
pub(crate) fn method(text: Option<&str>) -> Result<Option<String>, Refusal> {
    let Some(text) = text.map(str::trim) else { return Ok(None) };
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if text.is_empty() || text.len() > 32 || !text.bytes().all(token) {
        return Err(Refusal::invalid_field("/method", "is not a method"));
    }
    Ok(Some(text.to_ascii_uppercase()))
}
