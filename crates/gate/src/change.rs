//! One change of an object by a caller: on whose behalf it is recorded, which heads it was decided
//! under and which it moves.
//!
//! Every file of an operation beside this one is a [`store::Command`] around a [`By`].

use std::sync::Arc;

use model::event::{EventContext, EventDraft, EventType, Stream};
use model::{Actor, Canonical, CorrelationId, EventId, PrincipalId, WorkspaceId, Zone};
use serde::Serialize;
use serde_json::{Map, Value};
use store::{INSTALL, ObjectKind, Reads, Tx, View};

use crate::{Caller, Gate, GateError, Refusal};

/// Whom a change is recorded for.
#[derive(Clone)]
pub struct By {
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// Who is accountable.
    pub principal_id: PrincipalId,
    /// Who did it, by name.
    pub actor: Actor,
    view: Arc<View>,
    all_workspaces: bool,
}

impl By {
    /// On behalf of this caller.
    #[must_use]
    pub fn of(caller: &Caller) -> Self {
        Self {
            workspace_id: caller.workspace_id.clone(),
            principal_id: caller.principal_id.clone(),
            actor: caller.actor(),
            view: Arc::clone(&caller.view),
            all_workspaces: caller.view.key(caller.key_id.as_str()).is_some_and(|key| key.workspace_id.is_none()),
        }
    }

    /// Declares what every change needs: the heads it was decided under and the workspace's stream.
    pub fn expects(&self, reads: &mut Reads) {
        self.view.expect(reads, &self.workspace_id);
        reads.stream(Stream::of(&self.workspace_id, None));
    }

    /// The same for a change that policy rests on.
    pub(crate) fn moves_policy(&self, reads: &mut Reads) {
        self.expects(reads);
        reads.moves_head(self.workspace_id.as_str());
    }

    /// The same for an object that may belong to all workspaces.
    pub(crate) fn moves_any_policy(&self, reads: &mut Reads) {
        self.moves_policy(reads);
        if self.all_workspaces {
            reads.moves_head(INSTALL);
        }
    }

    /// Whether an object of `owner` (`None` = of all workspaces) is there for this caller.
    pub(crate) fn sees(&self, owner: Option<&WorkspaceId>) -> bool {
        owner.is_none_or(|owner| *owner == self.workspace_id)
    }

    /// An object of all workspaces is changed only with a key of all workspaces: a change in one
    /// workspace must not reach into another.
    ///
    /// # Errors
    /// 403 `forbidden`.
    pub(crate) fn may_change(&self, owner: Option<&WorkspaceId>) -> Result<(), Refusal> {
        if owner.is_some() || self.all_workspaces {
            return Ok(());
        }
        Err(Refusal::forbidden("forbidden", "this belongs to all workspaces, the key does not"))
    }

    /// Moves the head of an object's owner.
    pub(crate) fn changed(&self, tx: &mut Tx<'_>, owner: Option<&WorkspaceId>, kind: ObjectKind, id: &str) {
        tx.policy_changed(owner.map_or(INSTALL, |owner| owner.as_str()), kind, id);
    }

    /// The context of this change's events: no room, a new correlation.
    #[must_use]
    pub fn context(&self, contains_secrets: bool) -> EventContext {
        EventContext {
            workspace_id: self.workspace_id.clone(),
            room_id: None,
            thread_id: None,
            run_id: None,
            step_id: None,
            actor: self.actor.clone(),
            principal_id: Some(self.principal_id.clone()),
            zone: Zone::Supervised,
            correlation_id: CorrelationId::new(),
            policy_context: Canonical::empty(),
            model_context: Canonical::empty(),
            contains_secrets,
        }
    }
}

/// The data of an event: what is absent is left out.
#[derive(Default)]
pub struct Facts(Map<String, Value>);

impl Facts {
    /// No members yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a member; a value without JSON form cannot come from our own types and becomes null.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Serialize) -> Self {
        self.0.insert(name.to_owned(), serde_json::to_value(value).unwrap_or(Value::Null));
        self
    }

    /// Adds a member when there is a value.
    #[must_use]
    pub fn maybe(self, name: &str, value: Option<impl Serialize>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// The event with these members.
    #[must_use]
    pub fn draft(self, event_type: EventType) -> EventDraft {
        EventDraft::new(event_type, Canonical::from(&Value::Object(self.0)))
    }

    /// Appends the event with these members.
    pub fn record(self, tx: &mut Tx<'_>, context: &EventContext, event_type: EventType) -> EventId {
        tx.append(context, self.draft(event_type))
    }
}

impl Gate {
    /// Gives what `outcome` holds. A refusal is only told to a caller whose key is still good: the
    /// heads are read first, as for every answer that records nothing.
    ///
    /// # Errors
    /// The refusal; see also [`GateError`].
    pub async fn told<T>(&self, caller: &Caller, outcome: Result<T, Refusal>) -> Result<T, GateError> {
        match outcome {
            Ok(value) => Ok(value),
            Err(refusal) => {
                self.again(caller).await?;
                Err(refusal.into())
            }
        }
    }
}
