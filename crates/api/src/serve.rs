//! Serving the API on a socket: HTTP/1.1 and HTTP/2, bounded, drained at the end.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::api::Api;
use crate::router::router;

/// LIMIT: connections at once; more wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 10_240;
/// LIMIT: how long a caller may take to send a request's head.
const HEAD_PATIENCE: Duration = Duration::from_secs(30);
/// LIMIT: header lines of a request.
const HEADERS_MAX: usize = 100;
/// LIMIT: bytes of a request's head.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// LIMIT: requests at once on one HTTP/2 connection.
const STREAMS_MAX: u32 = 256;
/// LIMIT: how long requests in flight may take after the shutdown began.
const DRAIN_PATIENCE: Duration = Duration::from_secs(10);
/// How often collected histograms are folded together.
const UPKEEP: Duration = Duration::from_secs(5);

/// Serves `api` on `listener` until `shutdown` ends; then takes no more connections, ends the event
/// streams and waits at most 10 s for the requests in flight.
pub async fn serve(listener: TcpListener, api: Api, shutdown: impl Future<Output = ()> + Send) {
    let service = TowerToHyperService::new(router(api.clone()));
    let builder = builder();
    let open = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let upkeep = tokio::spawn(upkeep(api.clone()));
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let place = tokio::select! {
            () = &mut shutdown => break,
            place = places.clone().acquire_owned() => place,
        };
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => accepted,
        };
        let socket = match accepted {
            Ok((socket, _)) => socket,
            Err(error) => {
                // Out of descriptors, most likely: others have to end first.
                tracing::warn!(%error, "a connection cannot be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let _nodelay = socket.set_nodelay(true);
        let connection = builder.serve_connection(TokioIo::new(socket), service.clone()).into_owned();
        let connection = open.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error, "a connection broke");
            }
            drop(place);
        });
    }
    drop(listener);
    api.close();
    if tokio::time::timeout(DRAIN_PATIENCE, open.shutdown()).await.is_err() {
        tracing::warn!("requests in flight did not end in time");
    }
    upkeep.abort();
}

fn builder() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .pipeline_flush(true);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(u32::try_from(HEAD_BYTES_MAX).unwrap_or(u32::MAX))
        .keep_alive_interval(Some(HEAD_PATIENCE));
    builder
}

/// Without it what histograms collect would only be folded together when somebody looks.
async fn upkeep(api: Api) {
    let Some(handle) = api.metrics().cloned() else { return };
    let mut every = tokio::time::interval(UPKEEP);
    loop {
        every.tick().await;
        handle.run_upkeep();
    }
}
