//! What listens out there, on every address of a network: answers whatever speaks to it and remembers what came.

mod answer;
mod site;

pub use site::{Site, Sites};

use std::net::{Ipv6Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::LazyConfigAcceptor;

use crate::authority::Authority;

/// Something that reached a listener.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// The address and port it was sent to.
    pub at: SocketAddr,
    pub what: What,
}

#[derive(Debug, Clone)]
#[allow(dead_code, reason = "all of it is shown when an assertion fails")]
pub enum What {
    Connected,
    /// A TLS handshake began, for this name.
    Hello(Option<String>),
    /// Bytes that are neither TLS nor HTTP.
    Raw(Vec<u8>),
    Request(Request),
}

#[derive(Debug, Clone)]
#[allow(dead_code, reason = "all of it is shown when an assertion fails")]
pub struct Request {
    pub method: String,
    pub target: String,
    /// Name in lower case and value, in order.
    pub headers: Vec<(String, String)>,
    pub tls: bool,
}

impl Request {
    pub fn header(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(each, _)| each == name).map(|(_, value)| value.as_str()).collect()
    }
}

/// What came to the listeners of one network.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<Arrival>>>);

impl Log {
    fn add(&self, at: SocketAddr, what: What) {
        self.0.lock().unwrap().push(Arrival { at, what });
    }

    pub fn mark(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    pub fn since(&self, mark: usize) -> Vec<Arrival> {
        self.0.lock().unwrap()[mark..].to_vec()
    }

    /// The requests that came since a mark.
    pub fn requests(&self, mark: usize) -> Vec<(SocketAddr, Request)> {
        let arrivals = self.since(mark).into_iter();
        arrivals
            .filter_map(|arrival| match arrival.what {
                What::Request(request) => Some((arrival.at, request)),
                _ => None,
            })
            .collect()
    }
}

/// Ports that speak first, as SSH and mail do.
pub const SPEAKS_FIRST: [u16; 2] = [22, 25];
pub const BANNER: &[u8] = b"SSH-2.0-origin\r\n";
/// A port that answers every TLS hello by asking for another one.
pub const RETRIES: u16 = 9443;
/// Ports that something listens on.
pub const PORTS: [u16; 10] = [22, 25, 80, 443, 2375, 6379, 8080, 8443, 9418, RETRIES];

/// Binds all ports on all addresses of the network of the calling thread.
pub fn bind() -> Vec<TcpListener> {
    PORTS.iter().map(|&port| bind_one(port)).collect()
}

fn bind_one(port: u16) -> TcpListener {
    let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, port));
    let listener = listener.unwrap_or_else(|error| panic!("port {port} of the test's own network: {error}"));
    listener.set_nonblocking(true).unwrap();
    listener
}

/// Serves on bound listeners for as long as the runtime lives.
pub fn serve(
    runtime: &tokio::runtime::Handle,
    listeners: Vec<TcpListener>,
    log: &Log,
    authority: &Arc<Authority>,
    sites: &Sites,
) {
    let _inside = runtime.enter();
    let mut config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(authority.clone());
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let config = Arc::new(config);
    for listener in listeners {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let (log, config, sites) = (log.clone(), config.clone(), sites.clone());
        runtime.spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                tokio::spawn(converse(stream, log.clone(), config.clone(), sites.clone()));
            }
        });
    }
}

async fn converse(stream: TcpStream, log: Log, config: Arc<rustls::ServerConfig>, sites: Sites) {
    let Ok(at) = stream.local_addr() else { return };
    let at = SocketAddr::new(at.ip().to_canonical(), at.port());
    log.add(at, What::Connected);
    let mut stream = stream;
    if SPEAKS_FIRST.contains(&at.port()) {
        if stream.write_all(BANNER).await.is_ok() {
            echo(stream, at, &log).await;
        }
        return;
    }
    if at.port() == RETRIES {
        return ask_again(stream, at, &log).await;
    }
    let mut first = [0; 4];
    let Ok(length) = stream.peek(&mut first).await else { return };
    match &first[..length] {
        [] => {}
        [0x16, ..] => {
            let accepting = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), stream);
            let Ok(start) = accepting.await else { return log.add(at, What::Raw(first.to_vec())) };
            log.add(at, What::Hello(start.client_hello().server_name().map(str::to_owned)));
            if let Ok(stream) = start.into_stream(config).await {
                answer_http(stream, at, log, sites, true).await;
            }
        }
        [b'A'..=b'Z', ..] if &first != b"SSH-" => answer_http(stream, at, log, sites, false).await,
        _ => echo(stream, at, &log).await,
    }
}

/// A HelloRetryRequest of TLS 1.3 that wants the group secp384r1, with the session id of the hello it answers.
async fn ask_again(mut stream: TcpStream, at: SocketAddr, log: &Log) {
    let mut hello = vec![0; 16 << 10];
    while let Ok(length @ 1..) = stream.read(&mut hello).await {
        log.add(at, What::Raw(hello[..length].to_vec()));
        let id = hello.get(43).map_or(0, |&length| usize::from(length));
        let id = hello.get(44..44 + id).unwrap_or_default();
        let mut body = vec![3, 3];
        body.extend(RETRY_RANDOM);
        body.push(u8::try_from(id.len()).unwrap_or_default());
        body.extend(id);
        body.extend([0x13, 1, 0, 0, 12, 0, 43, 0, 2, 3, 4, 0, 51, 0, 2, 0, 24]);
        let length = u16::try_from(body.len()).unwrap_or_default();
        let mut record = vec![0x16, 3, 3];
        record.extend((length + 4).to_be_bytes());
        record.extend([2, 0]);
        record.extend(length.to_be_bytes());
        record.extend(body);
        if stream.write_all(&record).await.is_err() {
            return;
        }
    }
}

/// What stands for a random in a ServerHello that is a HelloRetryRequest: SHA-256 of those words (RFC 8446, 4.1.3).
const RETRY_RANDOM: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11,
    0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

async fn echo(mut stream: impl AsyncRead + AsyncWrite + Unpin, at: SocketAddr, log: &Log) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(length @ 1..) = stream.read(&mut buffer).await {
        log.add(at, What::Raw(buffer[..length].to_vec()));
        if stream.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

async fn answer_http<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    at: SocketAddr,
    log: Log,
    sites: Sites,
    tls: bool,
) {
    let service = hyper::service::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let headers = request.headers().iter();
        let mut headers: Vec<(String, String)> = headers
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        if let Some(authority) = request.uri().authority() {
            headers.push(("host".to_owned(), authority.to_string()));
        }
        let (method, target) = (request.method().to_string(), request.uri().to_string());
        log.add(at, What::Request(Request { method, target, headers, tls }));
        answer::to(request, at, sites.clone())
    });
    let mut builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
    builder.http1().max_headers(256).max_buf_size(1 << 20);
    // How a client ends its connection is up to it.
    let _ended = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).await;
}
