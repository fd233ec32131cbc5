//! One pipeline, four entry points: tool calls, data access, other actions, and egress that
//! somebody else records. Allows record nothing that anybody waits for; what is no allow appends
//! exactly one `policy.*` event, with its decision.

mod record;
mod subject;

use std::borrow::Cow;
use std::sync::Arc;

use model::decision::TraceStep;
use model::{Category, CorrelationId, Decision, DecisionId, Mode, Outcome, ReasonCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::SubmitError;

use crate::ask::{Asked, FirstUse, Request, Trouble, Where};
use crate::decision::{self, Kept, reason};
use crate::identity::Claims;
use crate::ruling::Ruling;
use crate::submit::{Patience, plain_error};
use crate::{Caller, Gate, GateError};

pub(crate) use record::{Follow, RecordDecision};

/// A question about an action, as a caller sends it.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EvaluateInput {
    /// What is to be done.
    pub action: Option<String>,
    /// `service`, `user` or `agent`.
    pub actor_type: Option<String>,
    /// The actor's name.
    pub actor_id: Option<String>,
    /// The room it happens in.
    pub room_id: Option<String>,
    /// The thread.
    pub thread_id: Option<String>,
    /// The run it is part of.
    pub run_id: Option<String>,
    /// The step it is part of.
    pub step_id: Option<String>,
    /// What the decision may look at: `tool_call`, `egress`, `data_access`; the rest is only kept.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub context: Option<Value>,
    /// The accountable principal.
    pub principal_id: Option<String>,
    /// The capability token shown.
    pub capability_token_id: Option<String>,
    /// `sandbox`, `supervised` or `high_stakes`.
    pub zone: Option<String>,
}

/// The answer to a question about an action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EvaluateOutput {
    /// Allow, deny or require_approval.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub decision: Outcome,
    /// Why.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub reason_code: ReasonCode,
    /// The same in a sentence, unless it is an allow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A question of any category, as a caller sends it.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuthorizeInput {
    /// `tool_call`, `data_access`, `action` or `egress`.
    pub category: Option<String>,
    /// What is to be done. A tool call is `tool.call.<tool name>` when it is left out.
    pub action: Option<String>,
    /// `service`, `user` or `agent`.
    pub actor_type: Option<String>,
    /// The actor's name.
    pub actor_id: Option<String>,
    /// The room it happens in.
    pub room_id: Option<String>,
    /// The thread.
    pub thread_id: Option<String>,
    /// The run it is part of.
    pub run_id: Option<String>,
    /// The step it is part of.
    pub step_id: Option<String>,
    /// The category's facts: `tool_call.{tool_name,input}`, `egress.{target_url|target_domain,method}`,
    /// `data_access.{resource_type,resource_id,purpose_tags,justification}`; the rest is only kept.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub context: Option<Value>,
    /// The accountable principal.
    pub principal_id: Option<String>,
    /// The capability token shown.
    pub capability_token_id: Option<String>,
    /// `sandbox`, `supervised` or `high_stakes`.
    pub zone: Option<String>,
    /// Only asks: records nothing and uses nothing up.
    #[serde(default)]
    pub check: bool,
}

/// The answer to a question of any category.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuthorizeOutput {
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
    /// The ids of the rules that determined it.
    pub rules: Vec<String>,
    /// Every step in order.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Object>))]
    pub trace: Vec<TraceStep>,
    /// The kept decision's id; of a mere check, which is not kept, none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub decision_id: Option<DecisionId>,
}

/// How much of a question is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Recording {
    /// Whatever is no allow; an allow is logged and uses up what it rests on.
    Full,
    /// Whatever is no allow.
    Negative,
    /// Nothing.
    Nothing,
}

impl Gate {
    /// Answers whether an action may happen. Creates no approval and uses none up; what is no
    /// allow appends one `policy.*` event.
    ///
    /// An allow records nothing but a use of a token that was narrowed to a number of them, so `caller` must come from [`Gate::fresh`].
    ///
    /// # Errors
    /// 400 `missing_action`, `invalid_request`; 403 `identity_not_permitted`; 404 for an unknown
    /// room, run or step. See [`GateError`].
    pub async fn evaluate(&self, caller: &Caller, input: EvaluateInput) -> Result<EvaluateOutput, GateError> {
        let input = AuthorizeInput {
            category: Some(Category::Action.as_str().to_owned()),
            action: input.action,
            actor_type: input.actor_type,
            actor_id: input.actor_id,
            room_id: input.room_id,
            thread_id: input.thread_id,
            run_id: input.run_id,
            step_id: input.step_id,
            context: input.context,
            principal_id: input.principal_id,
            capability_token_id: input.capability_token_id,
            zone: input.zone,
            check: false,
        };
        let answer = self.answer(caller, &input, Recording::Negative).await?;
        Ok(EvaluateOutput { decision: answer.decision, reason_code: answer.reason_code, reason: answer.reason })
    }

