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

type Key = (WorkspaceId, ApprovalId);

#[derive(Default)]
struct Waited {
    all: HashMap<Key, watch::Sender<ApprovalStatus>>,
    /// Whether somebody looks.
    looking: bool,
}

/// The approvals that somebody waits for.
#[derive(Default)]
pub(crate) struct Waits(Mutex<Waited>);

impl Waits {
    /// Joins those who wait; also gives whether somebody has to begin to look.
    fn join(&self, key: &Key) -> (watch::Receiver<ApprovalStatus>, bool) {
        let mut waited = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let first = !std::mem::replace(&mut waited.looking, true);
        let sender = waited.all.entry(key.clone()).or_insert_with(|| watch::Sender::new(ApprovalStatus::Pending));
        (sender.subscribe(), first)
    }

    /// What is waited for now; what nobody waits for any more is forgotten. When nothing is, whoever
    /// looks must end.
    fn wanted(&self) -> Vec<Key> {
        let mut waited = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waited.all.retain(|_, sender| sender.receiver_count() > 0);
        waited.looking = !waited.all.is_empty();
        waited.all.keys().cloned().collect()
    }

    fn holds(&self, key: &Key) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).all.contains_key(key)
    }

    fn tell(&self, key: &Key, status: ApprovalStatus) {
        let mut waited = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = waited.all.get(key) {
            sender.send_replace(status);
        }
        if !status.is_open() {
            waited.all.remove(key);
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

    /// Tells those who wait for an approval in this process that it was decided.
    pub(super) async fn tell_waiting(&self, workspace: &WorkspaceId, approval: &ApprovalId) {
        let key = (workspace.clone(), approval.clone());
        if self.waits().holds(&key) {
            self.look_at(&key).await;
        }
    }

    async fn look_at(&self, key: &Key) {
        match self.store().approval(&key.0, &key.1).await {
            Ok(Some(row)) => self.waits().tell(key, row.status),
            Ok(None) => self.waits().tell(key, ApprovalStatus::Expired),
            Err(error) => tracing::debug!(%error, "an approval that is waited for cannot be read"),
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
            gate.look_at(&key).await;
        }
    }
}
