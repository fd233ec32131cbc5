//! A principal for an actor that asks for the first time.

use std::sync::Arc;

use model::{Actor, PrincipalId, WorkspaceId};
use store::{Command, Reads, Tx, View};

use crate::Refusal;

/// Makes the principal of an actor unless there is one. No event, and no policy head moves: nothing
/// that was decided before can rest on it.
pub(crate) struct EnsurePrincipal {
    pub(crate) view: Arc<View>,
    pub(crate) workspace_id: WorkspaceId,
    pub(crate) actor: Actor,
}

impl Command for EnsurePrincipal {
    type Output = PrincipalId;
    type Refusal = Refusal;

    fn reads(&self, reads: &mut Reads) {
        self.view.expect(reads, &self.workspace_id);
        reads.actor(&self.workspace_id, &self.actor);
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<PrincipalId, Refusal> {
        Ok(tx.principal_of(&self.workspace_id, &self.actor))
    }
}
