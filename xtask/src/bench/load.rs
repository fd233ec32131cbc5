//! The load: one thread, one `epoll`, requests rendered beforehand, answers looked at only as far as needed.
//!
//! It shares the processors with what it measures, so it must cost next to nothing: about one read and one write call
//! per request. Each connection has at most one request under way, as most clients do. Requests may go through a
//! tunnel that is asked for first, one for all requests of a connection or one for each.

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
    /// What a connection begins with.
    pub(super) tunnel: Option<Tunnel>,
    /// Whether the server may close a connection after an answer; the client then connects again.
    pub(super) may_close: bool,
}

/// A tunnel through a proxy.
#[derive(Debug, Clone)]
pub(super) struct Tunnel {
    /// The bytes of the `CONNECT`.
    pub(super) ask: Vec<u8>,
    pub(super) lasts: Lasts,
}

/// How long a connection is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lasts {
    /// For all requests, until the server closes it.
    Long,
    /// For one request; its latency then includes connecting.
    OneRequest,
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Time from sending to the complete answer, of the measured ones, in order of size.
    pub(super) latencies: Vec<Duration>,
    /// How long was measured.
    pub(super) measured: Duration,
    /// Connections that the server closed after an answer, while it was measured.
    pub(super) closed: usize,
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
    let open = |index: usize, request: Vec<u8>| -> Result<Connection> {
        let connection = Connection::open(address, request, exchange.tunnel.as_ref())?;
        epoll::add(&poll, &connection.stream, epoll::EventData::new_u64(index as u64), epoll::EventFlags::IN)?;
        Ok(connection)
    };
    let mut connections: Vec<Option<Connection>> =
        requests.enumerate().map(|(index, request)| open(index, request.clone()).map(Some)).collect::<Result<_>>()?;
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
            let reopen = |connection: &mut Connection| -> Result<()> {
                *connection = open(event.data.u64() as usize, std::mem::take(&mut connection.request))?;
                Ok(())
            };
            let step = match connection.receive(exchange) {
                Ok(Received::Part) => continue,
                Ok(Received::Closed) => {
                    outcome.closed += usize::from(matches!(phase, Phase::Measure { .. }));
                    reopen(connection).map(|()| !matches!(phase, Phase::LastAnswers { .. }))
                }
                Ok(Received::Answer(latency, reuse)) => {
                    if let Phase::Measure { from } = phase {
                        // One that was sent before the measurement belongs to it as much as one cut by its end.
                        if from.elapsed() < measure {
                            outcome.latencies.push(latency);
                        }
                    }
                    if matches!(phase, Phase::LastAnswers { .. }) {
                        Ok(false)
                    } else if reuse {
                        connection.send().map(|()| true)
                    } else {
                        reopen(connection).map(|()| true)
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
    if let Phase::Measure { from } = phase {
        // Every connection failed before the time was over.
        outcome.measured = from.elapsed();
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
    /// Whether the next answer is that to the `CONNECT`.
    opening: bool,
    lasts: Lasts,
    answers: usize,
}

/// What arrived on a connection.
enum Received {
    /// Nothing, or not all of an answer.
    Part,
    /// The answer, after this long, and whether another request may follow on the connection.
    Answer(Duration, bool),
    /// The end, between two answers.
    Closed,
}

impl Connection {
    /// Connects and sends what comes first: the `CONNECT` or the request.
    fn open(address: SocketAddr, request: Vec<u8>, tunnel: Option<&Tunnel>) -> Result<Self> {
        let sent = Instant::now();
        let stream = TcpStream::connect(address).with_context(|| format!("connecting to {address}"))?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let lasts = tunnel.map_or(Lasts::Long, |tunnel| tunnel.lasts);
        let answer = Vec::with_capacity(4 * 1024);
        let mut connection = Self { stream, request, answer, sent, opening: tunnel.is_some(), lasts, answers: 0 };
        match tunnel {
            Some(tunnel) => connection.stream.write_all(&tunnel.ask).context("asking for a tunnel")?,
            None => connection.send()?,
        }
        Ok(connection)
    }

    /// A request is far smaller than the socket's buffer, which is empty: it goes in one piece or something is wrong.
    fn send(&mut self) -> Result<()> {
        if self.lasts == Lasts::Long {
            self.sent = Instant::now();
        }
        self.answer.clear();
        match self.stream.write_all(&self.request) {
            // Closed between two answers: reading tells.
            Err(error) if self.answers > 0 && is_gone(&error) => Ok(()),
            sent => sent.context("sending a request"),
        }
    }

    /// Takes what has arrived.
    fn receive(&mut self, exchange: &Exchange) -> Result<Received> {
        let mut part = [0; 4 * 1024];
        let between = exchange.may_close && self.answers > 0 && self.answer.is_empty();
        let count = match self.stream.read(&mut part) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                return Ok(Received::Part);
            }
            Ok(0) if between => return Ok(Received::Closed),
            Err(error) if between && error.kind() == ErrorKind::ConnectionReset => return Ok(Received::Closed),
            read => read.context("reading an answer")?,
        };
        self.answer.extend_from_slice(part.get(..count).unwrap_or_default());
        let answer = Answer::parse(&self.answer);
        if self.opening {
            return match answer {
                // What answers a `CONNECT` has no body, whatever its head says.
                Some(Answer { status: 200, body: [], .. }) => {
                    self.opening = false;
                    self.send().map(|()| Received::Part)
                }
                None if count > 0 => Ok(Received::Part),
                _ => anyhow::bail!("no tunnel: {}", String::from_utf8_lossy(&self.answer)),
            };
        }
        match answer.filter(|answer| answer.is_complete) {
            Some(answer) if answer.status == exchange.status && contains(answer.body, exchange.body_has) => {
                self.answers += 1;
                let reuse = answer.keeps_alive && self.lasts == Lasts::Long;
                Ok(Received::Answer(self.sent.elapsed(), reuse))
            }
            Some(_) => anyhow::bail!("an answer that was not expected: {}", String::from_utf8_lossy(&self.answer)),
            None if count == 0 => anyhow::bail!("the server closed the connection"),
            None if self.answer.len() > ANSWER_BYTES_MAX => anyhow::bail!("an answer over {ANSWER_BYTES_MAX} bytes"),
            None => Ok(Received::Part),
        }
    }
}

struct Answer<'a> {
    status: u16,
    body: &'a [u8],
    is_complete: bool,
    keeps_alive: bool,
}

