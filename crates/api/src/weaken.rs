//! A door left open, to prove that tests notice. In a release none of this is ever so.

use gate::Caller;
use model::{PrincipalId, Role, WorkspaceId};
use store::weaken::asked;

use crate::api::Api;
use crate::front::Target;

/// The route that `unauthenticated_route` leaves open.
const OPEN: &str = "list_rooms";

/// Whom a door that was left open lets in.
pub(crate) fn let_in(
    api: &Api,
    target: Target,
    credential: Option<&str>,
    workspace: Option<&str>,
    id: &str,
) -> Option<Caller> {
    let unlocked = asked("unauthenticated_route")
        && credential.is_none()
        && matches!(target, Target::Route(_, route) if route.operation_id == OPEN);
    let unchecked = asked("any_token_is_owner") && credential.is_some();
    if !unlocked && !unchecked {
        return None;
    }
    let workspace = WorkspaceId::parse(workspace.unwrap_or("ws_dev")).ok()?;
    let mut caller = api.gate().inside(workspace, PrincipalId::parse("anybody").ok()?, id);
    caller.role = Role::Owner;
    Some(caller)
}
