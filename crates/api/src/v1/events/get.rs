//! One event.

use model::EventId;

use crate::call::{Call, ok};
use crate::problem::{Problem, Reply};
use crate::view::EventAnswer;

/// One event.
#[utoipa::path(
    get,
    path = "/v1/events/{id}",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, body = EventAnswer), (status = 404, description = "`event_not_found`"))
)]
pub(crate) async fn handle(call: Call) -> Reply {
    let row = match call.id::<EventId>() {
        Some(id) => call.store().event(&call.caller.workspace_id, &id).await?,
        None => None,
    };
    let row = row.ok_or_else(|| Problem::not_found("event_not_found", "there is no such event"))?;
    ok(&EventAnswer::from(row))
}
