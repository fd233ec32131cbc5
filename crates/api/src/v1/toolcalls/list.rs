//! Tool calls, newest first. An agent sees those of one of its own runs, which it has to name.

use model::{Role, RunId};
use store::query::ToolCallFilter;

use crate::call::{Call, ok};
use crate::page::{Page, PageParams};
use crate::problem::{Problem, Reply};
use crate::view::ToolCallList;

/// Tool calls, newest first. An agent sees those of one of its own runs, which it has to name.
#[utoipa::path(
    get,
    path = "/v1/toolcalls",
    params(
        ("run_id" = Option<String>, Query, description = "Of this run; an agent has to say which"),
        ("step_id" = Option<String>, Query, description = "Of this step"),
        PageParams),
    responses((status = 200, body = ToolCallList), (status = 400, description = "`invalid_request`"))
)]
pub(crate) async fn handle(call: Call) -> Reply {
    let query = call.query()?;
    let page = Page::read(&query, "toolcalls")?;
    let filter = ToolCallFilter { run_id: query.id("run_id")?, step_id: query.id("step_id")? };
    if call.caller.role == Role::Agent && !own(&call, filter.run_id.as_ref()).await? {
        // As for a run that is not there.
        return ok(&ToolCallList { tool_calls: Vec::new(), next_cursor: None });
    }
    let workspace = &call.caller.workspace_id;
    let mut rows = call.store().tool_calls(workspace, &filter, page.after.as_deref(), page.rows()).await?;
    let next = page.cut(&mut rows, |row| row.tool_call_id.to_string());
    ok(&ToolCallList::of(rows, next))
}

/// Whether the run is there and the caller may see it.
async fn own(call: &Call, run: Option<&RunId>) -> Result<bool, Problem> {
    let run = run.ok_or_else(|| Problem::invalid("run_id", "an agent has to name one of its own runs"))?;
    let row = call.store().run(&call.caller.workspace_id, run).await?;
    Ok(row.is_some_and(|row| call.sees(row.created_by_principal_id.as_ref())))
}
