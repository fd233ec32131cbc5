//! Which events are wanted, as the query says it; the list and the stream read it alike.

use model::WorkspaceId;
use model::event::{Stream, StreamType};
use store::query::{EventFilter, StreamPlace};

use crate::problem::Problem;
use crate::query::Query;

/// LIMIT: event types in one filter.
const TYPES_MAX: usize = 100;

/// The parameters that choose events.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only its documentation is used")]
pub(crate) struct EventParams {
    /// room, thread or workspace; with `stream_id`.
    stream_type: Option<String>,
    /// The stream; with `stream_type`.
    stream_id: Option<String>,
    /// After this sequence of the stream (exclusive).
    from_seq: Option<i64>,
    /// In this room.
    room_id: Option<String>,
    /// Of this run.
    run_id: Option<String>,
    /// Of this step.
    step_id: Option<String>,
    /// Of this cause.
    correlation_id: Option<String>,
    /// Of these types: repeated, or a list with commas.
    event_type: Option<String>,
    /// On behalf of this principal.
    subject_principal_id: Option<String>,
    /// Before this time.
    before: Option<String>,
    /// After this time.
    after: Option<String>,
}

/// Reads the filter.
///
/// # Errors
/// 400 naming the parameter.
pub(crate) fn read(query: &Query<'_>) -> Result<EventFilter, Problem> {
    let types: Vec<String> = query
        .all("event_type")
        .flat_map(|list| list.split(','))
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();
    if types.len() > TYPES_MAX {
        return Err(Problem::invalid("event_type", "too many event types"));
    }
    Ok(EventFilter {
        stream: place(query)?,
        room_id: query.id("room_id")?,
        run_id: query.id("run_id")?,
        step_id: query.id("step_id")?,
        correlation_id: query.id("correlation_id")?,
        event_types: types,
        principal_id: query.id("subject_principal_id")?,
        before: query.time("before")?,
        after: query.time("after")?,
    })
}

/// Reads `stream_type` and `stream_id`, which go together.
///
/// # Errors
/// 400 naming the parameter.
pub(crate) fn stream(query: &Query<'_>) -> Result<Option<Stream>, Problem> {
    let kind = query.read("stream_type", "room, thread or workspace is wanted", StreamType::parse)?;
    let id = query.id::<WorkspaceId>("stream_id")?;
    match (kind, id) {
        (Some(kind), Some(id)) => Ok(Some(Stream { kind, id: id.into_string() })),
        (None, None) => Ok(None),
        (Some(_), None) => Err(Problem::invalid("stream_id", "`stream_type` goes with `stream_id`")),
        (None, Some(_)) => Err(Problem::invalid("stream_type", "`stream_id` goes with `stream_type`")),
    }
}

/// Reads `from_seq`.
///
/// # Errors
/// 400 when it is not an integer of at least 0.
pub(crate) fn from_seq(query: &Query<'_>) -> Result<Option<i64>, Problem> {
    query.read("from_seq", "an integer of at least 0 is wanted", |text| {
        text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<i64>().unwrap_or(i64::MAX))
    })
}

fn place(query: &Query<'_>) -> Result<Option<StreamPlace>, Problem> {
    let from_seq = from_seq(query)?;
    match (stream(query)?, from_seq) {
        (Some(stream), from_seq) => Ok(Some(StreamPlace { stream, from_seq: from_seq.unwrap_or(0) })),
        (None, None) => Ok(None),
        (None, Some(_)) => Err(Problem::invalid("from_seq", "`from_seq` is a place in a stream: name the stream")),
    }
}
