//! The load: one thread, one `epoll`, requests rendered beforehand, answers looked at only as far as needed.
//!
//! It shares the processors with what it measures, so it must cost next to nothing: about one read and one write call
//! per request. Each connection has at most one request under way, as most clients do.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};

/// After the measured time, answers that are still under way are waited for this long.
const LAST_ANSWERS_WITHIN: Duration = Duration::from_secs(10);
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// What every connection sends and what every answer must be.
#[derive(Debug, Clone)]
pub(super) struct Exchange {
    /// The bytes of the request; connection `n` sends the one at `n` modulo their number.
    pub(super) requests: Vec<Vec<u8>>,
    pub(super) status: u16,
    /// Bytes that the body of every answer must contain.
    pub(super) body_has: &'static [u8],
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Time from sending to the complete answer, of the measured ones, in order of size.
    pub(super) latencies: Vec<Duration>,
    /// How long was measured.
    pub(super) measured: Duration,
    pub(super) errors: usize,
    pub(super) first_error: Option<String>,
}

impl Outcome {
    pub(super) fn per_second(&self) -> f64 {
        self.latencies.len() as f64 / self.measured.as_secs_f64().max(f64::EPSILON)
    }

    /// The latency that this share of the answers did not exceed.
    pub(super) fn quantile(&self, share: f64) -> Duration {
        let last = self.latencies.len().saturating_sub(1);
        self.latencies.get((last as f64 * share).round() as usize).copied().unwrap_or_default()
    }

    fn fail(&mut self, what: String) {
        self.errors += 1;
        self.first_error.get_or_insert(what);
    }
}

/// Drives a server for `warm_up`, calls `begin`, drives it for `measure`, calls `end`; then lets the last answers in.
pub(super) fn drive(
    address: SocketAddr,
    exchange: &Exchange,
    connections: usize,
    (warm_up, measure): (Duration, Duration),
    (begin, end): (&mut dyn FnMut() -> Result<()>, &mut dyn FnMut() -> Result<()>),
) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC).context("creating an epoll")?;
    let requests = exchange.requests.iter().cycle().take(connections);
    let mut connections: Vec<Option<Connection>> =
        requests.map(|request| Connection::open(address, request.clone()).map(Some)).collect::<Result<_>>()?;
    for (index, connection) in connections.iter_mut().enumerate() {
        if let Some(connection) = connection {
            epoll::add(&poll, &connection.stream, epoll::EventData::new_u64(index as u64), epoll::EventFlags::IN)?;
            connection.send()?;
        }
    }
    let mut phase = Phase::WarmUp { until: Instant::now() + warm_up };
    let mut under_way = connections.len();
    let mut ready = Vec::with_capacity(connections.len().max(1));
    while under_way > 0 {
        let now = Instant::now();
        phase = match phase {
            Phase::WarmUp { until } if now >= until => {
                begin()?;
                Phase::Measure { from: Instant::now() }
            }
            Phase::Measure { from } if now >= from + measure => {
                outcome.measured = from.elapsed();
                end()?;
                Phase::LastAnswers { until: now + LAST_ANSWERS_WITHIN }
            }
            Phase::LastAnswers { until } if now >= until => {
                (0..under_way).for_each(|_| outcome.fail(format!("no answer within {LAST_ANSWERS_WITHIN:?}")));
                break;
            }
            same => same,
        };
        ready.clear();
        let tick = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
        match epoll::wait(&poll, spare_capacity(&mut ready), Some(&tick)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).context("waiting for answers"),
        }
        for event in &ready {
            let Some(slot) = connections.get_mut(event.data.u64() as usize) else { continue };
            let Some(connection) = slot else { continue };
            let step = match connection.receive(exchange) {
                Ok(None) => continue,
                Ok(Some(latency)) => {
                    if let Phase::Measure { from } = phase {
                        // One that was sent before the measurement belongs to it as much as one cut by its end.
                        if from.elapsed() < measure {
                            outcome.latencies.push(latency);
                        }
                    }
                    if matches!(phase, Phase::LastAnswers { .. }) {
                        Ok(false)
                    } else {
                        connection.send().map(|()| true)
                    }
                }
                Err(error) => Err(error),
            };
            match step {
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => outcome.fail(format!("{error:#}")),
            }
            *slot = None;
            under_way -= 1;
        }
    }
    outcome.latencies.sort_unstable();
    Ok(outcome)
}

enum Phase {
    WarmUp { until: Instant },
    Measure { from: Instant },
    LastAnswers { until: Instant },
}

struct Connection {
    stream: TcpStream,
    request: Vec<u8>,
    answer: Vec<u8>,
    sent: Instant,
}

