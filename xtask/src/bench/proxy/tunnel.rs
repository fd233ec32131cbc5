//! One tunnel, opened and used with blocking calls.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::peer::Peer;

const ANSWER_WITHIN: Duration = Duration::from_secs(15);
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// A connection to the origin: through a tunnel of a proxy, or without one.
pub(super) fn open(peer: &Peer) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(peer.address).with_context(|| format!("connecting to {}", peer.name))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(ANSWER_WITHIN))?;
    if peer.is_proxy() {
        stream.write_all(&peer.connect(&peer.target))?;
        let (head, rest) = read_head(&mut stream).with_context(|| format!("{} opens no tunnel", peer.name))?;
        ensure!(head.get(9..12) == Some("200"), "{} opens no tunnel: {head}", peer.name);
        ensure!(rest.is_empty(), "{} sends bytes before it was asked: {rest:?}", peer.name);
    }
    Ok(stream)
}

/// Asks for `path` inside the tunnel; returns the part of the body that came with the head.
pub(super) fn get(peer: &Peer, stream: &mut TcpStream, path: &str) -> Result<Vec<u8>> {
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", peer.target).as_bytes())?;
    let (head, rest) = read_head(stream).with_context(|| format!("the origin is silent behind {}", peer.name))?;
    ensure!(head.starts_with("HTTP/1.1 200"), "the origin answers {head} behind {}", peer.name);
    Ok(rest)
}

fn read_head(stream: &mut TcpStream) -> Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    loop {
        let count = stream.read(&mut part)?;
        bytes.extend_from_slice(part.get(..count).unwrap_or_default());
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let rest = bytes.split_off(end + 4);
            return Ok((String::from_utf8_lossy(&bytes).into_owned(), rest));
        }
        if count == 0 || bytes.len() > HEAD_BYTES_MAX {
            bail!("no head but `{}`", String::from_utf8_lossy(&bytes));
        }
    }
}
