//! One request, sent for a tool: through the same dialer as everything, over TLS when its URL says so,
//! and with an answer of bounded size.
//!
//! No connection is kept and no redirect followed: where an answer leads is asked for anew by whoever
//! has it sent.

use std::sync::Arc;

use bytes::Bytes;
use gate::{Ending, ExecutionOutcome, Permit};
use http::header::{CONTENT_LENGTH, HOST, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use model::TargetUrl;
use rustls::pki_types::ServerName;
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;

use crate::dial::{Crossing, DialError, Dialer};
use crate::proxy::scan::Homes;

/// LIMIT: the largest head of an answer, in bytes.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// LIMIT: how many fields an answer may have.
const FIELDS_MAX: usize = 128;

/// What is to be sent. Where to is the permit's to say.
#[derive(Debug, Clone)]
pub struct FetchRequest {
    /// The method; the permit must be for it.
    pub method: Method,
    /// Its fields; `Host` and `Content-Length` are set here.
    pub headers: HeaderMap,
    /// Its content.
    pub body: Bytes,
    /// How much of the answer is read; the rest is not waited for.
    pub bytes_max: u64,
    /// How much of what is read is given back.
    pub kept_bytes_max: usize,
    /// When everything must be over.
    pub until: Instant,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// Its status.
    pub status: u16,
    /// Its fields.
    pub headers: HeaderMap,
    /// The beginning of its content.
    pub kept: Bytes,
    /// How much was read.
    pub bytes: u64,
    /// SHA-256 of what was read, in lower-case hex.
    pub digest: String,
    /// Whether there was more than was to be read.
    pub truncated: bool,
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum FetchError {
    /// The destination was not reached.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// It took too long.
    #[error("the request took longer than it may")]
    Timeout,
    /// No TLS with whom the URL names.
    #[error("the other side has no certificate that is trusted for the name, or speaks no TLS")]
    Tls,
    /// What came back is no HTTP/1 answer, or it broke off.
    #[error("the other side gave no whole answer")]
    Protocol,
    /// The permit is for another method.
    #[error("the permit is for another method")]
    PermitMismatch,
}

impl FetchError {
    /// The stable code, for the tool's failure and the outcome.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Dial(error) => error.code(),
            Self::Timeout => "timeout",
            Self::Tls => "tls_failed",
            Self::Protocol => "invalid_response",
            Self::PermitMismatch => "internal_error",
        }
    }
}

/// Sends requests of tools. Cloning gives another handle to the same one.
#[derive(Clone)]
pub struct Fetcher {
    dialer: Dialer,
    tls: TlsConnector,
    homes: Homes,
}

impl Fetcher {
    /// Over this dialer; `tls` says whom to trust.
    #[must_use]
    pub fn new(dialer: Dialer, tls: Arc<rustls::ClientConfig>) -> Self {
        Self { dialer, tls: TlsConnector::from(tls), homes: Homes::new(&[]) }
    }

    /// The same, knowing homes of credentials besides those built in: a kind and a host each.
    #[must_use]
    pub fn with_credential_homes(self, homes: &[(String, String)]) -> Self {
        Self { homes: Homes::new(homes), ..self }
    }

    /// The kinds of credentials in what is to be sent to `target` that are not at home there.
    #[must_use]
    pub fn strays(&self, target: &TargetUrl, headers: &HeaderMap, body: &[u8]) -> Vec<&'static str> {
        let fields = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        let mut found = self.homes.strays(target.domain(), target.as_str(), fields, &mut Vec::new());
        found.extend(self.homes.stray(target.domain(), &redact::stream::scan(body)));
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Sends one request to where the permit leads, and reads its answer. The outcome is recorded
    /// whatever happens.
    ///
    /// # Errors
    /// See [`FetchError`]; a status is none.
    ///
    /// # Cancel safety
    /// When the future is dropped the connection is closed and the outcome recorded as cut.
    pub async fn fetch(&self, permit: Permit, request: FetchRequest) -> Result<Fetched, FetchError> {
        if permit.method() != Some(request.method.as_str()) {
            permit.execute().finish(Ending::failed("internal_error"));
            return Err(FetchError::PermitMismatch);
        }
        let target = permit.target().clone();
        let approach = match timeout_at(request.until, self.dialer.approach(&permit.clearance())).await {
            Ok(Ok(approach)) => approach,
            Ok(Err(error)) => {
                permit.execute().finish(Ending::failed(error.code()));
                return Err(error.into());
            }
            Err(_) => {
                permit.execute().finish(Ending::failed(FetchError::Timeout.code()));
                return Err(FetchError::Timeout);
            }
        };
        let line = approach.enter(permit).await.map_err(|error| error.finish())?;
        let (stream, crossing) = line.into_parts();
        let mut ending = Ending { bytes_up: request.body.len() as u64, ..Ending::of(ExecutionOutcome::Completed) };
        let sent = async {
            if target.scheme() == "http" {
                return exchange(stream, &target, &request, &mut ending).await;
            }
            let name = ServerName::try_from(target.domain().to_owned()).map_err(|_| FetchError::Tls)?;
            let stream = self.tls.connect(name, stream).await.map_err(|_| FetchError::Tls)?;
            exchange(stream, &target, &request, &mut ending).await
        };
        let fetched = timeout_at(request.until, sent).await.unwrap_or(Err(FetchError::Timeout));
        finish(crossing, ending, &fetched);
        fetched
    }
}

