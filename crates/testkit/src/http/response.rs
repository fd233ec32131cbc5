//! Reading one answer: head, then a body by length, by chunks or to the end of the connection.

use std::io::{ErrorKind, Read as _};
use std::net::TcpStream;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

const HEAD_BYTES_MAX: usize = 256 * 1024;

/// An answer as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The reason phrase after it; may be empty.
    pub reason: String,
    /// The headers in their order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, with chunks joined.
    pub body: Vec<u8>,
}

impl Response {
    /// The first value of a header; the name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
    }

    /// The body as text, with anything that is not UTF-8 replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// When it is not JSON; the message has the status and the body.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.body).with_context(|| format!("not JSON: {} {}", self.status, self.text()))
    }

    /// The body as JSON of an answer that must have the given status.
    ///
    /// # Errors
    /// When the status differs or the body is not JSON; the message has both.
    pub fn expect(&self, status: u16) -> Result<Value> {
        ensure!(self.status == status, "status {} instead of {status}: {}", self.status, self.text());
        if self.body.is_empty() { Ok(Value::Null) } else { self.json() }
    }

    pub(super) fn keeps_connection(&self) -> bool {
        let closes = self.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        let delimited = self.header("content-length").is_some()
            || self.header("transfer-encoding").is_some()
            || matches!(self.status, 204 | 304);
        delimited && !closes
    }
}

/// A connection with what was read from it but not used yet.
#[derive(Debug)]
pub(super) struct Reader {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Reader {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream, buffer: Vec::with_capacity(8 * 1024) }
    }

    pub(super) fn socket(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// Whether the server has neither closed the connection nor sent anything unasked.
    pub(super) fn is_open(&self) -> bool {
        let peek = || {
            self.stream.set_nonblocking(true)?;
            let peeked = self.stream.peek(&mut [0]);
            self.stream.set_nonblocking(false)?;
            peeked
        };
        self.buffer.is_empty() && peek().is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }

    pub(super) fn response(&mut self, has_no_body: bool) -> Result<Response> {
        let mut response = self.head()?;
        while response.status < 200 && response.status != 101 {
            response = self.head()?;
        }
        if has_no_body || matches!(response.status, 101 | 204 | 304) {
            return Ok(response);
        }
        response.body = if is_chunked(&response) {
            let mut body = Vec::new();
            while let Some(chunk) = self.chunk()? {
                body.extend_from_slice(&chunk);
            }
            body
        } else if let Some(length) = response.header("content-length") {
            let length = length.parse().with_context(|| format!("content-length `{length}`"))?;
            self.take(length).context("reading the body")?
        } else {
            while self.fill().context("reading the body to its end")? > 0 {}
            std::mem::take(&mut self.buffer)
        };
        Ok(response)
    }

    pub(super) fn head(&mut self) -> Result<Response> {
        let end = loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                break end;
            }
            ensure!(self.buffer.len() < HEAD_BYTES_MAX, "the head of the answer is over {HEAD_BYTES_MAX} bytes");
            if self.fill().context("waiting for the answer")? == 0 {
                let so_far = String::from_utf8_lossy(&self.buffer);
                bail!("the server closed the connection before the answer was complete; it had sent `{so_far}`");
            }
        };
        let head = self.take(end + 4)?;
        parse_head(&head).with_context(|| format!("a malformed answer: `{}`", String::from_utf8_lossy(&head)))
    }

    /// The next chunk; `None` after the last one, whose trailers are read and dropped.
    pub(super) fn chunk(&mut self) -> Result<Option<Vec<u8>>> {
        let line = self.line()?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).with_context(|| format!("chunk size `{line}`"))?;
        if size == 0 {
            while !self.line()?.is_empty() {}
            return Ok(None);
        }
        let chunk = self.take(size)?;
        ensure!(self.line()?.is_empty(), "a chunk does not end where it said");
        Ok(Some(chunk))
    }

    fn line(&mut self) -> Result<String> {
        let end = loop {
            if let Some(end) = find(&self.buffer, b"\r\n") {
                break end;
            }
            ensure!(self.fill().context("reading a chunked body")? > 0, "the connection closed inside a chunked body");
        };
        let mut line = self.take(end + 2)?;
        line.truncate(end);
        Ok(String::from_utf8(line)?)
    }

    fn take(&mut self, length: usize) -> Result<Vec<u8>> {
        while self.buffer.len() < length {
            let have = self.buffer.len();
            ensure!(self.fill()? > 0, "the connection closed after {have} of {length} bytes");
        }
        let rest = self.buffer.split_off(length);
        Ok(std::mem::replace(&mut self.buffer, rest))
    }

    fn fill(&mut self) -> Result<usize> {
        let mut part = [0; 16 * 1024];
        let count = loop {
            match self.stream.read(&mut part) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => bail!("the server was silent for too long"),
                done => break done?,
            }
        };
        self.buffer.extend_from_slice(part.get(..count).unwrap_or_default());
        Ok(count)
    }
}

pub(super) fn is_chunked(response: &Response) -> bool {
    response.header("transfer-encoding").is_some_and(|value| value.to_ascii_lowercase().ends_with("chunked"))
}

fn parse_head(head: &[u8]) -> Result<Response> {
    let head = String::from_utf8_lossy(head);
    let mut lines = head.split("\r\n");
    let mut first = lines.next().unwrap_or_default().splitn(3, ' ');
    let version = first.next().unwrap_or_default();
    ensure!(version.starts_with("HTTP/1."), "version `{version}`");
    let status = first.next().unwrap_or_default();
    let status = status.parse().with_context(|| format!("status `{status}`"))?;
    let reason = first.next().unwrap_or_default().to_owned();
    let headers = lines.take_while(|line| !line.is_empty()).map(|line| {
        let (name, value) = line.split_once(':').with_context(|| format!("header `{line}`"))?;
        Ok((name.to_ascii_lowercase(), value.trim().to_owned()))
    });
    Ok(Response { status, reason, headers: headers.collect::<Result<_>>()?, body: Vec::new() })
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
