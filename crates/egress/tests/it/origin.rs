//! Origins that write down what they get, and a client that speaks bytes.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// LIMIT: a test that waits longer has failed.
pub(crate) const WAIT: Duration = Duration::from_secs(20);

/// An origin that answers as `answer` says, and keeps every byte it got.
pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    got: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Origin {
    /// Serves every connection with `serve`.
    pub(crate) async fn serving<F, R>(serve: F) -> Self
    where
        F: Fn(Peer) -> R + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let got: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
        let all = Arc::clone(&got);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let index = {
                    let mut all = all.lock().unwrap();
                    all.push(Vec::new());
                    all.len() - 1
                };
                tokio::spawn(serve(Peer { stream, all: Arc::clone(&all), index, buffer: Vec::new() }));
            }
        });
        Self { address, got }
    }

    /// Answers every head of a request with the same bytes.
    pub(crate) async fn answering(answer: &'static str) -> Self {
        Self::serving(move |mut peer| async move {
            while peer.head().await.is_some() {
                peer.send(answer).await;
            }
        })
        .await
    }

    /// Sends back what it gets.
    pub(crate) async fn echoing() -> Self {
        Self::serving(|mut peer| async move {
            while let Some(bytes) = peer.some().await {
                peer.send(bytes).await;
            }
            let _ = peer.stream.shutdown().await;
        })
        .await
    }

    /// How many connections came.
    pub(crate) fn connections(&self) -> usize {
        self.got.lock().unwrap().len()
    }

    /// What came on all connections.
    pub(crate) fn got(&self) -> String {
        let got = self.got.lock().unwrap();
        got.iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect()
    }
}

/// One connection of an origin.
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    all: Arc<Mutex<Vec<Vec<u8>>>>,
    index: usize,
    buffer: Vec<u8>,
}

impl Peer {
    /// Some bytes; `None` at the end.
    pub(crate) async fn some(&mut self) -> Option<Vec<u8>> {
        if !self.buffer.is_empty() {
            return Some(std::mem::take(&mut self.buffer));
        }
        let mut bytes = vec![0; 16 * 1024];
        let n = self.stream.read(&mut bytes).await.unwrap_or(0);
        bytes.truncate(n);
        self.all.lock().unwrap()[self.index].extend_from_slice(&bytes);
        (n > 0).then_some(bytes)
    }

    /// The next head, its end included.
    pub(crate) async fn head(&mut self) -> Option<String> {
        self.until(b"\r\n\r\n").await
    }

    /// Everything up to `end`, included.
    pub(crate) async fn until(&mut self, end: &[u8]) -> Option<String> {
        let mut bytes = Vec::new();
        loop {
            if let Some(at) = bytes.windows(end.len()).position(|window| window == end) {
                self.buffer = bytes.split_off(at + end.len());
                return Some(String::from_utf8_lossy(&bytes).into_owned());
            }
            bytes.extend(self.some().await?);
        }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref()).await;
    }
}

/// A client that speaks bytes.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        self.head.split(' ').nth(1).unwrap().parse().unwrap()
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.unwrap(), buffer: Vec::new() }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Sends a request and reads its answer.
    pub(crate) async fn ask(&mut self, request: impl AsRef<[u8]>) -> Answer {
        self.send(request).await;
        self.answer().await
    }

    async fn more(&mut self) -> bool {
        let mut bytes = vec![0; 16 * 1024];
        let n = timeout(WAIT, self.stream.read(&mut bytes)).await.expect("something in time").unwrap_or(0);
        self.buffer.extend_from_slice(&bytes[..n]);
        n > 0
    }

    /// The next head.
    pub(crate) async fn head(&mut self) -> String {
        loop {
            if let Some(at) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                let rest = self.buffer.split_off(at + 4);
                return String::from_utf8(std::mem::replace(&mut self.buffer, rest)).unwrap();
            }
            assert!(self.more().await, "closed before a head: {:?}", String::from_utf8_lossy(&self.buffer));
        }
    }

    /// The next answer with its body: by its length, in chunks (left as they are), or to the end.
    pub(crate) async fn answer(&mut self) -> Answer {
        let head = self.head().await;
        let mut answer = Answer { head, body: Vec::new() };
        if answer.status() == 204 || answer.status() == 304 || answer.status() < 200 {
            return answer;
        }
        if let Some(length) = answer.field("content-length") {
            let length = length.parse().unwrap();
            while self.buffer.len() < length {
                assert!(self.more().await, "closed in a body");
            }
            let rest = self.buffer.split_off(length);
            answer.body = std::mem::replace(&mut self.buffer, rest);
        } else if answer.field("transfer-encoding").is_some() {
            answer.body = self.chunks().await;
        } else {
            answer.body = self.rest().await;
        }
        answer
    }

    /// The body that belongs to a head with a length.
    pub(crate) async fn answer_body(&mut self, answer: &Answer) -> Vec<u8> {
        self.exactly(answer.field("content-length").unwrap().parse().unwrap()).await
    }

    /// A chunked body, left as it is.
    async fn chunks(&mut self) -> Vec<u8> {
        let find = |bytes: &[u8], what: &[u8]| bytes.windows(what.len()).position(|window| window == what);
        loop {
            let last = if self.buffer.starts_with(b"0\r\n") { Some(0) } else { find(&self.buffer, b"\r\n0\r\n") };
            if let Some(last) = last
                && let Some(end) = find(&self.buffer[last + 2..], b"\r\n\r\n")
            {
                let rest = self.buffer.split_off(last + 2 + end + 4);
                return std::mem::replace(&mut self.buffer, rest);
            }
            assert!(self.more().await, "closed in a chunked body");
        }
    }

    /// Everything until the connection ends.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        while self.more().await {}
        std::mem::take(&mut self.buffer)
    }

    /// Exactly so many bytes.
    pub(crate) async fn exactly(&mut self, n: usize) -> Vec<u8> {
        while self.buffer.len() < n {
            assert!(self.more().await, "closed too early");
        }
        let rest = self.buffer.split_off(n);
        std::mem::replace(&mut self.buffer, rest)
    }
}
