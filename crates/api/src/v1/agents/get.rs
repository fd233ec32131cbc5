//! One agent.

use model::AgentId;

use crate::call::{Call, ok};
use crate::problem::{Problem, Reply};
use crate::view::AgentAnswer;

/// One agent.
#[utoipa::path(
    get,
    path = "/v1/agents/{id}",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, body = AgentAnswer), (status = 404, description = "`agent_not_found`"))
)]
pub(crate) async fn handle(call: Call) -> Reply {
    let row = match call.id::<AgentId>() {
        Some(id) => call.store().agent(&call.caller.workspace_id, &id).await?,
        None => None,
    };
    let row = row.ok_or_else(|| Problem::not_found("agent_not_found", "there is no such agent"))?;
    ok(&AgentAnswer::from(row))
}
