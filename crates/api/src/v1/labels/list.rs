//! The labels of resources, by type and id.

use serde_json::{from_str, json};

use crate::call::{Call, ok};
use crate::page::{Page, PageParams};
use crate::problem::{Problem, Reply};
use crate::view::ResourceLabelList;

/// The labels of the workspace's resources, by type and id.
#[utoipa::path(
    get,
    path = "/v1/resources/labels",
    params(
        ("resource_type" = Option<String>, Query, description = "With `resource_id`: the one label of this resource"),
        ("resource_id" = Option<String>, Query, description = "With `resource_type`"),
        PageParams
    ),
    responses((status = 200, body = ResourceLabelList), (status = 400, description = "`invalid_request`"))
)]
pub(crate) async fn handle(call: Call) -> Reply {
    let query = call.query()?;
    let page = Page::read(&query, "labels")?;
    let workspace = &call.caller.workspace_id;
    match (query.one("resource_type")?, query.one("resource_id")?) {
        (Some(kind), Some(id)) => {
            let row = call.store().label(workspace, kind, id).await?;
            ok(&ResourceLabelList::of(row.into_iter().collect(), None))
        }
        (None, None) => {
            let place = place(&page)?;
            let after = place.as_ref().map(|(kind, id)| (kind.as_str(), id.as_str()));
            let mut rows = call.store().labels(workspace, after, page.rows()).await?;
            let next = page.cut(&mut rows, |row| json!([row.resource_type, row.resource_id]).to_string());
            ok(&ResourceLabelList::of(rows, next))
        }
        _ => Err(Problem::invalid("resource_id", "`resource_type` goes with `resource_id`")),
    }
}

fn place(page: &Page) -> Result<Option<(String, String)>, Problem> {
    let Some(text) = &page.after else { return Ok(None) };
    from_str(text).map(Some).map_err(|_| Problem::invalid("cursor", "not a cursor of this list"))
}
