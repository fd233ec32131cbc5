//! Waiting for a human: whoever is held asks how its approval stands, and is told within a moment.
//!
//! All that wait in a process share one look at the store per [`LOOK`], whatever their number; nobody
//! looks while nobody waits.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError, Weak};
use std::time::Duration;

use model::approval::ApprovalStatus;
use model::{ApprovalId, WorkspaceId};
use tokio::sync::watch;

use crate::Gate;

/// How often the store is asked.
const LOOK: Duration = Duration::from_millis(100);

type Waited = HashMap<(WorkspaceId, ApprovalId), watch::Sender<ApprovalStatus>>;

/// The approvals that somebody waits for.
#[derive(Default)]
pub(crate) struct Waits(Mutex<Waited>);

impl Waits {
    fn join(&self, key: &(WorkspaceId, ApprovalId)) -> (watch::Receiver<ApprovalStatus>, bool) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let first = all.is_empty();
        let sender = all.entry(key.clone()).or_insert_with(|| watch::Sender::new(ApprovalStatus::Pending));
        (sender.subscribe(), first)
    }

    /// What is waited for now; what nobody waits for any more is forgotten.
    fn wanted(&self) -> Vec<(WorkspaceId, ApprovalId)> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, sender| sender.receiver_count() > 0);
        all.keys().cloned().collect()
    }

    fn tell(&self, key: &(WorkspaceId, ApprovalId), status: ApprovalStatus) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = all.get(key) {
            sender.send_replace(status);
        }
        if !status.is_open() {
            all.remove(key);
        }
    }
}

impl Gate {
    /// Waits until an approval is decided or ends, at most for `patience`, and gives how it stands then.
    pub async fn wait_for_approval(
        &self,
        workspace: &WorkspaceId,
        approval: &ApprovalId,
        patience: Duration,
    ) -> ApprovalStatus {
        let key = (workspace.clone(), approval.clone());
        let (mut told, first) = self.waits().join(&key);
        if first {
            let gate = std::sync::Arc::downgrade(&self.inner);
            tokio::spawn(look(gate));
        }
        let decided = told.wait_for(|status| !status.is_open());
        match tokio::time::timeout(patience, decided).await {
            Ok(Ok(status)) => *status,
            Ok(Err(_)) | Err(_) => ApprovalStatus::Pending,
        }
    }
}

async fn look(gate: Weak<crate::Inner>) {
    loop {
        tokio::time::sleep(LOOK).await;
        let Some(inner) = gate.upgrade() else { return };
        let gate = Gate { inner };
        let wanted = gate.waits().wanted();
        if wanted.is_empty() {
            return;
        }
        for key in wanted {
            match gate.store().approval(&key.0, &key.1).await {
                Ok(Some(row)) => gate.waits().tell(&key, row.status),
                Ok(None) => gate.waits().tell(&key, ApprovalStatus::Expired),
                Err(error) => tracing::debug!(%error, "an approval that is waited for cannot be read"),
            }
        }
    }
}
