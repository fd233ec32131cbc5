//! Who a key, or a capability token, is.

use model::capability::Caveat;
use model::{KeyId, PrincipalId, Role, TokenId, WorkspaceId};
use serde::Serialize;

use crate::call::{Call, ok};
use crate::problem::Reply;

/// Who the caller is.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Whoami {
    /// The public part of the key; of a capability token a name for the token and its caveats.
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
    /// The capability token that all is asked with, when that is what was shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    capability_token_id: Option<TokenId>,
    /// What the holder of the token took away, one object per caveat.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    caveats: Option<Vec<Caveat>>,
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
        capability_token_id: caller.capability_token_id().cloned(),
        caveats: caller.is_narrowed().then(|| caller.caveats().to_vec()),
    })
}
