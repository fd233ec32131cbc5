//! The command that records a decision that nobody else records.

use std::sync::Arc;

use model::event::{EventContext, EventDraft, EventType, Stream};
use model::{Actor, Decision, DecisionId, EventId, Outcome};
use serde_json::json;
use store::{Command, Reads, Tx};

use crate::Refusal;
use crate::ask::Asked;
use crate::data::Access;
use crate::decision::{self, Kept, policy_event};
use crate::ruling::Ruling;

/// What follows the `policy.*` event.
pub(crate) enum Follow {
    /// Nothing.
    Policy,
    /// Nothing, and no `once` approval is used up: it was only asked.
    Question,
    /// What the catalogue says of an access to data.
    Access(Arc<Access>),
}

pub(crate) struct RecordDecision {
    ruling: Ruling,
    id: DecisionId,
    action: String,
    token: Option<String>,
    context: EventContext,
    actor: Actor,
    follow: Follow,
}

impl RecordDecision {
    pub(crate) fn new(asked: Asked, ruling: Ruling, id: DecisionId, follow: Follow) -> Self {
        let actor = asked.context.actor.clone();
        Self { ruling, id, action: asked.action, token: asked.token, context: asked.context, actor, follow }
    }

    fn append(&self, tx: &mut Tx<'_>, draft: EventDraft, cause: &mut Option<EventId>) {
        *cause = Some(tx.append(&self.context, draft.caused_by(cause.take())));
    }
}

impl Command for RecordDecision {
    type Output = Decision;
    type Refusal = Refusal;

    fn reads(&self, reads: &mut Reads) {
        self.ruling.reads(reads, self.context.principal_id.as_ref());
        reads.stream(Stream::of(&self.context.workspace_id, self.context.room_id.as_ref()));
        if self.context.principal_id.is_none() {
            reads.actor(&self.context.workspace_id, &self.actor);
        }
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<Decision, Refusal> {
        let this = &*self;
        let settled = this.ruling.settle(tx, this.context.principal_id.as_ref());
        this.ruling.log_after(tx, this.id.clone(), this.context.principal_id.as_ref(), &settled);
        let decision = settled.into_owned();
        let (mode, category) = (this.ruling.mode, this.ruling.ask.category());
        let mut cause = None;
        if let Some(draft) = policy_event(&decision, category, &this.action, this.token.as_deref(), mode) {
            this.append(tx, draft, &mut cause);
        }
        if let Follow::Access(access) = &this.follow {
            for draft in access.events(&this.action, &decision, mode) {
                this.append(tx, draft, &mut cause);
            }
        }
        let used = decision.approval.as_ref().filter(|_| decision.outcome == Outcome::Allow);
        let asked_only = matches!(this.follow, Follow::Question);
        if let Some(used) = used.filter(|used| used.once && !asked_only) {
            let data = json!({"approval_id": used.approval_id, "by": this.id});
            this.append(tx, EventDraft::new(EventType::ApprovalConsumed, (&data).into()), &mut cause);
        }
        let principal_id = match &this.context.principal_id {
            Some(id) => Some(id),
            None => tx.known_principal_of(&this.context.workspace_id, &this.actor),
        };
        let kept = Kept {
            id: this.id.clone(),
            category,
            action: &this.action,
            context: &this.context,
            principal_id,
            mode,
            approval_id: used.map(|used| used.approval_id.clone()),
            trace: decision::trace(&decision),
            rules: decision::rules(&decision),
            at: tx.now(),
        };
        let row = decision::row(&decision, kept);
        tx.insert_decision(row);
        Ok(decision)
    }
}
