//! Connections of programs that use no proxy: they believe to be where they wanted to go.
//!
//! Nothing is resolved or dialed before it is known what is spoken, unless a rule lets anything through to that
//! host and port. HTTP is read request by request under the name that was resolved; TLS is a tunnel bound to
//! it; anything else, and a client that waits for the server to speak, is asked for as a tunnel for anything. What
//! is refused is reset, as by a host that has no such service; HTTP has an answer to read.
//!
//! A connection that ends without a byte was an attempt all the same: where nothing could have been said on it,
//! it is asked for, so that it is recorded.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use model::ask::Tunnel as Kind;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use wire::Authority;
use wire::authority::Host;
use wire::sniff::{Carrier, sniff};

use super::Inner;
use super::http1::{After, Session};
use super::http2;
use super::identity::Visitor;
use super::refusal::Refusal;
use super::stream::Client;
use super::tunnel::{self, Tunnel};

/// LIMIT: how much of what a client sends is read ahead while its ask waits.
const AHEAD_BYTES_MAX: usize = 64 * 1024;
/// LIMIT: the longest method before a request no longer looks like one.
const METHOD_BYTES_MAX: usize = 24;

/// What a client begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum First {
    Http1,
    Http2,
    Tls,
    /// Something else, or nothing while it waits for the server.
    Other,
    /// It is gone.
    Gone,
}

/// How it goes on.
enum Led {
    Http1(Authority),
    Http2(Authority),
    Tunnel(Box<Tunnel>),
}

/// Serves a connection that wanted to go to `to`.
pub(super) async fn serve(
    inner: Arc<Inner>,
    mut client: Client,
    mut visitor: Visitor,
    to: SocketAddr,
    stop: CancellationToken,
) -> (After, Option<Client>) {
    let Ok(to) = Authority::new(Host::from(to.ip()), to.port()) else { return (After::Close, None) };
    match lead(&inner, &mut client, &mut visitor, &to, &stop).await {
        Ok(Some(Led::Http1(name))) => {
            let mut session = Session::new(inner, client, visitor, stop);
            session.inside = Some(name);
            session.serve().await
        }
        Ok(Some(Led::Http2(name))) => {
            Box::pin(http2::serve(inner, client, visitor, Some(name), stop)).await;
            (After::Close, None)
        }
        Ok(Some(Led::Tunnel(tunnel))) => (After::Tunnel(tunnel), Some(client)),
        Ok(None) => (After::Close, None),
        Err(refusal) => {
            if refusal.record.is_none() {
                inner.meters.turned_away(refusal.code);
            }
            client.stream.reset_on_close();
            (After::Close, None)
        }
    }
}

async fn lead(
    inner: &Arc<Inner>,
    client: &mut Client,
    visitor: &mut Visitor,
    to: &Authority,
    stop: &CancellationToken,
) -> Result<Option<Led>, Box<Refusal>> {
    let confined = visitor.confined();
    let led = led(inner, client, visitor, to, stop).await;
    if let Err(refusal) = &led {
        confined.tell_unasked(to, "CONNECT", refusal).await;
    }
    led
}

async fn led(
    inner: &Arc<Inner>,
    client: &mut Client,
    visitor: &mut Visitor,
    to: &Authority,
    stop: &CancellationToken,
) -> Result<Option<Led>, Box<Refusal>> {
    let asker = visitor.again(inner).await?;
    let name = asker.confined.named(to)?.into_owned();
    if tunnel::lets_anything(inner, asker, &name).await? {
        let opened = tunnel::open_as(inner, asker, &name, Kind::Opaque, client.closed(AHEAD_BYTES_MAX)).await?;
        return Ok(Some(Led::Tunnel(opened)));
    }
    let kind = match first(inner.config.timeouts.first_flight, client, stop).await {
        First::Http1 => return Ok(Some(Led::Http1(name))),
        First::Http2 => return Ok(Some(Led::Http2(name))),
        First::Tls => Kind::Tls,
        First::Other => Kind::Opaque,
        First::Gone => {
            if !tunnel::would_open(inner, asker, &name).await? {
                let opened = tunnel::open_as(inner, asker, &name, Kind::Tls, std::future::ready(())).await?;
                opened.abandon("client_closed");
            }
            return Ok(None);
        }
    };
    let opened = tunnel::open_as(inner, asker, &name, kind, client.closed(AHEAD_BYTES_MAX)).await?;
    Ok(Some(Led::Tunnel(opened)))
}

