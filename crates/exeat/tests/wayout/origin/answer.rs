//! The pages out there.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use sha1::Digest as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::site::{Ask, Sites};

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// `/bytes/N` streams N bytes, `/drip` a line every 50 ms for ever, `/never` says nothing, `/sink` counts what it is
/// sent, `/to/URL` redirects there, `/once` ends the
/// connection; an `Upgrade` is granted and echoed; anything else says where it arrived.
pub(super) async fn to(request: Request<Incoming>, at: SocketAddr, sites: Sites) -> Result<Response<Body>, Infallible> {
    let host = request.headers().get("host").and_then(|host| host.to_str().ok());
    let host = host.or(request.uri().host()).unwrap_or_default();
    let host = host.split(':').next().unwrap_or_default().to_owned();
    if sites.has(&host) {
        return Ok(page(&sites, &host, request).await);
    }
    if request.headers().contains_key(hyper::header::UPGRADE) {
        return Ok(upgrade(request));
    }
    let path = request.uri().path().to_owned();
    let (first, rest) = path.trim_start_matches('/').split_once('/').unwrap_or((path.trim_start_matches('/'), ""));
    Ok(match first {
        "bytes" => Response::new(bytes(rest.parse().unwrap_or(0))),
        "drip" => Response::new(drip()),
        "grpc.Echo" => call(request),
        "never" => std::future::pending().await,
        "sink" => said(&count(request.into_body()).await.to_string()),
        "to" => {
            let mut response = said("elsewhere");
            *response.status_mut() = StatusCode::FOUND;
            response.headers_mut().insert("location", rest.parse().unwrap());
            response
        }
        "once" => {
            let mut response = said(&format!("arrived at {at} by {} {path}\n", request.method()));
            response.headers_mut().insert("connection", "close".parse().unwrap());
            response
        }
        _ => said(&format!("arrived at {at} by {} {path}\n", request.method())),
    })
}

fn said(text: &str) -> Response<Body> {
    Response::new(Full::from(text.to_owned()).boxed_unsync())
}

const PIECE: usize = 64 << 10;

fn bytes(length: u64) -> Body {
    let piece = Bytes::from(vec![b'x'; PIECE]);
    let pieces = stream::unfold(length, move |left| {
        let piece = piece.clone();
        async move {
            let length = left.min(PIECE as u64);
            (length > 0).then(|| {
                let part = piece.slice(..usize::try_from(length).unwrap());
                (Ok(Frame::data(part)), left - length)
            })
        }
    });
    StreamBody::new(pieces).boxed_unsync()
}

fn drip() -> Body {
    let lines = stream::unfold(0u64, |number| async move {
        tokio::time::sleep(Duration::from_millis(50)).await;
        Some((Ok(Frame::data(Bytes::from(format!("data: {number}\n\n")))), number + 1))
    });
    StreamBody::new(lines).boxed_unsync()
}

async fn count(mut body: Incoming) -> u64 {
    let mut length = 0;
    while let Some(Ok(frame)) = body.frame().await {
        length += frame.data_ref().map_or(0, |data| data.len() as u64);
    }
    length
}

/// Grants what is asked for; a WebSocket gets each message back, anything else its bytes.
fn upgrade(request: Request<Incoming>) -> Response<Body> {
    let mut response = said("");
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    response.headers_mut().insert("connection", "upgrade".parse().unwrap());
    response.headers_mut().insert("upgrade", request.headers()[hyper::header::UPGRADE].clone());
    let key = request.headers().get("sec-websocket-key").cloned();
    if let Some(key) = &key {
        response.headers_mut().insert("sec-websocket-accept", accept(key.as_bytes()).parse().unwrap());
    }
    tokio::spawn(async move {
        let Ok(upgraded) = hyper::upgrade::on(request).await else { return };
        let mut stream = TokioIo::new(upgraded);
        // How a client ends it is up to it.
        let _ended = if key.is_some() { echo_messages(&mut stream).await } else { echo(&mut stream).await };
    });
    response
}

/// RFC 6455, 4.2.2.
fn accept(key: &[u8]) -> String {
    let mut digest = sha1::Sha1::new();
    digest.update(key);
    digest.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    data_encoding::BASE64.encode(&digest.finalize())
}

async fn echo(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> std::io::Result<()> {
    let mut buffer = vec![0; 4096];
    loop {
        let length = stream.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..length]).await?;
    }
}

/// Short messages in one frame each; a close is answered by a close.
async fn echo_messages(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> std::io::Result<()> {
    loop {
        let (mut head, mut mask) = ([0; 2], [0; 4]);
        stream.read_exact(&mut head).await?;
        stream.read_exact(&mut mask).await?;
        let mut payload = vec![0; usize::from(head[1] & 0x7f)];
        stream.read_exact(&mut payload).await?;
        payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
        let frame = [&[head[0], head[1] & 0x7f], payload.as_slice()].concat();
        stream.write_all(&frame).await?;
        if head[0] & 0x0f == 8 {
            return stream.shutdown().await;
        }
    }
}

/// A unary call whose answer is its request.
fn call(request: Request<Incoming>) -> Response<Body> {
    let mut trailers = hyper::HeaderMap::new();
    trailers.insert("grpc-status", "0".parse().unwrap());
    let body = request.into_body().map_err(|error| -> Infallible { panic!("a call without an end: {error}") });
    let body = body.with_trailers(std::future::ready(Some(Ok(trailers))));
    let mut response = Response::new(body.boxed_unsync());
    response.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
    response
}

/// What a site says.
async fn page(sites: &Sites, host: &str, request: Request<Incoming>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes().to_vec()).unwrap_or_default();
    let field = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (path, query) = (head.uri.path(), head.uri.query().unwrap_or_default());
    let (content_type, encoding) = (field("content-type"), field("content-encoding"));
    let ask = Ask { host, method: head.method.as_str(), path, query, content_type, encoding, body };
    let page = sites.answer(ask).await;
    let mut response = Response::builder().status(page.status);
    for (name, value) in &page.headers {
        response = response.header(name, value);
    }
    response.body(Full::from(page.body).boxed_unsync()).unwrap()
}
