//! Feeds bytes to a reader in given pieces and says what came out, for any carrier.

use bytes::{Bytes, BytesMut};
use wire::chunk::{Chunk, ChunkReader};
use wire::hello::{Hello, HelloReader, NotTls, Status};
use wire::http::{Body, Head, HeadLimits, HeadReader, Mode};
use wire::socks::{Choice, Credentials, SocksFault, SocksReader, Step};
use wire::{Authority, Fault};

/// A whole request with its body.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) head: Head,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<(String, Vec<u8>)>,
    /// Bytes behind the request.
    pub(crate) rest: Vec<u8>,
}

/// Cuts `bytes` at each of `cuts`; those out of range or order are skipped.
pub(crate) fn pieces<'a>(bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let (mut pieces, mut from) = (Vec::new(), 0);
    for &cut in cuts.iter().chain([&bytes.len()]) {
        if cut >= from && cut <= bytes.len() {
            pieces.push(&bytes[from..cut]);
            from = cut;
        }
    }
    pieces
}

/// One request off the front, or `None` when the bytes end before it does.
pub(crate) fn http(pieces: &[&[u8]], mode: Mode) -> Result<Option<Request>, Fault> {
    let mut buffer = BytesMut::new();
    let mut reader = HeadReader::new(mode, HeadLimits::DEFAULT);
    let mut chunks = ChunkReader::new();
    let mut head: Option<Head> = None;
    let (mut body, mut trailers, mut done) = (Vec::new(), Vec::new(), false);
    for piece in pieces {
        buffer.extend_from_slice(piece);
        if head.is_none() {
            head = reader.read(&mut buffer)?;
        }
        match head.as_ref().map(Head::body) {
            None => {}
            Some(Body::None) => done = true,
            Some(Body::Length(length)) => {
                let left = usize::try_from(length).unwrap_or(usize::MAX) - body.len();
                body.extend_from_slice(&buffer.split_to(left.min(buffer.len())));
                done = body.len() as u64 == length;
            }
            Some(Body::Chunked) => {
                while let Some(chunk) = chunks.read(&mut buffer)? {
                    match chunk {
                        Chunk::Data(data) => {
                            assert!(!data.is_empty());
                            body.extend_from_slice(&data);
                        }
                        Chunk::End(end) => {
                            trailers = end.fields().map(|f| (f.name().to_owned(), f.value().to_vec())).collect();
                            done = true;
                        }
                    }
                }
            }
        }
    }
    Ok(head.filter(|_| done).map(|head| Request { head, body, trailers, rest: buffer.to_vec() }))
}

/// What a SOCKS client asked for, and what is left for the tunnel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SocksAsk {
    pub(crate) credentials: Option<(Bytes, Bytes)>,
    pub(crate) target: Authority,
    pub(crate) rest: Vec<u8>,
}

/// A whole SOCKS conversation; the password is asked for wherever it is offered.
pub(crate) fn socks(pieces: &[&[u8]]) -> Result<Option<SocksAsk>, SocksFault> {
    let (mut buffer, mut reader) = (BytesMut::new(), SocksReader::new());
    let (mut credentials, mut target) = (None, None);
    for piece in pieces {
        buffer.extend_from_slice(piece);
        while let Some(step) = reader.read(&mut buffer)? {
            match step {
                Step::Greeting(offer) if offer.password => reader.choose(Choice::Password),
                Step::Greeting(offer) if offer.none => reader.choose(Choice::None),
                Step::Greeting(_) => reader.choose(Choice::Unacceptable),
                Step::Password(Credentials { username, password }) => credentials = Some((username, password)),
                Step::Connect(authority) => target = Some(authority),
            }
        }
    }
    Ok(target.map(|target| SocksAsk { credentials, target, rest: buffer.to_vec() }))
}

/// A ClientHello, and how many bytes it took.
pub(crate) fn hello(pieces: &[&[u8]]) -> Result<Option<(Hello, usize)>, NotTls> {
    let (mut reader, mut before) = (HelloReader::new(), 0);
    for piece in pieces {
        match reader.push(piece)? {
            Status::Hello { hello, taken } => return Ok(Some((*hello, before + taken))),
            Status::NeedMore => before += piece.len(),
        }
    }
    Ok(None)
}