fn finish(crossing: Crossing, ending: Ending, fetched: &Result<Fetched, FetchError>) {
    crossing.finish(match fetched {
        Ok(_) => ending,
        Err(error) => Ending { outcome: ExecutionOutcome::Failed, error_code: Some(error.code()), ..ending },
    });
}

async fn exchange<S>(
    stream: S,
    target: &TargetUrl,
    request: &FetchRequest,
    ending: &mut Ending,
) -> Result<Fetched, FetchError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(FIELDS_MAX)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|_| FetchError::Protocol)?;
    let message = message(target, request)?;
    // Driven here, so that it ends with this future.
    let mut connection = std::pin::pin!(connection);
    let answer = async {
        let response = sender.send_request(message).await.map_err(|_| FetchError::Protocol)?;
        ending.status = Some(response.status().as_u16());
        read(response, request, &mut ending.bytes_down).await
    };
    let mut answer = std::pin::pin!(answer);
    tokio::select! {
        biased;
        answer = &mut answer => answer,
        // The connection may end with the last byte of the answer still to be read from it.
        _ = &mut connection => answer.await,
    }
}

fn message(target: &TargetUrl, request: &FetchRequest) -> Result<Request<Full<Bytes>>, FetchError> {
    let path = match target.query() {
        Some(query) => format!("{}?{query}", target.path()),
        None => target.path().to_owned(),
    };
    let mut message = Request::new(Full::new(request.body.clone()));
    *message.method_mut() = request.method.clone();
    *message.uri_mut() = path.parse().map_err(|_| FetchError::Protocol)?;
    *message.headers_mut() = request.headers.clone();
    let headers = message.headers_mut();
    headers.insert(HOST, HeaderValue::from_str(&target.authority()).map_err(|_| FetchError::Protocol)?);
    headers.entry(USER_AGENT).or_insert(HeaderValue::from_static("exeat"));
    let wants_length = [Method::POST, Method::PUT, Method::PATCH].contains(&request.method);
    if wants_length || !request.body.is_empty() {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(request.body.len()));
    }
    Ok(message)
}

async fn read(
    response: hyper::Response<Incoming>,
    request: &FetchRequest,
    bytes_down: &mut u64,
) -> Result<Fetched, FetchError> {
    let (head, mut body) = response.into_parts();
    let mut digest = Sha256::new();
    let mut kept = Vec::new();
    let mut truncated = false;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| FetchError::Protocol)?;
        let Some(data) = frame.data_ref() else { continue };
        let room = usize::try_from(request.bytes_max - *bytes_down).unwrap_or(usize::MAX);
        let data = data.get(..room.min(data.len())).unwrap_or_default();
        truncated = data.len() < frame.data_ref().map_or(0, Bytes::len);
        *bytes_down += data.len() as u64;
        digest.update(data);
        let keep = request.kept_bytes_max.saturating_sub(kept.len()).min(data.len());
        kept.extend_from_slice(data.get(..keep).unwrap_or_default());
        if truncated {
            break;
        }
    }
    Ok(Fetched {
        status: head.status.as_u16(),
        headers: head.headers,
        kept: Bytes::from(kept),
        bytes: *bytes_down,
        digest: data_encoding::HEXLOWER.encode(&digest.finalize()),
        truncated,
    })
}
