//! Asking a human: the pending approval for an ask, the one that is open, else a new one.

use model::approval::ApprovalScope;
use model::event::{EventContext, EventDraft, EventType};
use model::{ApprovalId, Canonical, EventId, PrincipalId};
use serde_json::{Value, json};
use store::rows::{RunRow, WaitRow};
use store::{Reads, Tx, ask_key};

/// An approval that may have to be asked for.
pub(crate) struct Asking {
    ask_key: String,
    scope: ApprovalScope,
    action: String,
    title: String,
    request: Value,
}

impl Asking {
    /// The approval for an ask of `principal`. `request` is what the human is shown; whatever of
    /// `principal_id` and `ask_digest` belongs to every request is added.
    pub(crate) fn new(
        context: &EventContext,
        principal: &PrincipalId,
        ask_digest: &str,
        action: &str,
        what: &str,
        scope: ApprovalScope,
        mut request: Value,
    ) -> Self {
        let domain = scope.target_domain.as_deref();
        let ask_key = ask_key(&context.workspace_id, &scope, ask_digest, Some(principal), domain, action);
        if let Some(members) = request.as_object_mut() {
            members.insert("principal_id".to_owned(), json!(principal));
            members.insert("ask_digest".to_owned(), json!(ask_digest));
        }
        Self { ask_key, scope, action: action.to_owned(), title: what.to_owned(), request }
    }

    /// Declares what [`Self::raise`] looks at.
    pub(crate) fn reads(&self, reads: &mut Reads, context: &EventContext) {
        reads.open_ask(&context.workspace_id, &self.ask_key);
        if let Some(run) = &context.run_id {
            // Whether the run waits is settled by whoever holds its row.
            reads.row::<RunRow>(&[run.as_str()]);
            reads.row::<WaitRow>(&[run.as_str()]);
        }
    }

    /// The approval; `cause` moves on when one is asked for.
    pub(crate) fn raise(&self, tx: &mut Tx<'_>, context: &EventContext, cause: &mut Option<EventId>) -> ApprovalId {
        let now = tx.now();
        let open = tx.open_ask(&context.workspace_id, &self.ask_key);
        if let Some((id, ended)) = open.map(|row| (row.approval_id.clone(), row.expires_at.is_some_and(|at| at <= now)))
        {
            if !ended {
                return id;
            }
            let data = Canonical::from(&json!({"approval_id": id}));
            let draft = EventDraft::new(EventType::ApprovalExpired, data).caused_by(cause.take());
            *cause = Some(tx.append(context, draft));
        }
        let id = ApprovalId::new();
        let mut data = json!({
            "approval_id": id,
            "action": self.action,
            "title": self.title,
            "request": self.request,
            "scope": self.scope,
        });
        if let Some(members) = data.as_object_mut()
            && context.policy_context != Canonical::empty()
        {
            members.insert("context".to_owned(), context.policy_context.to_value());
        }
        let draft = EventDraft::new(EventType::ApprovalRequested, (&data).into()).caused_by(cause.take());
        *cause = Some(tx.append(context, draft));
        id
    }
}
