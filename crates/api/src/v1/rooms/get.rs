//! One room.

use model::RoomId;

use crate::call::{Call, ok};
use crate::problem::{Problem, Reply};
use crate::view::RoomAnswer;

/// One room.
#[utoipa::path(
    get,
    path = "/v1/rooms/{id}",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, body = RoomAnswer), (status = 404, description = "`room_not_found`"))
)]
pub(crate) async fn handle(call: Call) -> Reply {
    let row = match call.id::<RoomId>() {
        Some(id) => call.store().room(&call.caller.workspace_id, &id).await?,
        None => None,
    };
    let row = row.ok_or_else(|| Problem::not_found("room_not_found", "there is no such room"))?;
    ok(&RoomAnswer::from(row))
}
