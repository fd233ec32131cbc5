//! How a client can ask to go out, in bytes of its own making: plain, CONNECT, SOCKS5 and the API.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use serde_json::Value;

/// Longer than anything that a proxied request waits for.
const PATIENCE: Duration = Duration::from_secs(30);

/// One answer of HTTP/1.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub phrase: String,
    /// Name in lower case and value.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    /// Reads one from a stream; the body by its length, in chunks, or to the end.
    pub fn read(stream: &mut impl io::Read) -> io::Result<Self> {
        Self::read_after(stream, "GET")
    }

    /// As [`Answer::read`], to a request of this method.
    pub fn read_after(stream: &mut impl io::Read, method: &str) -> io::Result<Self> {
        let head = line_by_line(stream)?;
        let broken = || io::Error::new(io::ErrorKind::InvalidData, format!("not an answer: {head:?}"));
        let mut lines = head.split("\r\n");
        let mut words = lines.next().unwrap_or_default().splitn(3, ' ');
        let status = words.nth(1).and_then(|word| word.parse().ok()).ok_or_else(broken)?;
        let phrase = words.next().unwrap_or_default().to_owned();
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let mut answer = Self { status, phrase, headers, body: Vec::new() };
        if status / 100 == 1 && status != 101 {
            return Self::read_after(stream, method);
        }
        if method == "HEAD" || method == "CONNECT" && status / 100 == 2 || matches!(status, 101 | 204 | 304) {
            return Ok(answer);
        }
        if let Some(length) = answer.header("content-length") {
            answer.body = vec![0; length.parse().map_err(|_| broken())?];
            stream.read_exact(&mut answer.body)?;
        } else if answer.header("transfer-encoding").is_some() {
            loop {
                let size = line(stream)?;
                let size = usize::from_str_radix(size.trim(), 16).map_err(|_| broken())?;
                let mut chunk = vec![0; size + 2];
                stream.read_exact(&mut chunk)?;
                if size == 0 {
                    break;
                }
                answer.body.extend(&chunk[..size]);
            }
        } else {
            stream.read_to_end(&mut answer.body)?;
        }
        Ok(answer)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(each, _)| each == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The stable code of a refusal; empty when it is none.
    pub fn code(&self) -> String {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        body["error"].as_str().unwrap_or_default().to_owned()
    }

    /// The id that `exeat why` takes.
    pub fn id(&self) -> Option<&str> {
        self.header("exeat-decision")
    }
}

fn line_by_line(stream: &mut impl io::Read) -> io::Result<String> {
    until(stream, b"\r\n\r\n")
}

fn line(stream: &mut impl io::Read) -> io::Result<String> {
    until(stream, b"\r\n")
}

fn until(stream: &mut impl io::Read, end: &[u8]) -> io::Result<String> {
    let (mut read, mut byte) = (Vec::new(), [0]);
    while !read.ends_with(end) {
        if stream.read(&mut byte)? == 0 {
            let so_far = String::from_utf8_lossy(&read).into_owned();
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("ended after {so_far:?}")));
        }
        read.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&read).into_owned())
}

/// A way to the proxy, with a key for it.
#[derive(Debug, Clone)]
pub struct Way {
    pub proxy: SocketAddr,
    pub key: String,
}

/// What a tunnel was answered with instead of a tunnel.
#[derive(Debug)]
pub enum NoTunnel {
    Http(Answer),
    /// The reply code of SOCKS.
    Socks(u8),
    Broken(io::Error),
}

