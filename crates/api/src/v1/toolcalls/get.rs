//! One tool call. An agent sees those of its own runs only.

use model::{Role, ToolCallId};
use store::rows::ToolCallRow;

use crate::call::{Call, ok};
use crate::problem::{Problem, Reply};
use crate::view::ToolCallAnswer;

/// One tool call. An agent sees those of its own runs only.
#[utoipa::path(
    get,
    path = "/v1/toolcalls/{id}",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, body = ToolCallAnswer), (status = 404, description = "`tool_call_not_found`"))
)]
pub(crate) async fn handle(call: Call) -> Reply {
    let row = seen(&call).await?;
    let row = row.ok_or_else(|| Problem::not_found("tool_call_not_found", "there is no such tool call"))?;
    ok(&ToolCallAnswer::from(row))
}

async fn seen(call: &Call) -> Result<Option<ToolCallRow>, Problem> {
    let workspace = &call.caller.workspace_id;
    let Some(id) = call.id::<ToolCallId>() else { return Ok(None) };
    let Some(row) = call.store().tool_call(workspace, &id).await? else { return Ok(None) };
    if call.caller.role != Role::Agent {
        return Ok(Some(row));
    }
    // Whose it is stands in its run.
    let run = call.store().run(workspace, &row.run_id).await?;
    Ok(run.filter(|run| call.sees(run.created_by_principal_id.as_ref())).map(|_| row))
}
