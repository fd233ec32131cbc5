//! Events, oldest first.

use super::filter::{self, EventParams};
use crate::call::{Call, ok};
use crate::page::{Page, PageParams};
use crate::problem::{Problem, Reply};
use crate::view::EventList;

/// The tag of cursors into the log, which the stream takes too.
pub(crate) const TAG: &str = "events";

/// Events of the workspace, oldest first.
#[utoipa::path(
    get,
    path = "/v1/events",
    params(EventParams, PageParams),
    responses((status = 200, body = EventList), (status = 400, description = "`invalid_request`"))
)]
pub(crate) async fn handle(call: Call) -> Reply {
    let query = call.query()?;
    let page = Page::read(&query, TAG)?;
    let filter = filter::read(&query)?;
    let position = position(&page)?;
    let mut rows = call.store().events(&call.caller.workspace_id, &filter, position, page.rows()).await?;
    let next = page.cut(&mut rows, |row| row.position.to_string());
    ok(&EventList::of(rows, next))
}

/// The position that a page begins after.
///
/// # Errors
/// 400 for a cursor that holds none.
pub(crate) fn position(page: &Page) -> Result<i64, Problem> {
    let read = |text: &String| text.parse::<i64>().map_err(|_| Problem::invalid("cursor", "not a cursor of this list"));
    page.after.as_ref().map_or(Ok(0), read)
}
