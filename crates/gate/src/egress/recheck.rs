//! Asking again about what lasts: a tunnel stays open only while it would still be let through.
//!
//! The approval that admitted it is pinned: it counts until it is revoked or over, also when it was for
//! one use. Neither quota nor uses are taken again, and nothing is recorded: what ends has an outcome.

use std::sync::Arc;

use model::approval::ApprovalStatus;
use model::{ApprovalId, Mode, Outcome, ReasonCode, WorkspaceId};
use policy::decide;
use store::View;

use crate::{Admission, Gate, GateError, clock};

/// Policy as new as the store was at some moment after it was asked for.
#[derive(Clone)]
pub struct Now(Arc<View>);

/// What is to become of something that lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recheck {
    /// It may go on.
    Stays,
    /// The credential it was asked with is no longer good.
    Unauthenticated,
    /// The decision is another one now.
    Ends(ReasonCode),
}

impl Gate {
    /// Policy of now, to ask again about many things of one workspace.
    ///
    /// # Errors
    /// [`GateError`] when the store cannot be read.
    pub async fn now(&self, workspace: &WorkspaceId) -> Result<Now, GateError> {
        Ok(Now(self.store().fresh(workspace).await?))
    }

    /// Asks again about something that lasts.
    ///
    /// # Errors
    /// [`GateError`] when the store cannot be read.
    pub async fn recheck(&self, now: &Now, admission: &Admission) -> Result<Recheck, GateError> {
        let effect = &admission.effect;
        let Some(caller) = effect.caller.clone().on(Arc::clone(&now.0)) else { return Ok(Recheck::Unauthenticated) };
        if !self.goes_on(&caller).await? {
            return Ok(Recheck::Unauthenticated);
        }
        let snapshot = &caller.view.snapshot;
        let decision = decide(snapshot, &effect.ask, clock::now(), &[]);
        let mode = if effect.always_enforced { Mode::Enforce } else { snapshot.mode(&effect.ask.workspace_id) };
        if !decision.blocks(mode) {
            return Ok(Recheck::Stays);
        }
        if decision.outcome == Outcome::RequireApproval
            && let Some(id) = &admission.admitted_by
            && self.still_good(&effect.ask.workspace_id, id).await?
        {
            return Ok(Recheck::Stays);
        }
        Ok(Recheck::Ends(decision.reason_code))
    }

    /// Whether an approval that has admitted something was neither taken back nor ended.
    async fn still_good(&self, workspace: &WorkspaceId, id: &ApprovalId) -> Result<bool, GateError> {
        let Some(row) = self.store().approval(workspace, id).await? else { return Ok(false) };
        // One that was for one use stays approved when that is made.
        let good = row.status == ApprovalStatus::Approved;
        Ok(good && row.expires_at.is_none_or(|end| end > clock::now()))
    }
}
