//! The principal of a name that older callers use, made when there is none.
//!
//! Like a first use, this moves no policy head: a process that does not know the principal yet
//! reads it from the store when it is named.

use model::{Actor, ActorType, PrincipalId, Time, WorkspaceId};
use serde::{Deserialize, Serialize};
use store::rows::PrincipalRow;
use store::{Command, Reads, Tx};

use super::{actor, record_created};
use crate::change::By;
use crate::{Caller, Gate, GateError, Refusal};

/// The name.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EnsurePrincipalInput {
    /// `user`, `agent` or `service`.
    pub actor_type: Option<String>,
    /// 1 to 200 bytes.
    pub actor_id: Option<String>,
}

/// The principal behind the name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EnsurePrincipalOutput {
    /// The principal.
    pub principal: PrincipalView,
}

/// A principal as answers show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PrincipalView {
    /// Its id.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub principal_id: PrincipalId,
    /// Its workspace; null = all.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub workspace_id: Option<WorkspaceId>,
    /// `user`, `agent` or `service`.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub principal_type: ActorType,
    /// With `legacy_actor_id`: the name it goes by.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub legacy_actor_type: Option<ActorType>,
    /// See `legacy_actor_type`.
    pub legacy_actor_id: Option<String>,
    /// When it was made.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub created_at: Time,
    /// When it was revoked.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub revoked_at: Option<Time>,
}

impl From<PrincipalRow> for PrincipalView {
    fn from(row: PrincipalRow) -> Self {
        Self {
            principal_id: row.principal_id,
            workspace_id: row.workspace_id,
            principal_type: row.principal_type,
            legacy_actor_type: row.legacy_actor_type,
            legacy_actor_id: row.legacy_actor_id,
            created_at: row.created_at,
            revoked_at: row.revoked_at,
        }
    }
}

impl Gate {
    /// Gives the principal of an actor's name, made now when there is none. However many ask at
    /// once, there is one.
    ///
    /// # Errors
    /// 400 `invalid_actor_type`, `invalid_actor_id`; 409 `principal_revoked`; see [`GateError`].
    pub async fn ensure_principal(
        &self,
        caller: &Caller,
        input: EnsurePrincipalInput,
    ) -> Result<EnsurePrincipalOutput, GateError> {
        let read = actor(input.actor_type.as_deref(), input.actor_id.as_deref(), ["/actor_type", "/actor_id"]);
        let actor = self.told(caller, read).await?;
        let ensured = self
            .submit(caller, None, |caller| Ok(EnsurePrincipal { by: By::of(caller), actor: actor.clone() }))
            .await?;
        Ok(ensured.value)
    }
}

struct EnsurePrincipal {
    by: By,
    actor: Actor,
}

impl Command for EnsurePrincipal {
    type Output = EnsurePrincipalOutput;
    type Refusal = Refusal;

    fn reads(&self, reads: &mut Reads) {
        self.by.expects(reads);
        reads.actor(&self.by.workspace_id, &self.actor);
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<EnsurePrincipalOutput, Refusal> {
        let workspace = &self.by.workspace_id;
        let known = tx.known_principal_of(workspace, &self.actor).is_some();
        let principal_id = tx.principal_of(workspace, &self.actor);
        let row = tx
            .get::<PrincipalRow>(&[principal_id.as_str()])
            .cloned()
            .ok_or_else(|| Refusal::not_found("principal_not_found", "there is no such principal"))?;
        if row.revoked_at.is_some() {
            return Err(Refusal::conflict("principal_revoked", "the principal of this name has been revoked"));
        }
        if !known {
            record_created(tx, &self.by.context(false), &row);
        }
        Ok(EnsurePrincipalOutput { principal: row.into() })
    }
}
