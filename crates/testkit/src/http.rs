//! A plain blocking HTTP/1.1 client on a loopback socket, so that tests see exactly what is on the wire.
//!
//! It is deliberately simple: no redirects, no proxy, no TLS, no retries. A request is sent once; whether it had an
//! effect is what the tests are about.

mod response;
mod stream;

pub use response::Response;
pub use stream::{Event, EventStream};

use std::io::{ErrorKind, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use response::Reader;

const CONNECT_WITHIN: Duration = Duration::from_secs(5);
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// A client of one server: its headers go with every request, its connection is kept between them.
#[derive(Debug)]
pub struct Client {
    address: SocketAddr,
    headers: Vec<(String, String)>,
    timeout: Duration,
    connection: Option<Reader>,
}

impl Client {
    /// A client without a connection yet; answers may take up to 30 s.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        Self { address, headers: Vec::new(), timeout: ANSWER_WITHIN, connection: None }
    }

    /// Sends `authorization: Bearer <key>` with every request.
    #[must_use]
    pub fn bearer(self, key: &str) -> Self {
        self.header("authorization", &format!("Bearer {key}"))
    }

    /// Sends one more header with every request.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// How long any one read or write may take.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sends a GET.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub fn get(&mut self, path: &str) -> Result<Response> {
        self.send("GET", path, &[], b"")
    }

    /// Sends a POST of a JSON body.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub fn post(&mut self, path: &str, json: &Value) -> Result<Response> {
        self.send("POST", path, &[("content-type", "application/json")], json.to_string().as_bytes())
    }

    /// Sends a PUT of a JSON body.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub fn put(&mut self, path: &str, json: &Value) -> Result<Response> {
        self.send("PUT", path, &[("content-type", "application/json")], json.to_string().as_bytes())
    }

    /// Sends any request and reads its answer, on the kept connection when the server has not closed it.
    ///
    /// `content-length` is added when there is a body or the method usually has one.
    ///
    /// # Errors
    /// When the server cannot be reached, or closes or falls silent before the answer is complete. The request may
    /// have had its effect then.
    pub fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Response> {
        let mut request = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n", self.address).into_bytes();
        let own = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in own.chain(headers.iter().copied()) {
            request.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        if !body.is_empty() || matches!(method, "POST" | "PUT" | "PATCH") {
            request.extend_from_slice(format!("content-length: {}\r\n", body.len()).as_bytes());
        }
        request.extend_from_slice(b"\r\n");
        request.extend_from_slice(body);
        self.exchange(&request, method == "HEAD").with_context(|| format!("{method} {path} at {}", self.address))
    }

    /// Sends bytes as they are, malformed ones too, on a connection of their own, and reads one answer.
    ///
    /// # Errors
    /// When the server cannot be reached or closes without an answer.
    pub fn raw(&self, bytes: &[u8]) -> Result<Response> {
        let mut connection = self.connect()?;
        write(&mut connection, bytes)?;
        connection.response(false).with_context(|| format!("{} raw bytes at {}", bytes.len(), self.address))
    }

    /// Opens a stream of server-sent events on a connection of its own.
    ///
    /// # Errors
    /// When the answer is not a 200 of `text/event-stream`; the message has the answer.
    pub fn events(&self, path: &str, headers: &[(&str, &str)]) -> Result<EventStream> {
        let mut request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\naccept: text/event-stream\r\n", self.address);
        let own = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in own.chain(headers.iter().copied()) {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("\r\n");
        let mut connection = self.connect()?;
        write(&mut connection, request.as_bytes())?;
        EventStream::open(connection).with_context(|| format!("GET {path} as a stream at {}", self.address))
    }

    fn exchange(&mut self, request: &[u8], answer_has_no_body: bool) -> Result<Response> {
        let mut connection = match self.connection.take().filter(Reader::is_open) {
            Some(kept) => kept,
            None => self.connect()?,
        };
        // A server may answer and close before it has read everything: what it said counts, so read in any case.
        let written = write(&mut connection, request);
        let response = match (connection.response(answer_has_no_body), written) {
            (Ok(response), _) => response,
            (Err(_), Err(error)) | (Err(error), Ok(())) => return Err(error),
        };
        if response.keeps_connection() {
            self.connection = Some(connection);
        }
        Ok(response)
    }

    fn connect(&self) -> Result<Reader> {
        let stream = TcpStream::connect_timeout(&self.address, CONNECT_WITHIN);
        let stream = stream.with_context(|| format!("connecting to {}", self.address))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(self.timeout))?;
        stream.set_write_timeout(Some(self.timeout))?;
        Ok(Reader::new(stream))
    }
}

fn write(connection: &mut Reader, bytes: &[u8]) -> Result<()> {
    connection.socket().write_all(bytes).map_err(|error| match error.kind() {
        ErrorKind::WouldBlock => anyhow::anyhow!("the server took too long to read the request"),
        _ => anyhow::Error::new(error).context("writing the request"),
    })
}
