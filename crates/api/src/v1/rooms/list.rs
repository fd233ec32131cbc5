//! The rooms of the workspace, newest first.

use crate::call::{Call, ok};
use crate::page::{Page, PageParams};
use crate::problem::Reply;
use crate::view::RoomList;

/// The rooms of the workspace, newest first.
#[utoipa::path(
    get,
    path = "/v1/rooms",
    params(PageParams),
    responses((status = 200, body = RoomList), (status = 400, description = "`invalid_request`"))
)]
pub(crate) async fn handle(call: Call) -> Reply {
    let query = call.query()?;
    let page = Page::read(&query, "rooms")?;
    let workspace = &call.caller.workspace_id;
    let mut rows = call.store().rooms(workspace, page.after.as_deref(), page.rows()).await?;
    let next = page.cut(&mut rows, |row| row.room_id.to_string());
    ok(&RoomList::of(rows, next))
}
