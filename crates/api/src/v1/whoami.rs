//! Who a key is.

use model::{KeyId, PrincipalId, Role, WorkspaceId};
use serde::Serialize;

use crate::call::{Call, ok};
use crate::problem::Reply;

/// Who the caller is.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Whoami {
    /// The public part of the key.
    #[schema(value_type = String)]
    key_id: KeyId,
    /// What the key is for.
    #[schema(value_type = String)]
    role: Role,
    /// The workspace of this request.
    #[schema(value_type = String)]
    workspace_id: WorkspaceId,
    /// The key's own principal.
    #[schema(value_type = String)]
    principal_id: PrincipalId,
    /// The actor that asks of this key are made as: service, user or agent.
    actor_type: &'static str,
    /// Its name.
    actor_id: String,
}

/// Says who the caller is.
#[utoipa::path(get, path = "/v1/whoami", responses((status = 200, body = Whoami)))]
pub(crate) async fn handle(call: Call) -> Reply {
    let caller = &call.caller;
    let actor = caller.actor();
    ok(&Whoami {
        key_id: caller.key_id.clone(),
        role: caller.role,
        workspace_id: caller.workspace_id.clone(),
        principal_id: caller.principal_id.clone(),
        actor_type: actor.kind.as_str(),
        actor_id: actor.id,
    })
}
