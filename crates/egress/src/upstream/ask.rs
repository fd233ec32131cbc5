//! Asking the proxy for a tunnel, and reading its answer to the last byte and no further.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use httparse::{EMPTY_HEADER, Response, Status};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Decided, UpstreamFault, UpstreamProxy};

/// A longer head is no answer to this question.
const HEAD_BYTES_MAX: usize = 16 * 1024;

const HEADERS_MAX: usize = 64;

/// Provisional answers before the real one.
const PROVISIONAL_MAX: usize = 4;

/// LIMIT: how much of a refusal is read.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// What says to another exeat that plain HTTP comes through the tunnel, so that each request is asked for.
pub(crate) const INSIDE: &str = "exeat-inside";

/// What will be inside of a tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Inside {
    /// Plain HTTP.
    Http,
    /// Whatever it is.
    Anything,
}

/// Asks for a tunnel to `authority` (`host:port`). On success the next byte of the stream is the
/// destination's.
pub(crate) async fn ask(
    stream: &mut TcpStream,
    proxy: &UpstreamProxy,
    authority: &str,
    inside: Inside,
    limit: Duration,
) -> Result<(), UpstreamFault> {
    timeout(limit, exchange(stream, proxy, authority, inside)).await.unwrap_or(Err(UpstreamFault::Silent))
}

async fn exchange(
    stream: &mut TcpStream,
    proxy: &UpstreamProxy,
    authority: &str,
    inside: Inside,
) -> Result<(), UpstreamFault> {
    let request = request(proxy, authority, inside);
    stream.write_all(request.as_bytes()).await.map_err(|_| UpstreamFault::Broken)?;
    for _ in 0..=PROVISIONAL_MAX {
        let head = read_head(stream).await?;
        let (status, phrase, fields) = read(&head).ok_or(UpstreamFault::Malformed)?;
        if status >= 300
            && proxy.decides().is_some()
            && let Some(decided) = decided(stream, status, &phrase, &fields).await
        {
            return Err(UpstreamFault::Decided(Arc::new(decided)));
        }
        match status {
            100..=199 => {}
            200..=299 => return Ok(()),
            407 => return Err(UpstreamFault::Credentials),
            300..=499 => return Err(UpstreamFault::Forbidden),
            500..=599 => return Err(UpstreamFault::Destination),
            _ => return Err(UpstreamFault::Malformed),
        }
    }
    Err(UpstreamFault::Malformed)
}

/// The rest of a refusal of another exeat; its body is as long as it says.
async fn decided(stream: &mut TcpStream, status: u16, phrase: &str, fields: &HeaderMap) -> Option<Decided> {
    if status == 407 {
        return None;
    }
    let length: usize = fields.get("content-length")?.to_str().ok()?.parse().ok()?;
    let mut body = vec![0; Some(length).filter(|length| *length <= BODY_BYTES_MAX)?];
    stream.read_exact(&mut body).await.ok()?;
    Decided::of(status, phrase, fields, Bytes::from(body))
}

fn request(proxy: &UpstreamProxy, authority: &str, inside: Inside) -> String {
    let mut request = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n");
    if inside == Inside::Http && proxy.decides().is_some() {
        request.push_str(INSIDE);
        request.push_str(": http\r\n");
    }
    if let Some(value) = proxy.authorization() {
        request.push_str("Proxy-Authorization: ");
        request.push_str(value);
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    request
}

/// One head, up to and with the empty line. What follows stays in the socket.
async fn read_head(stream: &mut TcpStream) -> Result<Vec<u8>, UpstreamFault> {
    let mut head = Vec::new();
    let mut seen = [0; 2048];
    loop {
        let peeked = stream.peek(&mut seen).await.map_err(|_| UpstreamFault::Broken)?;
        let new = seen.get(..peeked).filter(|new| !new.is_empty()).ok_or(UpstreamFault::Broken)?;
        let before = head.len();
        head.extend_from_slice(new);
        let end = end_of_head(&head, before);
        // Exactly what was looked at, or up to the end in it.
        let taken = end.unwrap_or(head.len());
        let own = taken.saturating_sub(before);
        stream
            .read_exact(seen.get_mut(..own).ok_or(UpstreamFault::Malformed)?)
            .await
            .map_err(|_| UpstreamFault::Broken)?;
        head.truncate(taken);
        if end.is_some() {
            return Ok(head);
        }
        if head.len() > HEAD_BYTES_MAX {
            return Err(UpstreamFault::Malformed);
        }
    }
}

/// Where the head ends, when its last bytes came after `before`.
fn end_of_head(head: &[u8], before: usize) -> Option<usize> {
    let from = before.saturating_sub(3);
    let at = head.get(from..)?.windows(4).position(|window| window == b"\r\n\r\n")?;
    Some(from + at + 4)
}

fn read(head: &[u8]) -> Option<(u16, String, HeaderMap)> {
    let mut headers = [EMPTY_HEADER; HEADERS_MAX];
    let mut response = Response::new(&mut headers);
    match response.parse(head) {
        Ok(Status::Complete(length)) if length == head.len() => {}
        _ => return None,
    }
    let fields = response.headers.iter().filter_map(|header| {
        let name = HeaderName::from_bytes(header.name.as_bytes()).ok()?;
        Some((name, HeaderValue::from_bytes(header.value).ok()?))
    });
    Some((response.code?, response.reason.unwrap_or_default().to_owned(), fields.collect()))
}