/// Waits until it is clear what the client speaks.
async fn first(deadline: Duration, client: &mut Client, stop: &CancellationToken) -> First {
    let reading = async {
        loop {
            if let Some(first) = spoken(&client.buffer) {
                return first;
            }
            if !matches!(client.fill().await, Ok(1..)) {
                return if client.buffer.is_empty() { First::Gone } else { First::Other };
            }
        }
    };
    tokio::select! {
        biased;
        first = timeout(deadline, reading) => first.unwrap_or(First::Other),
        () = stop.cancelled() => First::Gone,
    }
}

fn spoken(bytes: &[u8]) -> Option<First> {
    match sniff(bytes)? {
        Carrier::Tls => Some(First::Tls),
        Carrier::Http2 => Some(First::Http2),
        Carrier::Socks4 | Carrier::Socks5 => Some(First::Other),
        Carrier::Http1 => http_or_other(bytes),
    }
}

/// Whether bytes begin like a request: a word in capitals, a blank, and a target.
fn http_or_other(bytes: &[u8]) -> Option<First> {
    let word = bytes.iter().take_while(|b| b.is_ascii_uppercase() || matches!(b, b'-' | b'_')).count();
    if word > METHOD_BYTES_MAX || (word == 0 && !bytes.is_empty()) {
        return Some(First::Other);
    }
    match bytes.get(word..).unwrap_or_default() {
        [] | [b' '] => None,
        _ if bytes.starts_with(b"CONNECT ") => Some(First::Http1),
        [b' ', b'/' | b'*', ..] => Some(First::Http1),
        [b' ', rest @ ..] if rest.starts_with(b"http:") => Some(First::Http1),
        [b' ', rest @ ..] if b"http:".starts_with(rest) => None,
        _ => Some(First::Other),
    }
}

#[cfg(test)]
mod tests {
    use super::{First, spoken};

    #[test]
    fn what_is_spoken_is_known_from_the_first_bytes() {
        for (bytes, want) in [
            (&b""[..], None),
            (b"G", None),
            (b"GET", None),
            (b"GET ", None),
            (b"GET /", Some(First::Http1)),
            (b"OPTIONS *", Some(First::Http1)),
            (b"M-SEARCH * HTTP/1.1", Some(First::Http1)),
            (b"GET ht", None),
            (b"GET http://a/", Some(First::Http1)),
            (b"CONNECT a:1 HTTP/1.1", Some(First::Http1)),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Some(First::Http2)),
            (b"PRI * HTTP/2", None),
            (b"\x16\x03\x01", Some(First::Tls)),
            (b"SSH-2.0-x\r\n", Some(First::Other)),
            (b"EHLO host\r\n", Some(First::Other)),
            (b"HELO mail\r\n", Some(First::Other)),
            (b"get / HTTP/1.1", Some(First::Other)),
            (b"\r\nGET /", Some(First::Other)),
            (b"\0\0\0\x08", Some(First::Other)),
            (b"\x05\x01\x00", Some(First::Other)),
            (b"ABCDEFGHIJKLMNOPQRSTUVWXYZ", Some(First::Other)),
        ] {
            assert_eq!(spoken(bytes), want, "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn more_bytes_never_change_what_is_spoken() {
        for whole in [&b"GET http://a/ HTTP/1.1"[..], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"EHLO hh\r\n", b"PUT x"] {
            let firsts: Vec<First> = (0..=whole.len()).filter_map(|n| spoken(&whole[..n])).collect();
            assert!(firsts.windows(2).all(|two| two[0] == two[1]), "{firsts:?}");
        }
    }
}
