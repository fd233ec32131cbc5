//! The events of a room as they happen.

use model::RoomId;
use model::event::{Stream, StreamType};
use store::query::{EventFilter, StreamPlace};

use crate::call::Call;
use crate::problem::{Problem, Reply};
use crate::stream::{Start, last_event_id, open};
use crate::v1::events::filter::from_seq;

/// The events of a room (server-sent events): what is in its stream after `from_seq`, all of it
/// without one, then what happens. `Last-Event-ID` wins over `from_seq`.
#[utoipa::path(
    get,
    path = "/v1/streams/rooms/{room_id}",
    params(
        ("room_id" = String, Path, description = "The room"),
        ("from_seq" = Option<i64>, Query, description = "After this sequence (exclusive)"),
        ("last-event-id" = Option<String>, Header, description = "The `id` of the last event that was seen")
    ),
    responses(
        (status = 200, body = String, content_type = "text/event-stream", description = "`id:` its position, `data:` the event"),
        (status = 400, description = "`invalid_request`"),
        (status = 404, description = "`room_not_found`")
    )
)]
pub(crate) async fn handle(call: Call) -> Reply {
    let from_seq = from_seq(&call.query()?)?.unwrap_or(0);
    let room = match call.id::<RoomId>() {
        Some(id) => call.store().room(&call.caller.workspace_id, &id).await?,
        None => None,
    };
    let room = room.ok_or_else(|| Problem::not_found("room_not_found", "there is no such room"))?;
    let stream = Stream { kind: StreamType::Room, id: room.room_id.into_string() };
    let filter = EventFilter { stream: Some(StreamPlace { stream, from_seq }), ..EventFilter::default() };
    open(&call, filter, Start::After(last_event_id(&call)?.unwrap_or(0))).await
}