impl<'a> Answer<'a> {
    /// Status, length and body; `None` before the head is complete. The server sends lengths, not chunks, for answers
    /// this small; anything else never completes and shows as an error.
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let head_end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let (head, body) = bytes.split_at(head_end + 4);
        let status = std::str::from_utf8(head.get(9..12)?).ok()?.parse().ok()?;
        let mut length = None;
        let mut keeps_alive = head.starts_with(b"HTTP/1.1");
        for line in head.split(|byte| *byte == b'\n') {
            if let Some(value) = value_of(line, b"content-length:") {
                length = value.parse::<usize>().ok();
            } else if let Some(value) = value_of(line, b"connection:") {
                keeps_alive = value.eq_ignore_ascii_case("keep-alive");
            }
        }
        Some(Self { status, body, is_complete: length == Some(body.len()), keeps_alive })
    }
}

/// The value of a header line with this name.
fn value_of<'l>(line: &'l [u8], name: &[u8]) -> Option<&'l str> {
    let (start, value) = line.split_at_checked(name.len())?;
    let value = start.eq_ignore_ascii_case(name).then_some(value)?;
    std::str::from_utf8(value).ok().map(str::trim)
}

fn is_gone(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset)
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

    /// Answers every read on every connection with the same bytes, but a `CONNECT` with a tunnel to itself.
    fn server(answer: &'static [u8]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                std::thread::spawn(move || {
                    let mut asked = [0; 1024];
                    while stream.read(&mut asked).is_ok_and(|count| count > 0) {
                        let opens = asked.starts_with(b"CONNECT");
                        stream.write_all(if opens { b"HTTP/1.1 200 OK\r\n\r\n" } else { answer }).unwrap();
                        asked = [0; 1024];
                    }
                });
            }
        });
        address
    }

    fn drive_for_a_moment(address: SocketAddr, tunnel: Option<Tunnel>) -> (Outcome, [usize; 2]) {
        let exchange = Exchange {
            requests: vec![b"GET / HTTP/1.1\r\n\r\n".to_vec()],
            status: 200,
            body_has: b"allow",
            tunnel,
            may_close: true,
        };
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
        let (outcome, calls) = drive_for_a_moment(server(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nallow"), None);
        assert_eq!((outcome.errors, &outcome.first_error, calls), (0, &None, [1, 1]));
        assert!(outcome.per_second() > 100.0, "{}", outcome.per_second());
        assert!(outcome.latencies.is_sorted() && outcome.quantile(0.5) <= outcome.quantile(0.99));
    }

    #[test]
    fn goes_through_tunnels_and_reconnects() {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nallow";
        let closing = b"HTTP/1.1 200 OK\r\nConnection: close\r\ncontent-length: 5\r\n\r\nallow";
        let tunnel = |lasts| Some(Tunnel { ask: b"CONNECT a:1 HTTP/1.1\r\n\r\n".to_vec(), lasts });
        let cases: [(&'static [u8], _); 3] =
            [(answer, tunnel(Lasts::Long)), (answer, tunnel(Lasts::OneRequest)), (closing, None)];
        for (answer, tunnel) in cases {
            let (outcome, _) = drive_for_a_moment(server(answer), tunnel);
            assert_eq!((outcome.errors, &outcome.first_error), (0, &None));
            assert!(outcome.latencies.len() > 8, "{}", outcome.latencies.len());
        }
    }

    #[test]
    fn connects_again_after_a_server_that_closes_without_a_word() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                // A client that ends while it waits is no matter of ours.
                let _count = stream.read(&mut [0; 1024]);
                let _sent = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nallow");
            }
        });
        let (outcome, _) = drive_for_a_moment(address, None);
        assert_eq!((outcome.errors, &outcome.first_error), (0, &None));
        assert!(outcome.closed > 4 && outcome.latencies.len() > 4, "{}", outcome.closed);
    }

    #[test]
    fn counts_wrong_answers_as_errors() {
        let wrong: [&'static [u8]; 2] =
            [b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ndeny", b"HTTP/1.1 503 No\r\ncontent-length: 5\r\n\r\nallow"];
        for answer in wrong {
            let (outcome, _) = drive_for_a_moment(server(answer), None);
            assert_eq!(outcome.errors, 4, "one per connection, which then ends");
            assert!(outcome.latencies.is_empty() && outcome.first_error.is_some());
        }
    }
}
