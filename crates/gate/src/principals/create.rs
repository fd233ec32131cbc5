//! Making a principal on purpose.

use model::{Actor, ActorType, PrincipalId};
use serde::{Deserialize, Serialize};
use store::rows::PrincipalRow;
use store::{Command, IdempotencyKey, ObjectKind, Reads, Tx};

use super::{actor, record_created};
use crate::change::By;
use crate::{Answered, Caller, Gate, GateError, Refusal};

/// A principal to be made.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreatePrincipalInput {
    /// `user`, `agent` or `service`.
    pub principal_type: Option<String>,
    /// With `legacy_actor_id`: the name it goes by in asks that give no principal.
    pub legacy_actor_type: Option<String>,
    /// See `legacy_actor_type`.
    pub legacy_actor_id: Option<String>,
}

/// A principal that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreatePrincipalOutput {
    /// Its id.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub principal_id: PrincipalId,
}

impl Gate {
    /// Makes a principal of the caller's workspace.
    ///
    /// # Errors
    /// 400 `invalid_principal_type`, `invalid_actor_type`, `invalid_actor_id`;
    /// 409 `principal_already_exists` when another goes by the same name; see [`GateError`].
    pub async fn create_principal(
        &self,
        caller: &Caller,
        input: CreatePrincipalInput,
        once: Option<IdempotencyKey>,
    ) -> Result<Answered<CreatePrincipalOutput>, GateError> {
        let (principal_type, legacy) = self.told(caller, read(&input)).await?;
        let principal_id = PrincipalId::new();
        self.submit(caller, once, |caller| {
            Ok(CreatePrincipal {
                by: By::of(caller),
                principal_id: principal_id.clone(),
                principal_type,
                legacy: legacy.clone(),
            })
        })
        .await
    }
}

fn read(input: &CreatePrincipalInput) -> Result<(ActorType, Option<Actor>), Refusal> {
    let principal_type =
        input.principal_type.as_deref().and_then(|text| ActorType::parse(text.trim())).ok_or_else(|| {
            Refusal::invalid("invalid_principal_type", "one of `service`, `user`, `agent`").at("/principal_type")
        })?;
    let (kind, id) = (input.legacy_actor_type.as_deref(), input.legacy_actor_id.as_deref());
    let legacy = match (kind, id) {
        (None, None) => None,
        _ => Some(actor(kind, id, ["/legacy_actor_type", "/legacy_actor_id"])?),
    };
    Ok((principal_type, legacy))
}

struct CreatePrincipal {
    by: By,
    principal_id: PrincipalId,
    principal_type: ActorType,
    legacy: Option<Actor>,
}

impl Command for CreatePrincipal {
    type Output = CreatePrincipalOutput;
    type Refusal = Refusal;

    fn reads(&self, reads: &mut Reads) {
        self.by.moves_policy(reads);
        if let Some(actor) = &self.legacy {
            reads.actor(&self.by.workspace_id, actor);
        }
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<CreatePrincipalOutput, Refusal> {
        let workspace = &self.by.workspace_id;
        let mut row = PrincipalRow {
            principal_id: self.principal_id.clone(),
            workspace_id: Some(workspace.clone()),
            principal_type: self.principal_type,
            legacy_actor_type: None,
            legacy_actor_id: None,
            created_at: tx.now(),
            revoked_at: None,
        };
        if let Some(actor) = &self.legacy {
            if tx.known_principal_of(workspace, actor).is_some() {
                return Err(Refusal::conflict("principal_already_exists", "another principal goes by this name"));
            }
            // Made through the store's own door, so that the rest of the batch knows the name.
            row.principal_id = tx.principal_of(workspace, actor);
            row.legacy_actor_type = Some(actor.kind);
            row.legacy_actor_id = Some(actor.id.clone());
        }
        tx.put(row.clone());
        record_created(tx, &self.by.context(false), &row);
        self.by.changed(tx, Some(workspace), ObjectKind::Principal, row.principal_id.as_str());
        Ok(CreatePrincipalOutput { principal_id: row.principal_id })
    }
}
