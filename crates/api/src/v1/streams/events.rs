//! The events of the workspace as they happen.

use crate::call::Call;
use crate::page::Page;
use crate::problem::Reply;
use crate::stream::{Start, last_event_id, open, says_where};
use crate::v1::events::filter::{self, EventParams};
use crate::v1::events::list::{TAG, position};

/// Events as they happen (server-sent events). Begins after `Last-Event-ID`, else after `cursor` (one
/// of `GET /v1/events`), else with the log where `from_seq` or `after` says so, else now.
#[utoipa::path(
    get,
    path = "/v1/streams/events",
    params(
        EventParams,
        ("cursor" = Option<String>, Query, description = "`next_cursor` of a page of events: begin after it"),
        ("last-event-id" = Option<String>, Header, description = "The `id` of the last event that was seen")
    ),
    responses(
        (status = 200, body = String, content_type = "text/event-stream", description = "`id:` its position, `data:` the event"),
        (status = 400, description = "`invalid_request`")
    )
)]
pub(crate) async fn handle(call: Call) -> Reply {
    let query = call.query()?;
    let filter = filter::read(&query)?;
    let page = Page::read(&query, TAG)?;
    let start = match last_event_id(&call)? {
        Some(position) => Start::After(position),
        None if page.after.is_some() => Start::After(position(&page)?),
        None if says_where(&query)? => Start::After(0),
        None => Start::Now,
    };
    open(&call, filter, start).await
}
