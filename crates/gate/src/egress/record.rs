//! The command that records a request to leave: its events, its row and its decision, together.

use std::borrow::Cow;

use model::approval::ApprovalScope;
use model::event::{EventContext, EventDraft, EventType, Stream};
use model::{
    ApprovalId, Canonical, Category, Decision, EgressRequestId, EventId, Outcome, PrincipalId, ReasonCode, TargetUrl,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::rows::EgressRequestRow;
use store::{Command, Reads, Tx, ask_key};

use super::EgressOutput;
use super::facts::Facts;
use crate::ask::Asked;
use crate::decision::{self, Kept, policy_event, reason};
use crate::ruling::Ruling;
use crate::{GateError, InstallSecret, Refusal};

/// What the recorder gives back.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Settled {
    pub(crate) answer: EgressOutput,
    pub(crate) principal_id: PrincipalId,
    /// The event that says how it ended.
    pub(crate) last_event_id: EventId,
}

/// What is the same whatever the batch finds, unless the decision changes.
struct Prepared {
    requested: Canonical,
    outcome: Canonical,
    trace: Canonical,
    rules: Canonical,
}

/// How the approval is asked for, when it comes to that.
struct Wanted {
    ask_key: String,
    scope: ApprovalScope,
}

pub(super) struct RecordEgress {
    ruling: Ruling,
    facts: Facts,
    context: EventContext,
    principal_id: PrincipalId,
    ask_digest: String,
    wanted: Option<Wanted>,
    prepared: Prepared,
}

impl RecordEgress {
    pub(super) fn new(
        secret: &InstallSecret,
        mut asked: Asked,
        ruling: Ruling,
        target: &TargetUrl,
    ) -> Result<Self, GateError> {
        let redacted = target.redacted(|value| secret.digest("url", value.as_bytes()));
        let target_url = asked.wording.clean(&redacted);
        let target_domain = asked.wording.clean(target.domain());
        let mut context = asked.context;
        context.contains_secrets = asked.wording.contains_secrets();
        // The ask made sure of one before it was decided.
        let principal_id = context.principal_id.clone().ok_or_else(|| {
            GateError::Unavailable(store::DbError::Conflict("the principal is not known yet".to_owned()))
        })?;
        let facts = Facts {
            egress_request_id: EgressRequestId::new(),
            action: asked.action,
            method: asked.ask.method().map(str::to_owned),
            target_url,
            target_domain,
            capability_token_id: asked.token,
        };
        let ask_digest = asked.ask.ask_digest.unwrap_or_default();
        let wanted = ruling.may_require_approval().then(|| {
            let mut scope = ApprovalScope::default_for(context.room_id.as_ref(), context.run_id.as_ref());
            scope.target_domain = Some(facts.target_domain.clone());
            scope.principal_id = Some(principal_id.clone());
            let domain = Some(facts.target_domain.as_str());
            let ask_key =
                ask_key(&context.workspace_id, &scope, &ask_digest, Some(&principal_id), domain, &facts.action);
            Wanted { ask_key, scope }
        });
        let expected = &ruling.decision;
        let prepared = Prepared {
            requested: facts.requested(),
            outcome: facts.outcome(expected, ruling.mode, expected.approval.as_ref().map(|used| &used.approval_id)),
            trace: decision::trace(expected),
            rules: decision::rules(expected),
        };
        Ok(Self { ruling, facts, context, principal_id, ask_digest, wanted, prepared })
    }

    /// The pending approval for this ask: the one that is open, else a new one.
    fn ask_for_approval(&self, tx: &mut Tx<'_>, cause: &mut EventId) -> Option<ApprovalId> {
        let wanted = self.wanted.as_ref()?;
        let now = tx.now();
        let open = tx.open_ask(&self.context.workspace_id, &wanted.ask_key);
        if let Some((id, ended)) = open.map(|row| (row.approval_id.clone(), row.expires_at.is_some_and(|at| at <= now)))
        {
            if !ended {
                return Some(id);
            }
            let data = Canonical::from(&json!({"approval_id": id}));
            let draft = EventDraft::new(EventType::ApprovalExpired, data).caused_by(Some(cause.clone()));
            *cause = tx.append(&self.context, draft);
        }
        let id = ApprovalId::new();
        let mut request = json!({
            "egress_request_id": self.facts.egress_request_id,
            "action": self.facts.action,
            "target_url": self.facts.target_url,
            "target_domain": self.facts.target_domain,
            "principal_id": self.principal_id,
            "ask_digest": self.ask_digest,
        });
        if let Some(members) = request.as_object_mut() {
            let zone = self.ruling.ask.zone;
            let optional = [
                ("method", self.facts.method.as_ref().map(|method| json!(method))),
                ("capability_token_id", self.facts.capability_token_id.as_ref().map(|token| json!(token))),
                ("zone", zone.map(|zone| json!(zone))),
            ];
            members.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        }
        let mut data = json!({
            "approval_id": id,
            "action": self.facts.action,
            "title": format!("{} to {}", self.facts.action, self.facts.target_domain),
            "request": request,
            "scope": wanted.scope,
        });
        if let Some(members) = data.as_object_mut()
            && self.context.policy_context != Canonical::empty()
        {
            members.insert("context".to_owned(), self.context.policy_context.to_value());
        }
        let draft = EventDraft::new(EventType::ApprovalRequested, (&data).into()).caused_by(Some(cause.clone()));
        *cause = tx.append(&self.context, draft);
        Some(id)
    }

