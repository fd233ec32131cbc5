//! A request to leave: decided, recorded with its outcome in one transaction, and only then, if it
//! does not block, a [`Permit`].

mod facts;
mod leave;
mod recheck;
mod record;

use std::borrow::Cow;
use std::sync::Arc;

use model::ask::{EgressSubject, Subject};
use model::event::EventContext;
use model::{Action, ApprovalId, Canonical, EgressRequestId, EventId, GatewayId, Mode, Outcome, ReasonCode, TargetUrl};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{Command as _, IdempotencyKey, Reads, Recorded, SubmitError, Tx};

use crate::ask::{self, Asked, FirstUse, Request, Trouble, Where};
use crate::gateway::Life;
use crate::identity::Claims;
use crate::permit::Effect;
use crate::ruling::Ruling;
use crate::submit::{Patience, final_error};
use crate::{Answered, Caller, Fence, Gate, GateError, Permit, Place, Refusal};

pub use leave::{Clearance, Intent, Leave, OnBehalf, Ruled};
pub use recheck::{Now, Recheck};
pub use record::EgressSettled;

/// A request to leave, as a caller sends it.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EgressInput {
    /// Where to: an http or https URL.
    pub target_url: Option<String>,
    /// What it is; `external.write` when left out.
    pub action: Option<String>,
    /// The HTTP method.
    pub method: Option<String>,
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
    /// While a worker has the run: what its claim gave it.
    pub claim_token: Option<String>,
    /// Anything else, kept as the events' policy context.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub context: Option<Value>,
}

/// The answer to a request to leave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EgressOutput {
    /// The request's id; also the id of its decision.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub egress_request_id: EgressRequestId,
    /// Allow, deny or require_approval.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub decision: Outcome,
    /// Why.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub reason_code: ReasonCode,
    /// The same in a sentence, unless it is an allow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub reason: Option<Cow<'static, str>>,
    /// The approval it rests on, or the one that is now asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub approval_id: Option<ApprovalId>,
    /// The mode it was decided in.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub enforcement_mode: Mode,
    /// Whether it must not leave.
    pub blocked: bool,
    /// The normalised host.
    pub target_domain: String,
}

impl Gate {
    /// Decides and records a request to leave. Whatever the decision, the answer is durable; nothing is
    /// sent: who carries requests out takes [`Gate::intend`].
    ///
    /// # Errors
    /// 400 `invalid_target_url`, `invalid_request`; 403 `identity_not_permitted`; 404
    /// `room_not_found`, `run_not_found`, `step_not_found`; then nothing is written. See [`GateError`].
    ///
    /// # Cancel safety
    /// When the future is dropped the request may still be recorded.
    pub async fn request_egress(
        &self,
        caller: &Caller,
        input: EgressInput,
        once: Option<IdempotencyKey>,
    ) -> Result<Answered<EgressOutput>, GateError> {
        let patience = Patience::new();
        let mut caller = Cow::Borrowed(caller);
        loop {
            match self.attempt_egress(&caller, &input, once.clone()).await {
                Ok(answer) => return Ok(answer),
                Err(trouble) => caller = Cow::Owned(self.recover(&caller, trouble, &patience).await?),
            }
        }
    }

    /// Decides a request to leave at a place that the caller has checked, to be settled in a command
    /// of the caller's own.
    ///
    /// # Errors
    /// 400 `invalid_target_url`, `invalid_request`; 403 `identity_not_permitted`; see [`GateError`].
    pub async fn prepare_egress(
        &self,
        caller: &Caller,
        input: &EgressInput,
        place: &Place,
    ) -> Result<PreparedEgress, GateError> {
        let patience = Patience::new();
        let mut caller = Cow::Borrowed(caller);
        loop {
            match self.decide_input(&caller, input, Where::Known(place)).await {
                Ok(decided) => return Ok(PreparedEgress { decided, life: None }),
                Err(trouble) => caller = Cow::Owned(self.recover(&caller, trouble, &patience).await?),
            }
        }
    }

    async fn attempt_egress(
        &self,
        caller: &Caller,
        input: &EgressInput,
        once: Option<IdempotencyKey>,
    ) -> Result<Answered<EgressOutput>, Trouble> {
        let place = Where::Named {
            room_id: input.room_id.as_deref(),
            thread_id: input.thread_id.as_deref(),
            run_id: input.run_id.as_deref(),
            step_id: input.step_id.as_deref(),
        };
        let Decided { command, used, .. } = self.decide_input(caller, input, place).await?;
        let recorded = self.store().submit_once(command, once).await.map_err(|error| match error {
            SubmitError::Stale => Trouble::Stale,
            error => Trouble::Final(final_error(error)),
        })?;
        self.forget_used(&used).await;
        let answer = recorded.into_inner();
        Ok(Answered { value: answer.value.answer, replayed: answer.replayed })
    }

