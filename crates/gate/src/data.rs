//! Access to labelled data: the label is looked up, the access decided, and what speaks against it
//! written down.
//!
//! An access whose purpose does not match is written down also when a justification lets it pass:
//! that is what the justification is for.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use model::ask::{DataSubject, Subject};
use model::event::{EventDraft, EventType};
use model::{Action, Decision, DecisionId, Label, Mode, Outcome, ReasonCode, RoomId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::SubmitError;

use crate::ask::{Asked, FirstUse, Request, Trouble, Where};
use crate::authorize::{Follow, RecordDecision};
use crate::decision::{reason, rendered};
use crate::identity::Claims;
use crate::ruling::Ruling;
use crate::submit::{Patience, plain_error};
use crate::wording::name;
use crate::{Caller, Gate, GateError, Refusal};

/// LIMIT: the most purposes in one request, and the longest justification in characters.
const PURPOSES_MAX: usize = 64;
const JUSTIFICATION_CHARS_MAX: usize = 4_000;

/// A request for data, as a caller sends it.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DataAccessInput {
    /// `data.read` or `data.write`.
    pub action: Option<String>,
    /// The kind of resource.
    pub resource_type: Option<String>,
    /// Its id within the kind.
    pub resource_id: Option<String>,
    /// What it is wanted for: a list of texts.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<String>>))]
    pub purpose_tags: Option<Value>,
    /// Why it is wanted although the purpose does not match.
    pub justification: Option<String>,
    /// The room it happens in.
    pub room_id: Option<String>,
    /// The thread.
    pub thread_id: Option<String>,
    /// The run it is part of.
    pub run_id: Option<String>,
    /// The step it is part of.
    pub step_id: Option<String>,
    /// `service`, `user` or `agent`.
    pub actor_type: Option<String>,
    /// The actor's name.
    pub actor_id: Option<String>,
    /// The accountable principal.
    pub principal_id: Option<String>,
    /// The capability token shown.
    pub capability_token_id: Option<String>,
    /// `sandbox`, `supervised` or `high_stakes`.
    pub zone: Option<String>,
    /// What ties the events together; new when left out.
    pub correlation_id: Option<String>,
    /// Anything else, kept as the events' policy context.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub context: Option<Value>,
}

/// The answer to a request for data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DataAccessOutput {
    /// Allow, deny or require_approval.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub decision: Outcome,
    /// Why.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub reason_code: ReasonCode,
    /// The same in a sentence, unless it is an allow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The mode it was decided in.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub enforcement_mode: Mode,
    /// Whether it must not happen.
    pub blocked: bool,
    /// The resource's label; `internal` when it has none.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub resolved_label: Label,
    /// The room the resource belongs to.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub resolved_room_id: Option<RoomId>,
    /// What the resource may be used for.
    pub resolved_purpose_tags: Vec<String>,
}

impl Gate {
    /// Decides an access to data. An allow without a purpose mismatch records nothing, so `caller`
    /// must come from [`Gate::fresh`].
    ///
    /// # Errors
    /// 400 `invalid_action`, `invalid_resource`, `invalid_purpose_tags`, `invalid_request`; 403
    /// `identity_not_permitted`; 404 for an unknown room, run or step. See [`GateError`].
    pub async fn request_data_access(
        &self,
        caller: &Caller,
        input: DataAccessInput,
    ) -> Result<DataAccessOutput, GateError> {
        let patience = Patience::new();
        let mut caller = Cow::Borrowed(caller);
        loop {
            match self.attempt_access(&caller, &input).await {
                Ok(answer) => return Ok(answer),
                Err(trouble) => caller = Cow::Owned(self.recover(&caller, trouble, &patience).await?),
            }
        }
    }

