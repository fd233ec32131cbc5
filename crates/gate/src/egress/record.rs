//! The command that records a request to leave: its events, its row and its decision, together.

use std::borrow::Cow;

use model::approval::{ApprovalScope, ScopeKind};
use model::event::{EventContext, EventDraft, EventType, Stream};
use model::{
    ApprovalId, Canonical, Category, Decision, EgressRequestId, EventId, GatewayId, Outcome, PrincipalId, ReasonCode,
    RunId, TargetUrl,
};
use serde::{Deserialize, Serialize};
use store::rows::EgressRequestRow;
use store::{Command, Reads, Tx};

use super::EgressOutput;
use super::facts::Facts;
use crate::approvals;
use crate::ask::Asked;
use crate::asking::Asking;
use crate::decision::{self, Kept, policy_event, reason};
use crate::ruling::Ruling;
use crate::{Fence, GateError, InstallSecret, Refusal};

/// How long a yes to something that is carried out in no run holds, in seconds, unless its decider says
/// something else.
const CARRIED_OUT_VALID_S: u64 = 15 * 60;

/// A request to leave as it was recorded.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EgressSettled {
    /// The answer.
    pub answer: EgressOutput,
    /// Who is accountable.
    pub principal_id: PrincipalId,
    /// The last event of the request.
    pub last_event_id: EventId,
}

impl EgressSettled {
    /// The approval that let it pass, when one did.
    pub(crate) fn admitted_by(&self) -> Option<&ApprovalId> {
        self.answer.approval_id.as_ref().filter(|_| self.answer.decision == Outcome::Allow)
    }
}

/// What is the same whatever the batch finds, unless the decision changes.
struct Prepared {
    requested: Canonical,
    outcome: Canonical,
    trace: Canonical,
    rules: Canonical,
}

pub(super) struct RecordEgress {
    ruling: Ruling,
    facts: Facts,
    context: EventContext,
    principal_id: PrincipalId,
    asking: Option<Asking>,
    fence: Option<Fence>,
    gateway: Option<GatewayId>,
    prepared: Prepared,
}

impl RecordEgress {
    pub(super) fn new(
        secret: &InstallSecret,
        mut asked: Asked,
        ruling: Ruling,
        target: &TargetUrl,
        fence: Option<Fence>,
        gateway: Option<GatewayId>,
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
            tunnel: asked.ask.tunnel(),
            target_url,
            target_domain,
            capability_token_id: asked.token,
        };
        let ask_digest = asked.ask.ask_digest.unwrap_or_default();
        let asking = ruling.may_require_approval().then(|| {
            let mut scope = match &gateway {
                Some(_) => carried_out(context.run_id.as_ref()),
                None => ApprovalScope::default_for(context.room_id.as_ref(), context.run_id.as_ref()),
            };
            let mut request = facts.shown(ruling.ask.zone);
            let mut title = format!("{} to {}", facts.action, facts.target_domain);
            scope.target_domain = Some(facts.target_domain.clone());
            scope.principal_id = Some(principal_id.clone());
            if gateway.is_some() {
                scope.port = Some(target.port());
                title = format!("{title}:{}", target.port());
                if scope.kind == ScopeKind::Workspace
                    && let Some(members) = request.as_object_mut()
                {
                    members.insert(approvals::VALID_FOR.to_owned(), CARRIED_OUT_VALID_S.into());
                }
            }
            Asking::new(&context, &principal_id, &ask_digest, &facts.action, &title, scope, request)
        });
        let expected = &ruling.decision;
        let prepared = Prepared {
            requested: facts.requested(),
            outcome: facts.outcome(expected, ruling.mode, expected.approval.as_ref().map(|used| &used.approval_id)),
            trace: decision::trace(expected),
            rules: decision::rules(expected),
        };
        Ok(Self { ruling, facts, context, principal_id, asking, fence, gateway, prepared })
    }

    pub(super) fn id(&self) -> &EgressRequestId {
        &self.facts.egress_request_id
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
            gateway_id: self.gateway.clone(),
            tunnel: self.facts.tunnel,
        }
    }
}

/// What an approval covers that was asked for by something to be carried out, but for whom and where to.
/// Clients try again on new connections, so that one use would never do; its run, or a short while, does.
fn carried_out(run: Option<&RunId>) -> ApprovalScope {
    let kind = if run.is_some() { ScopeKind::Run } else { ScopeKind::Workspace };
    ApprovalScope { run_id: run.cloned(), ..ApprovalScope::of(kind) }
}

impl Command for RecordEgress {
    type Output = EgressSettled;
    type Refusal = Refusal;

    fn reads(&self, reads: &mut Reads) {
        self.ruling.reads(reads, Some(&self.principal_id));
        reads.stream(Stream::of(&self.context.workspace_id, self.context.room_id.as_ref()));
        if let Some(asking) = &self.asking {
            asking.reads(reads, &self.context);
        }
        if let Some(fence) = &self.fence {
            fence.reads(reads);
        }
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<EgressSettled, Refusal> {
        if let Some(fence) = &self.fence {
            fence.check(tx)?;
        }
        Ok(self.settle_after(tx, None))
    }
}

impl RecordEgress {
    /// Settles it as what follows `cause`.
    pub(super) fn settle_after(&self, tx: &mut Tx<'_>, cause: Option<EventId>) -> EgressSettled {
        let mode = self.ruling.mode;
        let decision = self.ruling.settle(tx, Some(&self.principal_id));
        let as_expected = matches!(decision, Cow::Borrowed(_));
        self.ruling.log_after(tx, self.facts.egress_request_id.clone().into(), Some(&self.principal_id), &decision);
        let requested = EventDraft::new(EventType::EgressRequested, self.prepared.requested.clone());
        let mut cause = Some(tx.append(&self.context, requested.caused_by(cause)));
        let token = self.facts.capability_token_id.as_deref();
        if let Some(draft) = policy_event(&decision, Category::Egress, &self.facts.action, token, mode) {
            cause = Some(tx.append(&self.context, draft.caused_by(cause)));
        }
        let approval_id = match decision.outcome {
            Outcome::RequireApproval => self.asking.as_ref().map(|asking| asking.raise(tx, &self.context, &mut cause)),
            Outcome::Allow | Outcome::Deny => decision.approval.as_ref().map(|used| used.approval_id.clone()),
        };
        let (event_type, data) = match decision.outcome {
            Outcome::Allow if as_expected => (EventType::EgressAllowed, self.prepared.outcome.clone()),
            Outcome::Allow => (EventType::EgressAllowed, self.facts.outcome(&decision, mode, approval_id.as_ref())),
            Outcome::RequireApproval | Outcome::Deny => {
                (EventType::EgressBlocked, self.facts.outcome(&decision, mode, approval_id.as_ref()))
            }
        };
        let last_event_id = tx.append(&self.context, EventDraft::new(event_type, data).caused_by(cause));
        let mut last_event_id = last_event_id;
        if decision.reason_code == ReasonCode::QuotaExceeded {
            let draft = EventDraft::new(EventType::QuotaExceeded, self.facts.exceeded(&decision));
            last_event_id = tx.append(&self.context, draft.caused_by(Some(last_event_id)));
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
        EgressSettled { answer, principal_id: self.principal_id.clone(), last_event_id }
    }
}
