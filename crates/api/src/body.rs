//! Reading request bodies: bounded, strict JSON, errors that name the member at fault.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use model::json::parse_strict;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::Segment;

use crate::problem::Problem;

/// LIMIT: bytes of a request body.
pub(crate) const BYTES_MAX: usize = 1 << 20;
/// LIMIT: bytes of a request body that carries policies.
pub(crate) const POLICY_BYTES_MAX: usize = 12 << 20;
/// LIMIT: how long a caller may take to send it.
const PATIENCE: Duration = Duration::from_secs(30);
/// LIMIT: what is read and thrown away so that a refused caller gets to see its answer.
const DRAINED_MAX: usize = 8 << 20;
const DRAIN_PATIENCE: Duration = Duration::from_secs(2);

/// Reads the whole body of at most `bytes_max`.
///
/// # Errors
/// 413 over that, 408 when it does not arrive, 400 when it breaks off.
pub(crate) async fn read(headers: &HeaderMap, mut body: Body, bytes_max: usize) -> Result<Bytes, Problem> {
    if declared(headers).is_some_and(|bytes| bytes > bytes_max as u64) {
        drain(headers, body).await;
        return Err(too_large(bytes_max));
    }
    match tokio::time::timeout(PATIENCE, Limited::new(&mut body, bytes_max).collect()).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            drain(headers, body).await;
            Err(too_large(bytes_max))
        }
        Ok(Err(_)) => Err(Problem::invalid("", "the body broke off")),
        Err(_) => Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", "the body did not arrive in time")),
    }
}

/// Reads on for a moment, so that an answer given before the end of the body is not lost in a reset
/// connection. A caller that waits to be told to go on has nothing to be drained.
pub(crate) async fn drain(headers: &HeaderMap, body: Body) {
    let waits = headers.contains_key(EXPECT) || declared(headers).is_some_and(|bytes| bytes > DRAINED_MAX as u64);
    if waits || http_body::Body::is_end_stream(&body) {
        return;
    }
    let mut body = Limited::new(body, DRAINED_MAX);
    let rest = async { while let Some(Ok(_)) = body.frame().await {} };
    let _ended = tokio::time::timeout(DRAIN_PATIENCE, rest).await;
}

/// Whether the body is said to be JSON.
///
/// # Errors
/// 415 for any other type or none.
pub(crate) fn check_type(headers: &HeaderMap) -> Result<(), Problem> {
    let given = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let name = given.split(';').next().unwrap_or_default().trim();
    let json = name.eq_ignore_ascii_case("application/json")
        || name.to_ascii_lowercase().strip_prefix("application/").is_some_and(|sub| sub.ends_with("+json"));
    let detail = "the body must be `content-type: application/json`";
    json.then_some(()).ok_or_else(|| Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail))
}

/// Reads a JSON object into `T`.
///
/// # Errors
/// 400 `invalid_request` with a pointer to what is at fault.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let value = parse_strict(bytes).map_err(|error| {
        let detail = format!("the body cannot be read: {} (byte {})", error.fault, error.offset);
        Problem::invalid(error.pointer, detail)
    })?;
    // A struct would also be read from an array, member by member.
    if !value.is_object() {
        return Err(Problem::invalid("", "the body must be a JSON object"));
    }
    T::deserialize(&value).map_err(|_| mistyped::<T>(&value))
}

/// Reads again, now with the path to the fault: errors are rare, paths are not free.
fn mistyped<T: DeserializeOwned>(value: &Value) -> Problem {
    match serde_path_to_error::deserialize::<_, T>(value) {
        Ok(_) => Problem::invalid("", "the body cannot be read"),
        Err(error) => {
            let pointer = pointer(error.path());
            Problem::invalid(pointer, wrong(error.inner()))
        }
    }
}

/// What the JSON library says, without the value that the caller sent.
fn wrong(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once("expected ") {
        Some((_, expected)) => format!("the wrong type of value: {expected} is expected"),
        None if text.starts_with("missing field") || text.starts_with("must be one of") => text,
        None => "the value cannot be read".to_owned(),
    }
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    let mut text = String::new();
    for segment in path.iter() {
        let part = match segment {
            Segment::Seq { index } => index.to_string(),
            Segment::Map { key } => key.replace('~', "~0").replace('/', "~1"),
            Segment::Enum { variant } => variant.clone(),
            Segment::Unknown => continue,
        };
        text.push('/');
        text.extend(part.chars().take(64));
    }
    text
}

fn declared(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn too_large(bytes_max: usize) -> Problem {
    let detail = format!("a body may have at most {} MiB", bytes_max >> 20);
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", detail)
}
