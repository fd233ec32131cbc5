//! One request on one connection: TCP, TLS where the address says so, HTTP/1.1.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// Why nothing came back.
#[derive(Debug, thiserror::Error)]
pub(super) enum SendError {
    #[error("cannot connect: {0}")]
    Connect(#[source] io::Error),
    #[error("TLS: {0}")]
    Tls(#[source] io::Error),
    #[error("TLS is not available here: {0}")]
    TlsSetup(#[from] rustls::Error),
    #[error("HTTP: {0}")]
    Http(#[from] hyper::Error),
    #[error("the address names no host")]
    NoHost,
}

/// Sends one request to `base`'s host and returns the head of the answer.
pub(super) async fn send(base: &url::Url, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, SendError> {
    let (host, port) = (base.host().ok_or(SendError::NoHost)?, base.port_or_known_default().ok_or(SendError::NoHost)?);
    let tcp = match host {
        url::Host::Domain(name) => TcpStream::connect((name, port)).await,
        url::Host::Ipv4(address) => TcpStream::connect((address, port)).await,
        url::Host::Ipv6(address) => TcpStream::connect((address, port)).await,
    }
    .map_err(SendError::Connect)?;
    if base.scheme() == "https" {
        let name = match host {
            url::Host::Domain(name) => ServerName::try_from(name.to_owned()).map_err(|_| SendError::NoHost)?,
            url::Host::Ipv4(address) => ServerName::from(std::net::IpAddr::V4(address)),
            url::Host::Ipv6(address) => ServerName::from(std::net::IpAddr::V6(address)),
        };
        let tls = tls()?.connect(name, tcp).await.map_err(SendError::Tls)?;
        exchange(tls, origin_form(base, request)).await
    } else {
        exchange(tcp, origin_form(base, request)).await
    }
}

/// TLS that trusts what this machine trusts.
fn tls() -> Result<tokio_rustls::TlsConnector, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_platform_verifier()?
        .with_no_client_auth();
    Ok(tokio_rustls::TlsConnector::from(Arc::new(config)))
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, SendError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // The connection's end shows in the answer's body; there is nothing else to do with its error.
    tokio::spawn(async move { connection.await.ok() });
    Ok(sender.send_request(request).await?)
}

/// Turns the absolute target into path and `Host`, as an origin server wants it.
fn origin_form(base: &url::Url, mut request: Request<Full<Bytes>>) -> Request<Full<Bytes>> {
    let authority = request.uri().authority().map_or_else(|| base.authority().to_owned(), ToString::to_string);
    let path = request.uri().path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string);
    if let (Ok(host), Ok(uri)) = (HeaderValue::from_str(&authority), path.parse::<Uri>()) {
        request.headers_mut().insert(HOST, host);
        *request.uri_mut() = uri;
    }
    request
}
