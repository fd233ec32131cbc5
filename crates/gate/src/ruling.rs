//! A decision on its way into the store: what only the batch can settle is settled here, under the
//! locks of the rows it rests on.
//!
//! That is whether a `once` approval is still unused, whether a narrowed token has uses left, and
//! whether the hourly quota has room.

use std::borrow::Cow;
use std::sync::Arc;

use model::approval::ApprovalStatus;
use model::{ApprovalId, Ask, Decision, DecisionId, Mode, Outcome, PrincipalId, Time};
use policy::decide;
use store::rows::ApprovalRow;
use store::{QuotaOutcome, Reads, Tx, View};

use crate::ask::Asked;
use crate::decision::DecisionLog;
use crate::decision::log::Logged;
use crate::uses::{self, Counter};
use crate::{Gate, GateError, clock};

/// LIMIT: how many `once` approvals that cover one ask are looked at in a batch. Used ones are
/// forgotten soon after, so more than a few mean a storm; the rest then waits for the next ask.
const ONCE_MAX: usize = 64;

/// One decided ask.
pub(crate) struct Ruling {
    pub(crate) view: Arc<View>,
    pub(crate) ask: Arc<Ask>,
    pub(crate) decision: Arc<Decision>,
    pub(crate) mode: Mode,
    log: DecisionLog,
    /// Every `once` approval the ask may come to rest on, in order.
    once: Vec<ApprovalId>,
    /// What the token may be used for only so often.
    pub(crate) uses: Arc<[Counter]>,
}

impl Ruling {
    pub(crate) fn of(log: &DecisionLog, asked: &Asked) -> Self {
        let now = clock::now();
        let snapshot = &asked.view.snapshot;
        let decision = decide(snapshot, &asked.ask, now, &[]);
        let mut once = Vec::new();
        let mut next = once_of(&decision);
        while let Some(id) = next.filter(|_| once.len() < ONCE_MAX) {
            once.push(id);
            next = once_of(&decide(snapshot, &asked.ask, now, &once));
        }
        let mode = snapshot.mode(&asked.ask.workspace_id);
        Self {
            view: Arc::clone(&asked.view),
            ask: Arc::new(asked.ask.clone()),
            decision: Arc::new(decision),
            mode,
            log: log.clone(),
            once,
            uses: Arc::clone(&asked.uses),
        }
    }

    /// Logs the decision as it holds in this batch, once the batch is durable.
    #[expect(clippy::ptr_arg, reason = "a borrowed one is the decision that is held here already")]
    pub(crate) fn log_after(
        &self,
        tx: &mut Tx<'_>,
        id: DecisionId,
        by: Option<&PrincipalId>,
        settled: &Cow<'_, Decision>,
    ) {
        let decision = match settled {
            Cow::Borrowed(_) => Arc::clone(&self.decision),
            Cow::Owned(other) => Arc::new(other.clone()),
        };
        let logged = self.logged(id, by, decision, tx.now());
        let log = self.log.clone();
        tx.after_commit(move || log.log(logged));
    }

    /// Logs the decision of an answer that records nothing.
    pub(crate) fn log_now(&self, id: DecisionId, by: Option<&PrincipalId>) {
        self.log.log(self.logged(id, by, Arc::clone(&self.decision), clock::now()));
    }

    fn logged(&self, id: DecisionId, by: Option<&PrincipalId>, decision: Arc<Decision>, at: Time) -> Logged {
        Logged {
            id,
            view: Arc::clone(&self.view),
            ask: Arc::clone(&self.ask),
            principal_id: by.cloned(),
            decision,
            mode: self.mode,
            at,
        }
    }

    /// Whether it rests on an approval that its use consumes, or is a use of its token that counts.
    pub(crate) fn consumes(&self) -> bool {
        self.decision.approval.as_ref().is_some_and(|approval| approval.once) || self.counts()
    }

    /// Whether it is a use of its token that counts, if it is an allow.
    pub(crate) fn counts(&self) -> bool {
        !self.uses.is_empty()
    }

    /// Whether it may become a request for an approval.
    pub(crate) fn may_require_approval(&self) -> bool {
        self.decision.outcome == Outcome::RequireApproval || !self.once.is_empty()
    }

    /// The approvals found used up are of no more use to this process.
    pub(crate) fn once(&self) -> &[ApprovalId] {
        &self.once
    }

    /// Declares what [`Self::settle`] looks at.
    pub(crate) fn reads(&self, reads: &mut Reads, subject: Option<&PrincipalId>) {
        self.view.expect(reads, &self.ask.workspace_id);
        for id in &self.once {
            reads.row::<ApprovalRow>(&[id.as_str()]);
        }
        if let (Some(limit), Some(subject)) = (self.decision.quota_limit, subject) {
            reads.quota(&self.ask.workspace_id, subject.as_str(), limit);
        }
        uses::reads(reads, &self.ask.workspace_id, &self.uses);
    }

    /// The decision as it holds in this batch. `subject` is whose quota it takes from.
    pub(crate) fn settle(&self, tx: &mut Tx<'_>, subject: Option<&PrincipalId>) -> Cow<'_, Decision> {
        let mut decision = Cow::Borrowed(&*self.decision);
        let mut without = Vec::new();
        while let Some(id) = once_of(&decision) {
            if self.once.contains(&id) && is_unused(tx, &id) {
                break;
            }
            without.push(id);
            decision = Cow::Owned(decide(&self.view.snapshot, &self.ask, tx.now(), &without));
        }
        let workspace = &self.ask.workspace_id;
        if decision.outcome == Outcome::Allow
            && let Some(none_left) = uses::used_up(tx, workspace, &self.uses)
        {
            decision = Cow::Owned(decision.into_owned().deny_by_uses(none_left));
        }
        if let Some(limit) = decision.quota_limit {
            let taken = subject.map_or(QuotaOutcome::Exceeded, |subject| {
                tx.take_quota(&self.ask.workspace_id, subject.as_str(), limit)
            });
            if taken == QuotaOutcome::Exceeded {
                decision = Cow::Owned(decision.into_owned().deny_by_quota());
            }
        }
        if decision.outcome == Outcome::Allow {
            uses::take(tx, workspace, &self.uses);
        }
        decision
    }
}

impl Gate {
    /// Decides without the `once` approvals that are used up, for an answer that no batch checks.
    pub(crate) async fn verify_once(&self, ruling: &mut Ruling) -> Result<(), GateError> {
        let mut without = Vec::new();
        while let Some(id) = once_of(&ruling.decision) {
            let row = self.store().approval(&ruling.ask.workspace_id, &id).await?;
            if row.is_some_and(|row| unused(&row, clock::now())) {
                break;
            }
            without.push(id);
            ruling.decision = Arc::new(decide(&ruling.view.snapshot, &ruling.ask, clock::now(), &without));
        }
        self.forget_used(&without).await;
        Ok(())
    }
}

fn once_of(decision: &Decision) -> Option<ApprovalId> {
    decision.approval.as_ref().filter(|approval| approval.once).map(|approval| approval.approval_id.clone())
}

fn is_unused(tx: &Tx<'_>, id: &ApprovalId) -> bool {
    tx.get::<ApprovalRow>(&[id.as_str()]).is_some_and(|row| unused(row, tx.now()))
}

fn unused(row: &ApprovalRow, now: Time) -> bool {
    row.status == ApprovalStatus::Approved && row.consumed_at.is_none() && row.expires_at.is_none_or(|at| at > now)
}