impl From<io::Error> for NoTunnel {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

/// TLS inside a tunnel.
pub type Secured = rustls::StreamOwned<rustls::ClientConnection, TcpStream>;

impl Way {
    /// A connection on which nothing was said.
    pub fn open(&self) -> TcpStream {
        let stream = TcpStream::connect_timeout(&self.proxy, PATIENCE).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// The field that says who asks.
    pub fn credential(&self) -> String {
        format!("Proxy-Authorization: Bearer {}\r\n", self.key)
    }

    /// GET in absolute form.
    pub fn get(&self, url: &str) -> io::Result<Answer> {
        self.send("GET", url, "", b"")
    }

    /// Any request in absolute form; `fields` are whole lines.
    pub fn send(&self, method: &str, url: &str, fields: &str, body: &[u8]) -> io::Result<Answer> {
        let mut stream = self.open();
        stream.write_all(self.head(method, url, fields, body.len()).as_bytes())?;
        stream.write_all(body)?;
        Answer::read_after(&mut stream, method)
    }

    /// The head of such a request.
    pub fn head(&self, method: &str, url: &str, fields: &str, length: usize) -> String {
        let host = url.split("://").nth(1).unwrap_or(url);
        let host = host.split(['/', '?']).next().unwrap_or(host);
        let length = if length == 0 { String::new() } else { format!("Content-Length: {length}\r\n") };
        format!("{method} {url} HTTP/1.1\r\nHost: {host}\r\n{}{fields}{length}\r\n", self.credential())
    }

    /// Asks for a tunnel by CONNECT.
    pub fn connect(&self, authority: &str) -> Result<TcpStream, NoTunnel> {
        let mut stream = self.open();
        let head = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n{}\r\n", self.credential());
        stream.write_all(head.as_bytes())?;
        match Answer::read_after(&mut stream, "CONNECT")? {
            Answer { status: 200..=299, .. } => Ok(stream),
            answer => Err(NoTunnel::Http(answer)),
        }
    }

    /// Any request by HTTP/2 without TLS, or a tunnel when the method is CONNECT; a tunnel is left at once.
    pub fn http2(&self, runtime: &tokio::runtime::Handle, method: &str, target: &str) -> Answer {
        let request = hyper::Request::builder().method(method).uri(target).version(hyper::Version::HTTP_2);
        let request = request.header("proxy-authorization", format!("Bearer {}", self.key));
        let request = request.body(http_body_util::Empty::<bytes::Bytes>::new()).unwrap();
        let proxy = self.proxy;
        runtime.block_on(async move {
            let stream = TokioIo::new(tokio::net::TcpStream::connect(proxy).await.unwrap());
            let (mut sender, connection) =
                hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
            // Ends with the client.
            tokio::spawn(connection);
            let answer = tokio::time::timeout(PATIENCE, sender.send_request(request)).await.unwrap().unwrap();
            let (head, body) = answer.into_parts();
            let headers = head.headers.iter();
            let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
            let status = head.status.as_u16();
            let body = if method == "CONNECT" && status == 200 { None } else { Some(body) };
            let body = match body {
                Some(body) => body.collect().await.unwrap().to_bytes().to_vec(),
                None => Vec::new(),
            };
            Answer { status, phrase: String::new(), headers, body }
        })
    }

    /// Asks for a tunnel by SOCKS5, the name unresolved.
    pub fn socks(&self, host: &str, port: u16) -> Result<TcpStream, NoTunnel> {
        let mut target = vec![3, u8::try_from(host.len()).unwrap()];
        target.extend(host.as_bytes());
        self.socks_to(&target, port)
    }

    /// Asks for a tunnel by SOCKS5 to an address.
    pub fn socks_address(&self, address: IpAddr, port: u16) -> Result<TcpStream, NoTunnel> {
        let target = match address {
            IpAddr::V4(address) => [&[1][..], &address.octets()].concat(),
            IpAddr::V6(address) => [&[4][..], &address.octets()].concat(),
        };
        self.socks_to(&target, port)
    }

    fn socks_to(&self, target: &[u8], port: u16) -> Result<TcpStream, NoTunnel> {
        let mut stream = self.open();
        stream.write_all(&[5, 1, 2])?;
        let mut two = [0; 2];
        stream.read_exact(&mut two)?;
        assert_eq!(two, [5, 2], "user and password are taken");
        stream.write_all(&self.socks_login())?;
        stream.read_exact(&mut two)?;
        if two != [1, 0] {
            return Err(NoTunnel::Socks(0xff));
        }
        stream.write_all(&[&[5, 1, 0], target, &port.to_be_bytes()].concat())?;
        match read_socks_reply(&mut stream)? {
            0 => Ok(stream),
            code => Err(NoTunnel::Socks(code)),
        }
    }

    /// User and password of RFC 1929.
    pub fn socks_login(&self) -> Vec<u8> {
        let mut login = vec![1, 1, b'x', u8::try_from(self.key.len()).unwrap()];
        login.extend(self.key.as_bytes());
        login
    }
}

/// The reply code; the bound address is read and left.
pub fn read_socks_reply(stream: &mut TcpStream) -> io::Result<u8> {
    let mut head = [0; 4];
    stream.read_exact(&mut head)?;
    let rest = match head[3] {
        1 => 4,
        4 => 16,
        _ => {
            let mut length = [0];
            stream.read_exact(&mut length)?;
            usize::from(length[0])
        }
    };
    stream.read_exact(&mut vec![0; rest + 2])?;
    Ok(head[1])
}

/// A TLS client that trusts the world's authority.
#[derive(Clone)]
pub struct Tls {
    config: Arc<rustls::ClientConfig>,
}

impl Tls {
    pub fn new(roots: rustls::RootCertStore) -> Self {
        let config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap();
        Self { config: Arc::new(config.with_root_certificates(roots).with_no_client_auth()) }
    }

    /// TLS for this name on an open tunnel; the handshake happens with the first byte.
    pub fn over(&self, tunnel: TcpStream, name: &str) -> Secured {
        let name = ServerName::try_from(name.to_owned()).unwrap();
        rustls::StreamOwned::new(rustls::ClientConnection::new(self.config.clone(), name).unwrap(), tunnel)
    }

    /// The first flight that a client for this name sends.
    pub fn hello(&self, name: &str) -> Vec<u8> {
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let mut client = rustls::ClientConnection::new(self.config.clone(), name).unwrap();
        let mut bytes = Vec::new();
        client.write_tls(&mut bytes).unwrap();
        bytes
    }

    /// One GET inside a tunnel.
    pub fn get(&self, tunnel: TcpStream, name: &str, path: &str) -> io::Result<Answer> {
        let mut stream = self.over(tunnel, name);
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n")?;
        Answer::read(&mut stream)
    }
}
