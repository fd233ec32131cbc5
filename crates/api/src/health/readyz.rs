//! Whether requests should be sent here: the store answers, the recorder keeps up, nothing closes.

use std::time::Duration;

use http::StatusCode;
use http::request::Parts;
use serde::Serialize;

use crate::api::Api;
use crate::call::json;
use crate::problem::Reply;

/// LIMIT: how long the store may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// More waiting commands than this mean that the recorder does not get through.
const WAITING_MAX: usize = 16_000;

/// Whether requests should be sent here, and each part of it.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Readiness {
    /// Whether every part is good.
    ready: bool,
    /// `ok` or `failing`: the database answers.
    store: &'static str,
    /// `ok` or `failing`: what is to be recorded gets recorded.
    recorder: &'static str,
    /// How many changes wait to be recorded.
    recorder_waiting: usize,
    /// `ok`, or `closing` while the server drains.
    server: &'static str,
}

/// Says whether requests should be sent here.
#[utoipa::path(
    get,
    path = "/readyz",
    responses((status = 200, body = Readiness), (status = 503, body = Readiness, content_type = "application/json"))
)]
pub(crate) async fn handle(api: Api, _parts: Parts) -> Reply {
    let store = api.gate().store();
    let waiting = store.waiting();
    let store_good = matches!(tokio::time::timeout(PATIENCE, store.ping()).await, Ok(Ok(())));
    let recorder_good = waiting <= WAITING_MAX;
    let closing = api.closing().is_cancelled();
    let word = |good| if good { "ok" } else { "failing" };
    let ready = store_good && recorder_good && !closing;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let answer = Readiness {
        ready,
        store: word(store_good),
        recorder: word(recorder_good),
        recorder_waiting: waiting,
        server: if closing { "closing" } else { "ok" },
    };
    json(status, &answer)
}