    async fn attempt_access(&self, caller: &Caller, input: &DataAccessInput) -> Result<DataAccessOutput, Trouble> {
        let action = access_action(input.action.as_deref())?;
        let justification = input.justification.as_deref().map(str::trim).filter(|text| !text.is_empty());
        if justification.is_some_and(|text| text.chars().count() > JUSTIFICATION_CHARS_MAX) {
            let detail = format!("at most {JUSTIFICATION_CHARS_MAX} characters");
            return Err(Refusal::invalid_field("/justification", detail).into());
        }
        let subject = Subject::DataAccess(DataSubject {
            resource_type: resource(input.resource_type.as_deref(), "/resource_type")?,
            resource_id: resource(input.resource_id.as_deref(), "/resource_id")?,
            label: Label::Internal,
            resource_room: None,
            resource_purposes: BTreeSet::new(),
            purposes: purposes(input.purpose_tags.as_ref(), "/purpose_tags")?,
            justification: justification.map(str::to_owned),
        });
        let mut asked = self.asked(caller, request(input, action, subject), FirstUse::Leave).await?;
        self.resolve_label(&mut asked).await?;
        let Some(access) = Access::of(&mut asked) else {
            return Err(Refusal::invalid("invalid_resource", "no resource is named").into());
        };
        let access = Arc::new(access);
        let ruling = Ruling::of(self.decision_log(), &asked);
        let mode = ruling.mode;
        let records = ruling.decision.outcome != Outcome::Allow || ruling.consumes() || access.is_mismatch();
        if !records {
            ruling.log_now(DecisionId::new(), asked.context.principal_id.as_ref());
            return Ok(access.output(&ruling.decision, mode));
        }
        let used = ruling.once().to_vec();
        let command = RecordDecision::new(asked, ruling, DecisionId::new(), Follow::Access(Arc::clone(&access)));
        let recorded = self.store().submit(command).await.map_err(|error| match error {
            SubmitError::Stale => Trouble::Stale,
            error => Trouble::Final(plain_error(error)),
        })?;
        self.forget_used(&used).await;
        Ok(access.output(recorded.get(), mode))
    }

    /// Looks the label up, for an ask about data. It is read after the ask's view, so a label that
    /// changes meanwhile moves the head and the ask is decided again.
    pub(crate) async fn resolve_label(&self, asked: &mut Asked) -> Result<(), GateError> {
        let Subject::DataAccess(data) = &mut asked.ask.subject else { return Ok(()) };
        let row = self.store().label(&asked.ask.workspace_id, &data.resource_type, &data.resource_id).await?;
        if let Some(row) = row {
            data.label = row.label;
            data.resource_room = row.room_id;
            data.resource_purposes = serde_json::from_str(row.purpose_tags.as_str()).unwrap_or_default();
        }
        Ok(())
    }
}

fn request(input: &DataAccessInput, action: Action, subject: Subject) -> Request<'_> {
    Request {
        action,
        subject,
        claims: Claims {
            actor_type: input.actor_type.as_deref(),
            actor_id: input.actor_id.as_deref(),
            principal_id: input.principal_id.as_deref(),
            zone: input.zone.as_deref(),
        },
        place: Where::Named {
            room_id: input.room_id.as_deref(),
            thread_id: input.thread_id.as_deref(),
            run_id: input.run_id.as_deref(),
            step_id: input.step_id.as_deref(),
        },
        token_id: input.capability_token_id.as_deref(),
        correlation_id: input.correlation_id.as_deref(),
        context: input.context.as_ref(),
    }
}

fn access_action(text: Option<&str>) -> Result<Action, Refusal> {
    text.and_then(|text| Action::parse(text).ok())
        .filter(|action| matches!(action.as_str(), Action::DATA_READ | Action::DATA_WRITE))
        .ok_or_else(|| Refusal::invalid("invalid_action", "must be `data.read` or `data.write`").at("/action"))
}

/// Reads a resource's type or id.
///
/// # Errors
/// 400 `invalid_resource` at `field`.
pub(crate) fn resource(text: Option<&str>, field: &str) -> Result<String, Refusal> {
    name(text)
        .map(str::to_owned)
        .ok_or_else(|| Refusal::invalid("invalid_resource", "is 1 to 200 bytes without control characters").at(field))
}