impl Connection {
    fn open(address: SocketAddr, request: Vec<u8>) -> Result<Self> {
        let stream = TcpStream::connect(address).with_context(|| format!("connecting to {address}"))?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream, request, answer: Vec::with_capacity(4 * 1024), sent: Instant::now() })
    }

    /// A request is far smaller than the socket's buffer, which is empty: it goes in one piece or something is wrong.
    fn send(&mut self) -> Result<()> {
        self.sent = Instant::now();
        self.answer.clear();
        self.stream.write_all(&self.request).context("sending a request")
    }

    /// Takes what has arrived; the latency once the answer is complete.
    fn receive(&mut self, exchange: &Exchange) -> Result<Option<Duration>> {
        let mut part = [0; 4 * 1024];
        let count = match self.stream.read(&mut part) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return Ok(None),
            read => read.context("reading an answer")?,
        };
        self.answer.extend_from_slice(part.get(..count).unwrap_or_default());
        let whole = Answer::parse(&self.answer).filter(|answer| answer.is_complete);
        match whole {
            Some(answer) if answer.status == exchange.status && contains(answer.body, exchange.body_has) => {
                Ok(Some(self.sent.elapsed()))
            }
            Some(_) => anyhow::bail!("an answer that was not expected: {}", String::from_utf8_lossy(&self.answer)),
            None if count == 0 => anyhow::bail!("the server closed the connection"),
            None if self.answer.len() > ANSWER_BYTES_MAX => anyhow::bail!("an answer over {ANSWER_BYTES_MAX} bytes"),
            None => Ok(None),
        }
    }
}

struct Answer<'a> {
    status: u16,
    body: &'a [u8],
    is_complete: bool,
}

impl<'a> Answer<'a> {
    /// Status, length and body; `None` before the head is complete. The server sends lengths, not chunks, for answers
    /// this small; anything else never completes and shows as an error.
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let head_end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let (head, body) = bytes.split_at(head_end + 4);
        let status = std::str::from_utf8(head.get(9..12)?).ok()?.parse().ok()?;
        let length = head.split(|byte| *byte == b'\n').find_map(|line| {
            let (name, value) = line.split_at_checked(b"content-length:".len())?;
            let is_length = name.eq_ignore_ascii_case(b"content-length:");
            is_length.then(|| std::str::from_utf8(value).ok()?.trim().parse::<usize>().ok())?
        });
        Some(Self { status, body, is_complete: length == Some(body.len()) })
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn knows_when_an_answer_is_complete() {
        let check = |bytes: &[u8], expected: Option<(u16, bool)>| {
            let parsed = Answer::parse(bytes).map(|answer| (answer.status, answer.is_complete));
            assert_eq!(parsed, expected, "{}", String::from_utf8_lossy(bytes));
        };
        check(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n", None);
        check(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\no", Some((200, false)));
        check(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\nx: y\r\n\r\nok", Some((201, true)));
        check(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", Some((200, false)));
        check(b"HTTP/1.1 xxx\r\ncontent-length: 0\r\n\r\n", None);
    }

    /// Answers every read on every connection with the same bytes.
    fn server(answer: &'static [u8]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                std::thread::spawn(move || {
                    while stream.read(&mut [0; 1024]).is_ok_and(|count| count > 0) {
                        stream.write_all(answer).unwrap();
                    }
                });
            }
        });
        address
    }

    fn drive_for_a_moment(address: SocketAddr) -> (Outcome, [usize; 2]) {
        let exchange = Exchange { requests: vec![b"GET / HTTP/1.1\r\n\r\n".to_vec()], status: 200, body_has: b"allow" };
        let (mut began, mut ended) = (0, 0);
        let times = (Duration::from_millis(20), Duration::from_millis(100));
        let mut count = || {
            began += 1;
            Ok(())
        };
        let mut finish = || {
            ended += 1;
            Ok(())
        };
        let outcome = drive(address, &exchange, 4, times, (&mut count, &mut finish)).unwrap();
        (outcome, [began, ended])
    }

    #[test]
    fn counts_answers_and_orders_latencies() {
        let (outcome, calls) = drive_for_a_moment(server(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nallow"));
        assert_eq!((outcome.errors, &outcome.first_error, calls), (0, &None, [1, 1]));
        assert!(outcome.per_second() > 100.0, "{}", outcome.per_second());
        assert!(outcome.latencies.is_sorted() && outcome.quantile(0.5) <= outcome.quantile(0.99));
    }

    #[test]
    fn counts_wrong_answers_as_errors() {
        let wrong: [&'static [u8]; 2] =
            [b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ndeny", b"HTTP/1.1 503 No\r\ncontent-length: 5\r\n\r\nallow"];
        for answer in wrong {
            let (outcome, _) = drive_for_a_moment(server(answer));
            assert_eq!(outcome.errors, 4, "one per connection, which then ends");
            assert!(outcome.latencies.is_empty() && outcome.first_error.is_some());
        }
    }
}