    async fn decide_input(&self, caller: &Caller, input: &EgressInput, place: Where<'_>) -> Result<Decided, Trouble> {
        let target = target(input.target_url.as_deref())?;
        let method = ask::method(input.method.as_deref())?;
        let action = match &input.action {
            Some(text) => ask::action(Some(text))?,
            None => Action::external_write(),
        };
        // Who knows the place has checked, in its own command, that the run is still its own.
        let fenced = matches!(place, Where::Named { .. });
        let request = Request {
            action,
            subject: Subject::Egress(EgressSubject::of(Some(target.clone()), None, method)),
            claims: Claims {
                actor_type: input.actor_type.as_deref(),
                actor_id: input.actor_id.as_deref(),
                principal_id: input.principal_id.as_deref(),
                zone: input.zone.as_deref(),
            },
            place,
            token_id: input.capability_token_id.as_deref(),
            correlation_id: input.correlation_id.as_deref(),
            context: input.context.as_ref(),
        };
        let asked = self.asked(caller, request, FirstUse::Ensure).await?;
        let run = asked.context.run_id.clone().filter(|_| fenced);
        let fence = run.map(|run| Fence::shown(run, input.claim_token.as_deref()));
        self.decided(caller, asked, target, Terms { fence, ..Terms::default() })
    }

    /// Decides an ask and makes it ready to be recorded.
    fn decided(&self, caller: &Caller, asked: Asked, target: TargetUrl, terms: Terms) -> Result<Decided, Trouble> {
        let mut ruling = Ruling::of(self.decision_log(), &asked);
        if terms.always_enforced {
            ruling.mode = Mode::Enforce;
        }
        let settled = ruling.decision.quota_limit.is_none() && !ruling.consumes() && !ruling.may_require_approval();
        let blocked = ruling.decision.blocks(ruling.mode);
        let effect = Effect {
            correlation_id: asked.context.correlation_id.clone(),
            context: outcome_context(&asked.context),
            ask: Arc::clone(&ruling.ask),
            caller: caller.clone(),
            target,
            always_enforced: terms.always_enforced,
        };
        let used = ruling.once().to_vec();
        let command =
            record::RecordEgress::new(self.secret(), asked, ruling, &effect.target, terms.fence, terms.gateway)?;
        Ok(Decided { command, effect: Arc::new(effect), used, settled, blocked })
    }
}

/// On what terms a request is recorded.
#[derive(Default)]
struct Terms {
    /// The run that it must still belong to.
    fence: Option<Fence>,
    /// Who is going to carry it out.
    gateway: Option<GatewayId>,
    /// Whether the workspace's mode does not matter.
    always_enforced: bool,
}

/// Outcomes repeat nothing of what was sent along.
fn outcome_context(context: &EventContext) -> Arc<EventContext> {
    Arc::new(EventContext { policy_context: Canonical::empty(), contains_secrets: false, ..context.clone() })
}

struct Decided {
    command: record::RecordEgress,
    effect: Arc<Effect>,
    /// The `once` approvals it may use up.
    used: Vec<ApprovalId>,
    /// Whether the batch has nothing left to settle.
    settled: bool,
    /// Whether it is not to pass.
    blocked: bool,
}

/// A decided request to leave, ready to be settled in a batch.
pub struct PreparedEgress {
    decided: Decided,
    /// Under which name it is carried out, when it is.
    life: Option<Life>,
}

impl PreparedEgress {
    /// Declares what [`Self::settle`] looks at.
    pub fn reads(&self, reads: &mut Reads) {
        self.decided.command.reads(reads);
    }

    /// The request as it holds in this batch, recorded as what follows `cause`.
    pub fn settle(&self, tx: &mut Tx<'_>, cause: Option<EventId>) -> EgressSettled {
        self.decided.command.settle_after(tx, cause)
    }

    /// The permit to carry it out, once what it settled into is durable. `recorded` must be the
    /// outcome of [`Self::settle`] of this request.
    ///
    /// None when it is blocked, or was not prepared to be carried out.
    #[must_use]
    pub fn permit(&self, gate: &Gate, recorded: &Recorded<EgressSettled>) -> Option<Permit> {
        let life = self.life.clone()?;
        let own = recorded.get().answer.egress_request_id == *self.decided.command.id();
        own.then(|| Permit::from_recorded(gate.gateway_started()?, recorded, &self.decided.effect, life)).flatten()
    }

    /// The `once` approvals it may have used up.
    #[must_use]
    pub fn once(&self) -> &[ApprovalId] {
        &self.decided.used
    }
}

/// Reads a target.
///
/// # Errors
/// 400 `invalid_target_url`, which says why and never repeats the target.
pub(crate) fn target(text: Option<&str>) -> Result<TargetUrl, Refusal> {
    let text =
        text.ok_or_else(|| Refusal::invalid("invalid_target_url", "`target_url` is missing").at("/target_url"))?;
    TargetUrl::parse(text).map_err(|e| Refusal::invalid("invalid_target_url", e.to_string()).at("/target_url"))
}
