//! HTTP/2 with a client, with prior knowledge or by ALPN: each stream is a request of its own, asked for
//! like those of HTTP/1.
//!
//! The framing and its limits are hyper's; who is asked for is read by the strict rules all the same.

mod answer;
mod connect;
mod request;

use std::convert::Infallible;
use std::sync::Arc;

use http::{Method, Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http2::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wire::Authority;

use super::Inner;
use super::confined::Confined;
use super::identity::{Asker, Visitor};
use super::refusal::{Form, Refusal};
use super::stream::{Client, Prefixed};
use answer::Download;

/// LIMIT: streams open at once on one connection.
const STREAMS_MAX: u32 = 256;
/// LIMIT: how much one stream may send ahead of being read, in bytes.
const WINDOW_BYTES: u32 = 256 * 1024;
/// LIMIT: how much all streams of a connection may, in bytes.
const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;

/// What the streams of one connection share.
struct Shared {
    inner: Arc<Inner>,
    visitor: Mutex<Visitor>,
    stop: CancellationToken,
    tunnels: TaskTracker,
    /// Where the connection leads that this is the inside of.
    inside: Option<Authority>,
    /// What is different about what is asked here.
    confined: Confined,
}

/// Serves a client that speaks HTTP/2 until its connection is over.
pub(super) async fn serve(
    inner: Arc<Inner>,
    client: Client,
    visitor: Visitor,
    inside: Option<Authority>,
    stop: CancellationToken,
) {
    let head = inner.config.head;
    let timeouts = inner.config.timeouts;
    let tunnels = TaskTracker::new();
    let confined = visitor.confined();
    let visitor = Mutex::new(visitor);
    let shared = Arc::new(Shared { inner, visitor, stop: stop.clone(), tunnels: tunnels.clone(), inside, confined });
    let service = service_fn(move |request| stream(Arc::clone(&shared), request));
    let connection = Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_header_list_size(u32::try_from(head.head_bytes_max).unwrap_or(u32::MAX))
        .max_send_buf_size(WINDOW_BYTES as usize)
        .keep_alive_interval(timeouts.keep_alive)
        .keep_alive_timeout(timeouts.head)
        .serve_connection(TokioIo::new(Prefixed::new(client)), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        biased;
        _ = connection.as_mut() => {}
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
    tunnels.close();
    tunnels.wait().await;
}

async fn stream(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Download>, Infallible> {
    let form = Form::by(request.headers().get_all(http::header::ACCEPT).iter().map(|value| value.as_bytes()));
    let head_only = request.method() == Method::HEAD;
    let asked = shared.confined.witness.is_some().then(|| shared.asked(&request)).flatten();
    let answered = if request.method() == Method::CONNECT {
        Box::pin(connect::serve(&shared, request)).await
    } else {
        Box::pin(request::serve(&shared, request)).await
    };
    let refusal = match answered {
        Ok(answered) => return Ok(answered),
        Err(refusal) => refusal,
    };
    if refusal.record.is_none() {
        shared.inner.meters.turned_away(refusal.code);
        if let Some((authority, method)) = asked {
            shared.confined.tell_unasked(&authority, &method, &refusal).await;
        }
    }
    Ok(answer::refused(&refusal, form, head_only))
}

impl Shared {
    /// Where a request is for, where that can be read.
    fn asked(&self, request: &Request<Incoming>) -> Option<(Authority, String)> {
        let authority = match &self.inside {
            Some(authority) => authority.clone(),
            None => Authority::of_host_field(request.uri().authority()?.as_str().as_bytes(), 80).ok()?,
        };
        Some((authority, request.method().as_str().to_owned()))
    }

    async fn asker(&self, request: &Request<Incoming>) -> Result<Asker, Box<Refusal>> {
        let mut shown = request.headers().get_all(http::header::PROXY_AUTHORIZATION).iter();
        let first = shown.next().map(|value| value.as_bytes());
        if shown.next().is_some() {
            return Err(Refusal::fault(wire::Fault::ProxyAuthorizationTwice));
        }
        let asker = self.visitor.lock().await.by_field(&self.inner, first).await?.clone();
        let via = request.headers().get_all(http::header::VIA);
        if self.inner.via.is_loop(via.iter().map(|value| value.as_bytes())) {
            return Err(Refusal::looped());
        }
        Ok(asker)
    }
}
