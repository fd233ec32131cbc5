//! Asking for an approval on purpose. (An ask that needs one raises its own.)

use model::approval::ApprovalScope;
use model::event::{EventType, Stream};
use model::{Action, ApprovalId, RoomId, RunId, StepId, Time};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::rows::ApprovalRow;
use store::{Command, IdempotencyKey, Reads, Tx};

use super::scope::{self, Place};
use crate::change::{By, Facts};
use crate::wording::{TITLE_CHARS_MAX, Wording};
use crate::{Answered, Caller, Gate, GateError, Refusal};

/// LIMIT: the most deciders an approval may need.
const APPROVALS_MAX: u64 = 20;

/// What is asked for.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RequestApprovalInput {
    /// The action to be approved.
    pub action: Option<String>,
    /// What a decider reads first, at most 300 characters.
    pub title: Option<String>,
    /// What is to be done.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub request: Option<Value>,
    /// What else a decider should know.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub context: Option<Value>,
    /// Where: an existing room.
    pub room_id: Option<String>,
    /// In which run.
    pub run_id: Option<String>,
    /// In which step.
    pub step_id: Option<String>,
    /// `once`, `run`, `room`, `workspace` or an object; the run, else the room, else `once`
    /// without one.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub scope: Option<Value>,
    /// The first moment it no longer counts, decided or not; in the future.
    pub expires_at: Option<String>,
    /// How many different deciders must say yes, 1 (without one) to 20.
    pub required_approvals: Option<u64>,
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RequestApprovalOutput {
    /// Its id.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub approval_id: ApprovalId,
}

impl Gate {
    /// Asks for an approval as the caller's own principal.
    ///
    /// # Errors
    /// 400 `missing_action`, `invalid_action`, `invalid_scope`, `invalid_expires_at`,
    /// `invalid_required_approvals`, `invalid_request`; 404 `room_not_found`, `run_not_found`,
    /// `step_not_found`; see [`GateError`].
    pub async fn request_approval(
        &self,
        caller: &Caller,
        input: RequestApprovalInput,
        once: Option<IdempotencyKey>,
    ) -> Result<Answered<RequestApprovalOutput>, GateError> {
        let action = self.told(caller, action(input.action.as_deref())).await?;
        let mut wording = Wording::new();
        let (room, run, step) = (input.room_id.as_deref(), input.run_id.as_deref(), input.step_id.as_deref());
        // Also keeps events of one workspace out of the stream of another's room.
        let place = match self.place(&caller.workspace_id, room, None, run, step, &mut wording).await {
            Err(GateError::Refused(refusal)) => self.told(caller, Err(refusal)).await?,
            outcome => outcome?,
        };
        let wanted = self.told(caller, Wanted::read(input, action, place, wording)).await?;
        self.submit(caller, once, |caller| Ok(RequestApproval { by: By::of(caller), wanted: wanted.clone() })).await
    }
}

#[derive(Clone)]
struct Wanted {
    approval_id: ApprovalId,
    action: Action,
    title: Option<String>,
    request: Option<Value>,
    context: Option<Value>,
    room_id: Option<RoomId>,
    run_id: Option<RunId>,
    step_id: Option<StepId>,
    scope: ApprovalScope,
    expires_at: Option<Time>,
    required_approvals: u64,
    contains_secrets: bool,
}

