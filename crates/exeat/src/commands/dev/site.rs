//! `hello.test`: a site inside `exeat dev`, so that going out can be tried without a network.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use egress::resolve::FixedHost;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use policy::TrustedUpstream;
use tokio::net::TcpListener;

use crate::failure::Failure;

/// Its name.
const NAME: &str = "hello.test";
/// Its port, as requests name it.
const PORT: u16 = 80;
/// How often `/ticks` says something.
const TICK: Duration = Duration::from_millis(500);

/// The exception that lets requests go to it.
pub(super) fn upstream() -> TrustedUpstream {
    TrustedUpstream { host: NAME.to_owned(), net: None, port: Some(PORT) }
}

/// Begins to serve, for as long as the process lives; says where the name leads.
pub(super) async fn open() -> Result<FixedHost, Failure> {
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let serving =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer));
            // Its error is a client that went away.
            tokio::spawn(async move { serving.await.ok() });
        }
    });
    Ok(FixedHost { name: NAME.to_owned(), port: PORT, address })
}

type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// `/ticks` goes on for ever; everything else is one line.
async fn answer(request: Request<Incoming>) -> Result<Answer, Infallible> {
    if request.uri().path() == "/ticks" {
        let ticks = futures::stream::unfold(1_u64, |tick| async move {
            if tick > 1 {
                tokio::time::sleep(TICK).await;
            }
            Some((Ok(Frame::data(Bytes::from(format!("tick {tick}\n")))), tick.saturating_add(1)))
        });
        return Ok(Response::new(StreamBody::new(ticks).boxed_unsync()));
    }
    let line = format!("hello from {NAME}: {} {}\n", request.method(), request.uri().path());
    Ok(Response::new(Full::new(Bytes::from(line)).boxed_unsync()))
}
