//! What ends approvals without a human: time, and a policy under which nobody needs to be asked.
//!
//! Decisions do not wait for this: they compare with the clock and with the policy themselves. The
//! sweep makes the lists tell the same. Any number of replicas may sweep at once; what one ended
//! the others find ended.

mod moot;

use std::collections::HashMap;
use std::sync::Arc;

use model::approval::ApprovalStatus;
use model::event::{EventContext, EventType, Stream};
use model::{Actor, ActorType, Canonical, WorkspaceId, Zone};
use store::rows::{ApprovalRow, RunRow, WaitRow};
use store::{Command, DbError, ObjectKind, Reads, SubmitError, Tx, View};

use crate::change::Facts;
use crate::{Gate, GateError, clock};

/// LIMIT: how many approvals are looked at in one read.
const PAGE: i64 = 200;

/// What a sweep ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Approvals whose time had run out.
    pub out_of_time: u64,
    /// Open approvals whose ask has another outcome now.
    pub moot: u64,
}

impl Gate {
    /// Expires approvals: those whose time has run out, and open ones whose ask would have another
    /// outcome under the policy of now. To be called every few seconds and after policy changed.
    ///
    /// # Errors
    /// [`GateError`] when the store cannot be read or written; what was expired before stays so.
    pub async fn sweep_approvals(&self) -> Result<Swept, GateError> {
        Ok(Swept { out_of_time: self.sweep_out_of_time().await?, moot: self.sweep_moot().await? })
    }

    async fn sweep_out_of_time(&self) -> Result<u64, GateError> {
        let mut ended = 0;
        loop {
            let page = self.store().approvals_out_of_time(clock::now(), PAGE).await?;
            let full = page.len() >= usize::try_from(PAGE).unwrap_or(usize::MAX);
            let mut progress = 0;
            for row in page {
                progress += u64::from(self.expire(row, Cause::Time).await?);
            }
            ended += progress;
            // Without progress the rest is not due by the store's clock yet.
            if !full || progress == 0 {
                return Ok(ended);
            }
        }
    }

    async fn sweep_moot(&self) -> Result<u64, GateError> {
        let mut ended = 0;
        let mut after: Option<String> = None;
        let mut views: HashMap<WorkspaceId, Arc<View>> = HashMap::new();
        loop {
            let page = self.store().open_asks(after.as_deref(), PAGE).await?;
            let Some(last) = page.last() else { return Ok(ended) };
            after = Some(last.approval_id.as_str().to_owned());
            for row in page {
                let workspace = row.workspace_id.clone();
                if !views.contains_key(&workspace) {
                    views.insert(workspace.clone(), self.store().fresh(&workspace).await?);
                }
                let Some(view) = views.get(&workspace) else { continue };
                let Some(view) = self.knowing(Arc::clone(view), &row).await? else { continue };
                if moot::is_moot(&view, &row, clock::now()) {
                    ended += u64::from(self.expire(row, Cause::Policy(view)).await?);
                }
            }
        }
    }

    /// The view with everybody the ask names; `None` when the approval does not tell its ask.
    async fn knowing(&self, view: Arc<View>, row: &ApprovalRow) -> Result<Option<Arc<View>>, DbError> {
        let Some(ask) = moot::ask(row) else { return Ok(None) };
        let mut view = view;
        if let Some(principal) = &ask.principal_id
            && view.snapshot.principal(&ask.workspace_id, principal).is_none()
        {
            view = self.store().learn_principal(principal.as_str()).await?;
        }
        if let Some(token) = &ask.capability_token_id
            && view.snapshot.token(&ask.workspace_id, token).is_none()
        {
            view = self.store().learn_token(token.as_str()).await?;
        }
        Ok(Some(view))
    }

    /// Whether the approval was ended now.
    async fn expire(&self, row: ApprovalRow, cause: Cause) -> Result<bool, GateError> {
        match self.store().submit(ExpireApproval { row, cause }).await {
            Ok(recorded) => Ok(recorded.into_inner()),
            // The policy moved again: the next sweep looks anew.
            Err(SubmitError::Stale) => Ok(false),
            Err(SubmitError::Refused(never)) => match never {},
            Err(SubmitError::Unavailable(error)) => Err(GateError::Unavailable(error)),
            Err(SubmitError::Failed(error)) => Err(GateError::Failed(error)),
        }
    }
}

/// Why an approval ends.
enum Cause {
    /// Its time has run out.
    Time,
    /// Under this view its ask has another outcome.
    Policy(Arc<View>),
}

struct ExpireApproval {
    /// The approval as it was listed; only what never changes is used of it.
    row: ApprovalRow,
    cause: Cause,
}

impl ExpireApproval {
    fn sweeper() -> Actor {
        Actor::new(ActorType::Service, "exeat")
    }

    fn context(&self) -> EventContext {
        EventContext {
            workspace_id: self.row.workspace_id.clone(),
            room_id: self.row.room_id.clone(),
            thread_id: None,
            run_id: self.row.run_id.clone(),
            step_id: self.row.step_id.clone(),
            actor: Self::sweeper(),
            principal_id: None,
            zone: Zone::Supervised,
            correlation_id: self.row.correlation_id.clone(),
            policy_context: Canonical::empty(),
            model_context: Canonical::empty(),
            contains_secrets: false,
        }
    }

    fn is_due(&self, row: &ApprovalRow, tx: &Tx<'_>) -> bool {
        match self.cause {
            Cause::Time => {
                let live =
                    row.status.is_open() || (row.status == ApprovalStatus::Approved && row.consumed_at.is_none());
                live && row.expires_at.is_some_and(|end| end <= tx.now())
            }
            Cause::Policy(_) => row.status.is_open(),
        }
    }
}

impl Command for ExpireApproval {
    type Output = bool;
    type Refusal = std::convert::Infallible;

    fn reads(&self, reads: &mut Reads) {
        if let Cause::Policy(view) = &self.cause {
            view.expect(reads, &self.row.workspace_id);
        }
        reads.moves_head(self.row.workspace_id.as_str());
        reads.stream(Stream::of(&self.row.workspace_id, self.row.room_id.as_ref()));
        reads.actor(&self.row.workspace_id, &Self::sweeper());
        reads.row::<ApprovalRow>(&[self.row.approval_id.as_str()]);
        if let Some(run) = &self.row.run_id {
            // Whether the run waits is settled by whoever holds its row.
            reads.row::<RunRow>(&[run.as_str()]);
            reads.row::<WaitRow>(&[run.as_str()]);
        }
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<bool, Self::Refusal> {
        let id = &self.row.approval_id;
        let Some(row) = tx.get::<ApprovalRow>(&[id.as_str()]).cloned().filter(|row| self.is_due(row, tx)) else {
            return Ok(false);
        };
        let draft = Facts::new()
            .with("approval_id", id)
            .draft(EventType::ApprovalExpired)
            .caused_by(Some(row.last_event_id.clone()));
        tx.append(&self.context(), draft);
        if row.status == ApprovalStatus::Approved {
            tx.policy_changed(self.row.workspace_id.as_str(), ObjectKind::Approval, id.as_str());
        }
        Ok(true)
    }
}
