//! The claimer of a worker: which runs it looks for, workspace by workspace.

use std::collections::BTreeMap;

use gate::GateError;
use store::{Claim, ClaimKind, SubmitError};

use super::Worker;
use crate::claim::{ClaimRuns, Claimed};

/// How many workspaces get a turn in one claim, if there is room for a run of each.
const WORKSPACES: u8 = 16;

/// Takes runs for a worker; there is one in a process.
pub(super) struct Claimer {
    worker: Worker,
    /// The workspace that the last turn ended with; empty when all had one.
    turn: String,
}

impl Claimer {
    pub(super) fn new(worker: Worker) -> Self {
        Self { worker, turn: String::new() }
    }

    /// Takes up to `room` runs.
    pub(super) async fn claim(&mut self, room: usize) -> Result<Claimed, GateError> {
        let limit = u32::try_from(room).unwrap_or(u32::MAX);
        let command = ClaimRuns { by: None, holder: self.worker.holder(), limit, claims: self.claims(limit).await? };
        match self.worker.runs.gate().store().submit(command).await {
            Ok(recorded) => Ok(recorded.into_inner()),
            Err(SubmitError::Refused(refusal)) => Err(refusal.into()),
            Err(SubmitError::Stale) => Ok(Claimed::default()),
            Err(SubmitError::Unavailable(error)) => Err(GateError::Unavailable(error)),
            Err(SubmitError::Failed(error)) => Err(GateError::Failed(error)),
        }
    }

    /// What is looked for: what went wrong elsewhere, what was decided, and the queues of the next
    /// workspaces, each its share.
    async fn claims(&mut self, limit: u32) -> Result<BTreeMap<Claim, u32>, GateError> {
        let config = &self.worker.config;
        let actor = Some(Worker::author().actor);
        let of = |kind, workspace_id| Claim { kind, workspace_id, room_id: None, actor: actor.clone() };
        let only = config.workspace_id.clone();
        let mut claims: BTreeMap<Claim, u32> = [ClaimKind::Expired, ClaimKind::TimedOut, ClaimKind::Decided]
            .into_iter()
            .map(|kind| (of(kind, only.clone()), limit))
            .collect();
        let workspaces = match only {
            Some(only) => vec![only],
            None => {
                let store = self.worker.runs.gate().store();
                let seen = i64::from(WORKSPACES);
                let mut next = store.ready_workspaces(&self.turn, seen).await?;
                let full = next.len() >= usize::from(WORKSPACES);
                if !full && !self.turn.is_empty() {
                    let first = store.ready_workspaces("", seen).await?;
                    next.extend(first.into_iter().filter(|id| id.as_str() <= self.turn.as_str()));
                }
                // No more of them than get a run each, so that the turn passes nobody in vain.
                let most = usize::from(WORKSPACES).min(usize::try_from(limit).unwrap_or(usize::MAX));
                let all = !full && next.len() <= most;
                next.truncate(most);
                let last = next.last().filter(|_| !all);
                self.turn = last.map(|id| id.as_str().to_owned()).unwrap_or_default();
                next
            }
        };
        let share = limit.div_ceil(u32::try_from(workspaces.len().max(1)).unwrap_or(1));
        claims.extend(workspaces.into_iter().map(|id| (of(ClaimKind::Ready, Some(id)), share)));
        Ok(claims)
    }
}
