//! Checking the hash chain of one stream.

use serde::Serialize;
use store::{ChainReport, MismatchKind};

use super::filter;
use crate::call::{Call, ok};
use crate::problem::{Problem, Reply};

/// What checking a stream gave.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ChainCheck {
    /// The stream's kind.
    stream_type: String,
    /// The stream.
    stream_id: String,
    /// How many events were checked.
    checked: u64,
    /// Whether nothing is wrong.
    valid: bool,
    /// The first fault; null when there is none.
    first_mismatch: Option<ChainMismatch>,
    /// The hash of the last event that was checked.
    last_event_hash: Option<String>,
}

/// The first fault of a stream.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ChainMismatch {
    /// Where.
    stream_seq: i64,
    /// The event found there.
    #[schema(value_type = Option<String>)]
    event_id: Option<model::EventId>,
    /// Its type.
    event_type: Option<String>,
    /// prev_hash_mismatch, event_hash_mismatch, event_hash_missing, gap, tail_missing or head_mismatch.
    #[schema(value_type = String)]
    kind: MismatchKind,
    /// The hash that the chain demands.
    expected: Option<String>,
    /// The hash that is stored.
    found: Option<String>,
}

impl From<ChainReport> for ChainCheck {
    fn from(report: ChainReport) -> Self {
        let first_mismatch = report.first_mismatch.map(|fault| ChainMismatch {
            stream_seq: fault.stream_seq,
            event_id: fault.event_id,
            event_type: fault.event_type,
            kind: fault.kind,
            expected: fault.expected,
            found: fault.found,
        });
        Self {
            stream_type: report.stream_type,
            stream_id: report.stream_id,
            checked: report.checked,
            valid: report.valid,
            first_mismatch,
            last_event_hash: report.last_event_hash,
        }
    }
}

/// Checks the hash chain of one stream. A stream without events is not there: saying that it is
/// valid would vouch for a typing error.
#[utoipa::path(
    get,
    path = "/v1/audit/hash-chain/verify",
    params(
        ("stream_type" = String, Query, description = "room, thread or workspace"),
        ("stream_id" = String, Query, description = "The stream"),
    ),
    responses(
        (status = 200, body = ChainCheck),
        (status = 400, description = "`invalid_request`"),
        (status = 404, description = "`stream_not_found`")
    )
)]
pub(crate) async fn handle(call: Call) -> Reply {
    let query = call.query()?;
    let stream = filter::stream(&query)?
        .ok_or_else(|| Problem::invalid("stream_type", "`stream_type` and `stream_id` are wanted"))?;
    let report = call.store().verify_stream(&call.caller.workspace_id, &stream).await?;
    if report.checked == 0 && report.valid {
        return Err(Problem::not_found("stream_not_found", "there is no such stream"));
    }
    ok(&ChainCheck::from(report))
}