impl Wanted {
    fn read(
        input: RequestApprovalInput,
        action: Action,
        place: crate::place::Place,
        mut wording: Wording,
    ) -> Result<Self, Refusal> {
        let (room_id, run_id, step_id) = (place.room_id, place.run_id, place.step_id);
        let place = Place { room_id: room_id.as_ref(), run_id: run_id.as_ref() };
        let scope = match &input.scope {
            None | Some(Value::Null) => ApprovalScope::default_for(room_id.as_ref(), run_id.as_ref()),
            Some(value) => scope::read(value, place, None)?,
        };
        let expires_at = expiry(input.expires_at.as_deref())?;
        let required_approvals = input.required_approvals.unwrap_or(1);
        if !(1..=APPROVALS_MAX).contains(&required_approvals) {
            let detail = format!("a whole number from 1 to {APPROVALS_MAX}");
            return Err(Refusal::invalid("invalid_required_approvals", detail).at("/required_approvals"));
        }
        // INVARIANT: the digest ties an approval to an ask that the gate itself digested.
        if input.request.as_ref().is_some_and(|request| request.get("ask_digest").is_some()) {
            return Err(Refusal::invalid_field("/request/ask_digest", "only the gate sets this member"));
        }
        let title = wording.optional(input.title.as_deref(), "/title", TITLE_CHARS_MAX)?;
        let request = input.request.filter(|v| !v.is_null()).map(|value| wording.clean_value(value));
        let context = input.context.filter(|v| !v.is_null()).map(|value| wording.clean_value(value));
        Ok(Self {
            approval_id: ApprovalId::new(),
            action,
            title,
            request,
            context,
            room_id,
            run_id,
            step_id,
            scope,
            expires_at,
            required_approvals,
            contains_secrets: wording.contains_secrets(),
        })
    }
}

fn action(text: Option<&str>) -> Result<Action, Refusal> {
    match text.map(str::trim) {
        None | Some("") => Err(Refusal::invalid("missing_action", "an action is required").at("/action")),
        Some(text) => {
            Action::parse(text).map_err(|error| Refusal::invalid("invalid_action", error.to_string()).at("/action"))
        }
    }
}

/// Reads when an approval ends. Whether that is ahead is told by the store's clock.
pub(super) fn expiry(text: Option<&str>) -> Result<Option<Time>, Refusal> {
    match text {
        None => Ok(None),
        Some(text) => Time::parse(text).map(Some).map_err(|error| invalid_expiry(&error.to_string())),
    }
}

pub(super) fn invalid_expiry(detail: &str) -> Refusal {
    Refusal::invalid("invalid_expires_at", detail).at("/expires_at")
}

/// Whether `end` lies ahead.
///
/// # Errors
/// 400 `invalid_expires_at`.
pub(super) fn ahead(end: Option<Time>, now: Time) -> Result<(), Refusal> {
    if end.is_some_and(|end| end <= now) {
        return Err(invalid_expiry("must lie in the future"));
    }
    Ok(())
}

struct RequestApproval {
    by: By,
    wanted: Wanted,
}

impl Command for RequestApproval {
    type Output = RequestApprovalOutput;
    type Refusal = Refusal;

    fn reads(&self, reads: &mut Reads) {
        self.by.expects(reads);
        reads.row::<ApprovalRow>(&[self.wanted.approval_id.as_str()]);
        if let Some(room) = &self.wanted.room_id {
            reads.stream(Stream::of(&self.by.workspace_id, Some(room)));
        }
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<RequestApprovalOutput, Refusal> {
        let wanted = &self.wanted;
        ahead(wanted.expires_at, tx.now())?;
        let mut context = self.by.context(wanted.contains_secrets);
        context.room_id = wanted.room_id.clone();
        context.run_id = wanted.run_id.clone();
        context.step_id = wanted.step_id.clone();
        Facts::new()
            .with("approval_id", &wanted.approval_id)
            .with("action", &wanted.action)
            .maybe("title", wanted.title.as_ref())
            .maybe("request", wanted.request.as_ref())
            .maybe("context", wanted.context.as_ref())
            .with("scope", &wanted.scope)
            .maybe("expires_at", wanted.expires_at)
            .maybe("required_approvals", (wanted.required_approvals > 1).then_some(wanted.required_approvals))
            .record(tx, &context, EventType::ApprovalRequested);
        Ok(RequestApprovalOutput { approval_id: wanted.approval_id.clone() })
    }
}
