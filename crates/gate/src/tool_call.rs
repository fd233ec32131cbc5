//! A tool call of a run: decided here, settled inside the command that records the call.
//!
//! Whoever drives runs records more than the decision: the step, the call, how it ended. So the
//! gate hands out a decision that is ready to be settled, and its caller settles it in a command of
//! its own. The policy head it was decided under is checked in that batch, as everywhere.

use std::borrow::Cow;
use std::sync::Arc;

use model::approval::ApprovalScope;
use model::ask::Subject;
use model::event::{EventContext, EventDraft, EventType};
use model::{Action, ApprovalId, Category, CorrelationId, EventId, Mode, Outcome, ReasonCode, ToolCallId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{Reads, Tx};

use crate::ask::{Asked, FirstUse, Request, Where};
use crate::asking::Asking;
use crate::decision::{self, DecisionLog, Kept, policy_event, reason};
use crate::identity::Claims;
use crate::place::Place;
use crate::ruling::Ruling;
use crate::submit::Patience;
use crate::{Caller, Gate, GateError, Refusal};

/// A tool that is to be called.
#[derive(Debug, Clone, Default)]
pub struct ToolCallAsk<'a> {
    /// The tool's name.
    pub tool_name: &'a str,
    /// What it is called with.
    pub input: Option<&'a Value>,
    /// `service`, `user` or `agent`.
    pub actor_type: Option<&'a str>,
    /// The actor's name.
    pub actor_id: Option<&'a str>,
    /// The accountable principal.
    pub principal_id: Option<&'a str>,
    /// The capability token shown.
    pub capability_token_id: Option<&'a str>,
    /// `sandbox`, `supervised` or `high_stakes`.
    pub zone: Option<&'a str>,
}

/// What the gate said of a tool call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolVerdict {
    /// Allow, deny or require_approval.
    pub decision: Outcome,
    /// Why.
    pub reason_code: ReasonCode,
    /// The same in a sentence, unless it is an allow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Cow<'static, str>>,
    /// The mode it was decided in.
    pub enforcement_mode: Mode,
    /// Whether it must not be called.
    pub blocked: bool,
    /// The approval it rests on, or the one that is now asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval_id: Option<ApprovalId>,
}

/// A decided tool call, ready to be settled in a batch.
pub struct PreparedToolCall {
    tool_call_id: ToolCallId,
    ruling: Ruling,
    context: EventContext,
    /// What the run's own events say of who and where.
    own: EventContext,
    action: String,
    token: Option<String>,
    asking: Option<Asking>,
}

impl Gate {
    /// Decides a tool call at a place that the caller has checked.
    ///
    /// # Errors
    /// 400 `missing_tool_name`, `invalid_request`; 403 `identity_not_permitted`; see [`GateError`].
    pub async fn prepare_tool_call(
        &self,
        caller: &Caller,
        ask: &ToolCallAsk<'_>,
        place: &Place,
        correlation_id: &CorrelationId,
    ) -> Result<PreparedToolCall, GateError> {
        let name = ask.tool_name.trim();
        if name.is_empty() {
            return Err(Refusal::invalid("missing_tool_name", "`tool_name` is missing").at("/tool_name").into());
        }
        let action = Action::tool_call(name).map_err(|e| Refusal::invalid_field("/tool_name", e.to_string()))?;
        let context = match ask.input {
            Some(input) => json!({"tool_call": {"tool_name": name, "input": input}}),
            None => json!({"tool_call": {"tool_name": name}}),
        };
        let input = ask.input.map(|input| Arc::new(input.clone()));
        let patience = Patience::new();
        let mut caller = Cow::Borrowed(caller);
        loop {
            let request = Request {
                action: action.clone(),
                subject: Subject::ToolCall { tool_name: Some(name.to_owned()), input: input.clone() },
                claims: Claims {
                    actor_type: ask.actor_type,
                    actor_id: ask.actor_id,
                    principal_id: ask.principal_id,
                    zone: ask.zone,
                },
                place: Where::Known(place),
                token_id: ask.capability_token_id,
                correlation_id: Some(correlation_id.as_str()),
                context: Some(&context),
            };
            match self.asked(&caller, request, FirstUse::Ensure).await {
                Ok(asked) => return Ok(PreparedToolCall::new(self.decision_log(), asked, name)),
                Err(trouble) => caller = Cow::Owned(self.recover(&caller, trouble, &patience).await?),
            }
        }
    }
}