    /// Answers whether something of any category may happen.
    ///
    /// Not a mere check: what is no allow is recorded, an allow uses up the `once` approval it
    /// rests on, egress takes from the hourly quota, and the decision is kept for `why`.
    /// An allow may record nothing, so `caller` must come from [`Gate::fresh`].
    ///
    /// # Errors
    /// As [`Gate::evaluate`]; and 400 `invalid_target_url`, `invalid_resource`,
    /// `invalid_purpose_tags` for the category's facts.
    pub async fn authorize(&self, caller: &Caller, input: AuthorizeInput) -> Result<AuthorizeOutput, GateError> {
        let recording = if input.check { Recording::Nothing } else { Recording::Full };
        self.answer(caller, &input, recording).await
    }

    async fn answer(
        &self,
        caller: &Caller,
        input: &AuthorizeInput,
        recording: Recording,
    ) -> Result<AuthorizeOutput, GateError> {
        let patience = Patience::new();
        let mut caller = Cow::Borrowed(caller);
        loop {
            match self.attempt_answer(&caller, input, recording).await {
                Ok(answer) => return Ok(answer),
                Err(trouble) => caller = Cow::Owned(self.recover(&caller, trouble, &patience).await?),
            }
        }
    }

    async fn attempt_answer(
        &self,
        caller: &Caller,
        input: &AuthorizeInput,
        recording: Recording,
    ) -> Result<AuthorizeOutput, Trouble> {
        let category = subject::category(input.category.as_deref())?;
        let action = subject::action(category, input)?;
        let subject = subject::of(category, input.context.as_ref())?;
        // A quota is taken from somebody.
        let first_use = match (category, recording) {
            (Category::Egress, Recording::Full) => FirstUse::Ensure,
            _ => FirstUse::Leave,
        };
        let mut asked = self.asked(caller, request(input, action, subject), first_use).await?;
        self.resolve_label(&mut asked).await?;
        // Each of these is a cause of its own.
        asked.context.correlation_id = CorrelationId::new();
        let mut ruling = Ruling::of(self.decision_log(), &asked);
        let records = match recording {
            Recording::Full => {
                ruling.decision.outcome != Outcome::Allow || ruling.consumes() || ruling.decision.quota_limit.is_some()
            }
            Recording::Negative | Recording::Nothing => {
                self.verify_once(&mut ruling).await?;
                if recording == Recording::Nothing {
                    self.verify_uses(&mut ruling).await?;
                }
                recording == Recording::Negative && (ruling.decision.outcome != Outcome::Allow || ruling.counts())
            }
        };
        let id = DecisionId::new();
        let mode = ruling.mode;
        if !records {
            if recording == Recording::Full {
                self.keep_allow(&asked, &ruling, id.clone());
            }
            if recording != Recording::Nothing {
                ruling.log_now(id.clone(), asked.context.principal_id.as_ref());
            }
            let id = (recording == Recording::Full).then_some(id);
            return Ok(output(Arc::unwrap_or_clone(ruling.decision), mode, id));
        }
        let used = ruling.once().to_vec();
        let follow = if recording == Recording::Full { Follow::Policy } else { Follow::Question };
        let command = RecordDecision::new(asked, ruling, id.clone(), follow);
        let recorded = self.store().submit(command).await.map_err(|error| match error {
            SubmitError::Stale => Trouble::Stale,
            error => Trouble::Final(plain_error(error)),
        })?;
        self.forget_used(&used).await;
        Ok(output(recorded.into_inner(), mode, Some(id)))
    }

    fn keep_allow(&self, asked: &Asked, ruling: &Ruling, id: DecisionId) {
        let decision = &ruling.decision;
        let kept = Kept {
            id,
            category: asked.ask.category(),
            action: &asked.action,
            context: &asked.context,
            principal_id: asked.context.principal_id.as_ref(),
            mode: ruling.mode,
            approval_id: decision.approval.as_ref().map(|used| used.approval_id.clone()),
            trace: decision::trace(decision),
            rules: decision::rules(decision),
            at: crate::clock::now(),
        };
        self.allows().keep(decision::row(decision, kept));
    }
}

fn request(input: &AuthorizeInput, action: model::Action, subject: model::ask::Subject) -> Request<'_> {
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
        correlation_id: None,
        context: input.context.as_ref(),
    }
}

fn output(decision: Decision, mode: Mode, decision_id: Option<DecisionId>) -> AuthorizeOutput {
    AuthorizeOutput {
        decision: decision.outcome,
        reason_code: decision.reason_code,
        reason: reason(decision.outcome, decision.reason_code).map(str::to_owned),
        enforcement_mode: mode,
        blocked: decision.blocks(mode),
        rules: decision.rules.iter().map(ToString::to_string).collect(),
        trace: decision.trace,
        decision_id,
    }
}