/// Reads a list of purposes: texts, trimmed, each once.
///
/// # Errors
/// 400 `invalid_purpose_tags` at `field`.
pub(crate) fn purposes(value: Option<&Value>, field: &str) -> Result<BTreeSet<String>, Refusal> {
    let invalid = || {
        let detail = format!("must be a list of at most {PURPOSES_MAX} names of 1 to 200 bytes");
        Refusal::invalid("invalid_purpose_tags", detail).at(field)
    };
    match value {
        None | Some(Value::Null) => Ok(BTreeSet::new()),
        Some(Value::Array(items)) if items.len() <= PURPOSES_MAX => {
            items.iter().map(|item| name(item.as_str()).map(str::to_owned).ok_or_else(invalid)).collect()
        }
        Some(_) => Err(invalid()),
    }
}

/// An access with what its resource resolved to, without secrets.
pub(crate) struct Access {
    resource_type: String,
    resource_id: String,
    label: Label,
    room_id: Option<RoomId>,
    resource_purposes: Vec<String>,
    purposes: Vec<String>,
    justification: Option<String>,
    mismatch: bool,
}

#[derive(Serialize)]
struct Data<'a> {
    action: &'a str,
    blocked: bool,
    decision: Outcome,
    enforcement_mode: Mode,
    #[serde(skip_serializing_if = "Option::is_none")]
    justification: Option<&'a str>,
    purpose_tags: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    reason_code: &'static str,
    resolved_label: Label,
    resolved_purpose_tags: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    resolved_room_id: Option<&'a RoomId>,
    resource_id: &'a str,
    resource_type: &'a str,
}

impl Access {
    fn of(asked: &mut Asked) -> Option<Self> {
        let Subject::DataAccess(data) = &asked.ask.subject else { return None };
        let wording = &mut asked.wording;
        let purpose_bound = matches!(data.label, Label::Confidential | Label::SensitivePii);
        let access = Self {
            resource_type: wording.clean(&data.resource_type),
            resource_id: wording.clean(&data.resource_id),
            label: data.label,
            room_id: data.resource_room.clone(),
            resource_purposes: data.resource_purposes.iter().cloned().collect(),
            purposes: data.purposes.iter().map(|purpose| wording.clean(purpose)).collect(),
            justification: data.justification.as_deref().map(|text| wording.clean(text)),
            mismatch: purpose_bound && data.purposes.is_disjoint(&data.resource_purposes),
        };
        asked.context.contains_secrets = asked.wording.contains_secrets();
        Some(access)
    }

    fn is_mismatch(&self) -> bool {
        self.mismatch
    }

    /// What the log says of the access besides the decision.
    pub(crate) fn events(&self, action: &str, decision: &Decision, mode: Mode) -> Vec<EventDraft> {
        let data = rendered(&Data {
            action,
            blocked: decision.blocks(mode),
            decision: decision.outcome,
            enforcement_mode: mode,
            justification: self.justification.as_deref(),
            purpose_tags: &self.purposes,
            reason: reason(decision.outcome, decision.reason_code),
            reason_code: decision.reason_code.as_str(),
            resolved_label: self.label,
            resolved_purpose_tags: &self.resource_purposes,
            resolved_room_id: self.room_id.as_ref(),
            resource_id: &self.resource_id,
            resource_type: &self.resource_type,
        });
        let mut types = Vec::with_capacity(3);
        if self.mismatch {
            types.push(EventType::DataPurposeMismatch);
            types.push(match self.justification {
                Some(_) => EventType::DataJustified,
                None => EventType::DataUnjustified,
            });
        }
        if decision.outcome == Outcome::Deny {
            types.push(EventType::DataAccessDenied);
        }
        types.into_iter().map(|event_type| EventDraft::new(event_type, data.clone())).collect()
    }

    fn output(&self, decision: &Decision, mode: Mode) -> DataAccessOutput {
        DataAccessOutput {
            decision: decision.outcome,
            reason_code: decision.reason_code,
            reason: reason(decision.outcome, decision.reason_code).map(str::to_owned),
            enforcement_mode: mode,
            blocked: decision.blocks(mode),
            resolved_label: self.label,
            resolved_room_id: self.room_id.clone(),
            resolved_purpose_tags: self.resource_purposes.clone(),
        }
    }
}
