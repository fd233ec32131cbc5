//! The server behind the proxies: one thread, one `epoll`, answers rendered beforehand.
//!
//! `GET /bulk` is answered without end; anything else with one KiB, the first flight of a TLS client too.

use std::collections::HashMap;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use anyhow::{Context, Result};
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};

/// What every small answer's body begins with.
pub(super) const BODY_STARTS: &[u8] = b"one kibibyte ";
const BODY_BYTES: usize = 1024;
const BULK_PIECE_BYTES: usize = 256 * 1024;
/// A request head longer than this is none of ours.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// The running server; stopped when dropped.
#[derive(Debug)]
pub(super) struct Origin {
    addresses: Vec<SocketAddr>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Origin {
    /// Listens on `ports` fresh ports of loopback, so that no peer uses up the port numbers of another.
    pub(super) fn start(ports: usize) -> Result<Self> {
        let listeners =
            (0..ports).map(|_| TcpListener::bind("127.0.0.1:0").context("listening")).collect::<Result<Vec<_>>>()?;
        let addresses = listeners.iter().map(|listener| Ok(listener.local_addr()?)).collect::<Result<_>>()?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread =
            std::thread::Builder::new().name("origin".to_owned()).spawn(move || serve(&listeners, &stopped))?;
        Ok(Self { addresses, stop, thread: Some(thread) })
    }

    pub(super) fn address(&self, index: usize) -> Result<SocketAddr> {
        self.addresses.get(index).copied().context("no such port of the origin")
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(Ok(Err(error))) = self.thread.take().map(JoinHandle::join) {
            eprintln!("the origin failed: {error:#}");
        }
    }
}

fn serve(listeners: &[TcpListener], stop: &AtomicBool) -> Result<()> {
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    for (index, listener) in listeners.iter().enumerate() {
        listener.set_nonblocking(true)?;
        epoll::add(&poll, listener, epoll::EventData::new_u64(index as u64), epoll::EventFlags::IN)?;
    }
    let answers = Answers::render();
    let mut next = listeners.len() as u64;
    let mut connections: HashMap<u64, Connection> = HashMap::new();
    let mut ready = Vec::with_capacity(1024);
    let mut buffer = vec![0; 64 * 1024];
    while !stop.load(Ordering::Relaxed) {
        ready.clear();
        let tick = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
        match epoll::wait(&poll, spare_capacity(&mut ready), Some(&tick)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).context("waiting for requests"),
        }
        for event in &ready {
            let id = event.data.u64();
            if let Some(listener) = listeners.get(id as usize) {
                while let Ok((stream, _)) = listener.accept() {
                    stream.set_nonblocking(true)?;
                    stream.set_nodelay(true)?;
                    epoll::add(&poll, &stream, epoll::EventData::new_u64(next), epoll::EventFlags::IN)?;
                    connections.insert(next, Connection { stream, head: Vec::new(), bulk: None });
                    next += 1;
                }
                continue;
            }
            let Some(connection) = connections.get_mut(&id) else { continue };
            match connection.step(&answers, &mut buffer) {
                Ok(Next::Wait) => {}
                Ok(Next::WaitToWrite) => {
                    let flags = epoll::EventFlags::OUT;
                    epoll::modify(&poll, &connection.stream, epoll::EventData::new_u64(id), flags)?;
                }
                Ok(Next::Close) | Err(_) => {
                    connections.remove(&id);
                }
            }
        }
    }
    Ok(())
}

struct Answers {
    small: Vec<u8>,
    bulk_head: Vec<u8>,
    bulk_piece: Vec<u8>,
}

impl Answers {
    fn render() -> Self {
        let head = |length: u64| {
            format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n").into_bytes()
        };
        let mut small = head(BODY_BYTES as u64);
        let body = BODY_STARTS.iter().copied().chain(std::iter::repeat(b'x'));
        small.extend(body.take(BODY_BYTES));
        Self { small, bulk_head: head(1 << 50), bulk_piece: vec![b'x'; BULK_PIECE_BYTES] }
    }
}

enum Next {
    Wait,
    WaitToWrite,
    Close,
}

struct Connection {
    stream: TcpStream,
    /// The beginning of a request head that has not arrived whole.
    head: Vec<u8>,
    /// How much of the current piece of an endless answer has gone.
    bulk: Option<usize>,
}

impl Connection {
    fn step(&mut self, answers: &Answers, buffer: &mut [u8]) -> Result<Next> {
        if let Some(gone) = self.bulk {
            return self.pour(answers, gone);
        }
        let count = match self.stream.read(buffer) {
            Ok(0) => return Ok(Next::Close),
            Ok(count) => count,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                return Ok(Next::Wait);
            }
            Err(error) => return Err(error.into()),
        };
        self.head.extend_from_slice(buffer.get(..count).unwrap_or_default());
        while let Some(end) = request_end(&self.head) {
            let is_bulk = self.head.starts_with(b"GET /bulk");
            self.head.drain(..end);
            if is_bulk {
                self.stream.write_all(&answers.bulk_head)?;
                return self.pour(answers, 0);
            }
            // Far smaller than the socket's buffer, which is empty unless requests are pipelined.
            self.stream.write_all(&answers.small)?;
        }
        Ok(if self.head.len() > HEAD_BYTES_MAX { Next::Close } else { Next::Wait })
    }

    /// Writes as much as the socket takes, a bounded number of pieces so that the others get their turn.
    fn pour(&mut self, answers: &Answers, mut gone: usize) -> Result<Next> {
        for _ in 0..16 {
            let rest = answers.bulk_piece.get(gone..).unwrap_or_default();
            match self.stream.write(rest) {
                Ok(count) => gone = if count == rest.len() { 0 } else { gone + count },
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        self.bulk = Some(gone);
        Ok(Next::WaitToWrite)
    }
}

/// Where the first request in `bytes` ends: a head, or a record of TLS.
fn request_end(bytes: &[u8]) -> Option<usize> {
    if let [0x16, _, _, high, low, ..] = bytes {
        let end = 5 + usize::from(u16::from_be_bytes([*high, *low]));
        return (bytes.len() >= end).then_some(end);
    }
    bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4)
}