impl PreparedToolCall {
    fn new(log: &DecisionLog, asked: Asked, tool_name: &str) -> Self {
        let ruling = Ruling::of(log, &asked);
        let mut own = asked.context.clone();
        own.policy_context = model::Canonical::empty();
        let mut context = asked.context;
        // Each of these is a cause of its own.
        context.correlation_id = CorrelationId::new();
        let principal = context.principal_id.clone();
        let asking = principal.filter(|_| ruling.may_require_approval()).map(|principal| {
            let mut wording = asked.wording;
            let tool_name = wording.clean(tool_name);
            let mut scope = ApprovalScope::default_for(context.room_id.as_ref(), context.run_id.as_ref());
            scope.tool_name = Some(tool_name.clone());
            scope.principal_id = Some(principal.clone());
            let mut request = json!({"action": asked.action, "tool_name": tool_name});
            if let Some(members) = request.as_object_mut() {
                let zone = ruling.ask.zone.map(|zone| json!(zone));
                let token = asked.token.as_ref().map(|token| json!(token));
                let optional = [("zone", zone), ("capability_token_id", token)];
                members.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
            }
            let digest = ruling.ask.ask_digest.clone().unwrap_or_default();
            let title = format!("call {tool_name}");
            Asking::new(&context, &principal, &digest, &asked.action, &title, scope, request)
        });
        Self { tool_call_id: ToolCallId::new(), ruling, context, own, action: asked.action, token: asked.token, asking }
    }

    /// The id of the call, should it be made; also the id of its decision.
    #[must_use]
    pub fn tool_call_id(&self) -> &ToolCallId {
        &self.tool_call_id
    }

    /// Where and for whom the call's own events are recorded.
    #[must_use]
    pub fn event_context(&self) -> &EventContext {
        &self.own
    }

    /// Declares what [`Self::settle`] looks at.
    pub fn reads(&self, reads: &mut Reads) {
        self.ruling.reads(reads, self.context.principal_id.as_ref());
        if let Some(asking) = &self.asking {
            asking.reads(reads, &self.context);
        }
    }

    /// The verdict as it holds in this batch, recorded. `cause` moves on with every event.
    pub fn settle(&self, tx: &mut Tx<'_>, cause: &mut Option<EventId>) -> ToolVerdict {
        let decision = self.ruling.settle(tx, self.context.principal_id.as_ref());
        let mode = self.ruling.mode;
        let principal = self.context.principal_id.as_ref();
        self.ruling.log_after(tx, self.tool_call_id.clone().into(), principal, &decision);
        let policy = policy_event(&decision, Category::ToolCall, &self.action, self.token.as_deref(), mode);
        if let Some(draft) = policy {
            *cause = Some(tx.append(&self.context, draft.caused_by(cause.take())));
        }
        let used = decision.approval.as_ref().filter(|_| decision.outcome == Outcome::Allow);
        if let Some(used) = used.filter(|used| used.once) {
            let data = json!({"approval_id": used.approval_id, "by": self.tool_call_id});
            let draft = EventDraft::new(EventType::ApprovalConsumed, (&data).into());
            *cause = Some(tx.append(&self.context, draft.caused_by(cause.take())));
        }
        let approval_id = match (decision.outcome, &self.asking) {
            (Outcome::RequireApproval, Some(asking)) => Some(asking.raise(tx, &self.context, cause)),
            _ => used.map(|used| used.approval_id.clone()),
        };
        let kept = Kept {
            id: self.tool_call_id.clone().into(),
            category: Category::ToolCall,
            action: &self.action,
            context: &self.own,
            principal_id: self.context.principal_id.as_ref(),
            mode,
            approval_id: approval_id.clone(),
            trace: decision::trace(&decision),
            rules: decision::rules(&decision),
            at: tx.now(),
        };
        tx.insert_decision(decision::row(&decision, kept));
        ToolVerdict {
            decision: decision.outcome,
            reason_code: decision.reason_code,
            reason: reason(decision.outcome, decision.reason_code).map(Into::into),
            enforcement_mode: mode,
            blocked: decision.blocks(mode),
            approval_id,
        }
    }

    /// The `once` approvals it may have used up.
    #[must_use]
    pub fn once(&self) -> &[ApprovalId] {
        self.ruling.once()
    }
}