    fn row(&self, decision: &Decision, approval_id: Option<ApprovalId>, tx: &Tx<'_>) -> EgressRequestRow {
        let context = &self.context;
        EgressRequestRow {
            egress_request_id: self.facts.egress_request_id.clone(),
            workspace_id: context.workspace_id.clone(),
            room_id: context.room_id.clone(),
            run_id: context.run_id.clone(),
            step_id: context.step_id.clone(),
            requested_by_type: context.actor.kind,
            requested_by_id: context.actor.id.clone(),
            requested_by_principal_id: Some(self.principal_id.clone()),
            zone: self.ruling.ask.zone,
            action: self.facts.action.clone(),
            method: self.facts.method.clone(),
            target_url: self.facts.target_url.clone(),
            target_domain: self.facts.target_domain.clone(),
            policy_decision: decision.outcome.as_str().to_owned(),
            policy_reason_code: decision.reason_code.as_str().to_owned(),
            policy_reason: reason(decision.outcome, decision.reason_code).map(str::to_owned),
            enforcement_mode: self.ruling.mode,
            blocked: decision.blocks(self.ruling.mode),
            approval_id,
            correlation_id: context.correlation_id.clone(),
            created_at: tx.now(),
        }
    }
}

impl Command for RecordEgress {
    type Output = Settled;
    type Refusal = Refusal;

    fn reads(&self, reads: &mut Reads) {
        self.ruling.reads(reads, Some(&self.principal_id));
        reads.stream(Stream::of(&self.context.workspace_id, self.context.room_id.as_ref()));
        if let Some(wanted) = &self.wanted {
            reads.open_ask(&self.context.workspace_id, &wanted.ask_key);
        }
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<Settled, Refusal> {
        let mode = self.ruling.mode;
        let decision = self.ruling.settle(tx, Some(&self.principal_id));
        let as_expected = matches!(decision, Cow::Borrowed(_));
        let requested = EventDraft::new(EventType::EgressRequested, self.prepared.requested.clone());
        let mut cause = tx.append(&self.context, requested);
        let token = self.facts.capability_token_id.as_deref();
        if let Some(draft) = policy_event(&decision, Category::Egress, &self.facts.action, token, mode) {
            cause = tx.append(&self.context, draft.caused_by(Some(cause)));
        }
        let approval_id = match decision.outcome {
            Outcome::RequireApproval => self.ask_for_approval(tx, &mut cause),
            Outcome::Allow | Outcome::Deny => decision.approval.as_ref().map(|used| used.approval_id.clone()),
        };
        let (event_type, data) = match decision.outcome {
            Outcome::Allow if as_expected => (EventType::EgressAllowed, self.prepared.outcome.clone()),
            Outcome::Allow => (EventType::EgressAllowed, self.facts.outcome(&decision, mode, approval_id.as_ref())),
            Outcome::RequireApproval | Outcome::Deny => {
                (EventType::EgressBlocked, self.facts.outcome(&decision, mode, approval_id.as_ref()))
            }
        };
        let last_event_id = tx.append(&self.context, EventDraft::new(event_type, data).caused_by(Some(cause)));
        if decision.reason_code == ReasonCode::QuotaExceeded {
            let draft = EventDraft::new(EventType::QuotaExceeded, self.facts.exceeded(&decision));
            tx.append(&self.context, draft.caused_by(Some(last_event_id.clone())));
        }
        tx.insert_egress_request(self.row(&decision, approval_id.clone(), tx));
        let (trace, rules) = match as_expected {
            true => (self.prepared.trace.clone(), self.prepared.rules.clone()),
            false => (decision::trace(&decision), decision::rules(&decision)),
        };
        let kept = Kept {
            id: self.facts.egress_request_id.clone().into(),
            category: Category::Egress,
            action: &self.facts.action,
            context: &self.context,
            principal_id: Some(&self.principal_id),
            mode,
            approval_id: approval_id.clone(),
            trace,
            rules,
            at: tx.now(),
        };
        tx.insert_decision(decision::row(&decision, kept));
        let answer = EgressOutput {
            egress_request_id: self.facts.egress_request_id.clone(),
            decision: decision.outcome,
            reason_code: decision.reason_code,
            reason: reason(decision.outcome, decision.reason_code).map(Into::into),
            approval_id,
            enforcement_mode: mode,
            blocked: decision.blocks(mode),
            target_domain: self.facts.target_domain.clone(),
        };
        Ok(Settled { answer, principal_id: self.principal_id.clone(), last_event_id })
    }
}
