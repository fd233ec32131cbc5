//! Connecting to one of several vetted addresses.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::error::DialError;

/// How long an address may be silent before the next is tried beside it.
const NEXT_AFTER: Duration = Duration::from_millis(250);

/// Of a longer list the rest is not tried.
const TRIED_MAX: usize = 8;

/// How long a connection may be silent before the kernel asks whether the other side is still there,
/// and how long between its questions: half-dead tunnels end within minutes, not hours.
const SILENT_FOR: Duration = Duration::from_secs(60);
const PROBE_EVERY: Duration = Duration::from_secs(15);

/// The first connection that stands, of at most [`TRIED_MAX`] tried within `limit`.
///
/// When none stands, the fault of the last one that failed by more than having no route.
pub(super) async fn first_of(addresses: &[SocketAddr], limit: Duration) -> Result<TcpStream, DialError> {
    let deadline = Instant::now() + limit;
    if let [only] = addresses {
        return timeout_at(deadline, connect(*only)).await.unwrap_or(Err(DialError::ConnectionTimeout));
    }
    let mut waiting = in_turn(addresses);
    let mut trying = FuturesUnordered::new();
    let mut fault = DialError::NoRoute;
    let mut next_at = Instant::now();
    loop {
        if waiting.is_empty() && trying.is_empty() {
            return Err(fault);
        }
        tokio::select! {
            () = sleep_until(deadline) => return Err(DialError::ConnectionTimeout),
            () = sleep_until(next_at), if !waiting.is_empty() => {
                trying.extend(waiting.pop_front().map(connect));
                next_at = Instant::now() + NEXT_AFTER;
            }
            Some(done) = trying.next() => match done {
                Ok(stream) => return Ok(stream),
                Err(failed) => {
                    // No route is what a host without one of the families always says of it.
                    if failed != DialError::NoRoute {
                        fault = failed;
                    }
                    next_at = Instant::now();
                }
            },
        }
    }
}

/// The families in turn, IPv6 first, each in the order that was answered.
fn in_turn(addresses: &[SocketAddr]) -> VecDeque<SocketAddr> {
    let mut v6 = addresses.iter().filter(|address| address.is_ipv6());
    let mut v4 = addresses.iter().filter(|address| address.is_ipv4());
    let mut turns = VecDeque::with_capacity(TRIED_MAX);
    loop {
        let (six, four) = (v6.next(), v4.next());
        turns.extend(six);
        turns.extend(four);
        if turns.len() >= TRIED_MAX || (six.is_none() && four.is_none()) {
            turns.truncate(TRIED_MAX);
            return turns;
        }
    }
}

async fn connect(address: SocketAddr) -> Result<TcpStream, DialError> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
    let connected = async {
        let stream = socket?.connect(address).await?;
        stream.set_nodelay(true)?;
        let probes = TcpKeepalive::new().with_time(SILENT_FOR).with_interval(PROBE_EVERY);
        SockRef::from(&stream).set_tcp_keepalive(&probes)?;
        // A port nobody listens on may be the one the kernel has just given us.
        if stream.local_addr()? == stream.peer_addr()? {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        Ok(stream)
    };
    connected.await.map_err(|error| fault(&error))
}

/// Our address and the other one.
pub(super) fn ends(stream: &TcpStream) -> Result<(SocketAddr, SocketAddr), DialError> {
    let both = stream.local_addr().and_then(|local| Ok((local, stream.peer_addr()?)));
    both.map_err(|error| fault(&error))
}

fn fault(error: &io::Error) -> DialError {
    use io::ErrorKind as Kind;
    const FILES_OF_PROCESS: i32 = nix::errno::Errno::EMFILE as i32;
    const FILES_OF_HOST: i32 = nix::errno::Errno::ENFILE as i32;
    match (error.kind(), error.raw_os_error()) {
        (Kind::ConnectionRefused, _) => DialError::ConnectionRefused,
        (Kind::TimedOut, _) => DialError::ConnectionTimeout,
        // No permission is how a local packet filter says no.
        (Kind::NetworkUnreachable | Kind::HostUnreachable | Kind::NetworkDown | Kind::PermissionDenied, _) => {
            DialError::NoRoute
        }
        (Kind::AddrNotAvailable | Kind::OutOfMemory, _) | (_, Some(FILES_OF_PROCESS | FILES_OF_HOST)) => {
            DialError::Exhausted
        }
        _ => DialError::Broken,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns() {
        let list = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<SocketAddr>>();
        let check = |given: &[&str], want: &[&str]| assert_eq!(in_turn(&list(given)), list(want));
        check(&["1.1.1.1:1", "1.1.1.2:1", "[2::1]:1"], &["[2::1]:1", "1.1.1.1:1", "1.1.1.2:1"]);
        check(&["[2::1]:1", "[2::2]:1", "1.1.1.1:1"], &["[2::1]:1", "1.1.1.1:1", "[2::2]:1"]);
        let many: Vec<SocketAddr> = (1..40).map(|port| SocketAddr::from(([1, 1, 1, 1], port))).collect();
        assert_eq!(in_turn(&many), &many[..TRIED_MAX]);
    }
}
