//! The body of a request as it comes from the client, without its framing.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};
use wire::Fault;
use wire::chunk::{Chunk, ChunkReader, Trailers};
use wire::http::{Body, Head};

/// Reads one body.
pub(super) struct BodyReader {
    state: State,
    trailers: Option<HeaderMap>,
}

enum State {
    Done,
    Length(u64),
    Chunked(ChunkReader),
}

impl BodyReader {
    pub(super) fn of(head: &Head) -> Self {
        let state = match head.body() {
            Body::None | Body::Length(0) => State::Done,
            Body::Length(length) => State::Length(length),
            Body::Chunked => State::Chunked(ChunkReader::new()),
        };
        Self { state, trailers: None }
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// How much is to come, when that is known.
    pub(super) fn left(&self) -> Option<u64> {
        match self.state {
            State::Done => Some(0),
            State::Length(left) => Some(left),
            State::Chunked(_) => None,
        }
    }

    /// The trailers, once all is read.
    pub(super) fn take_trailers(&mut self) -> Option<HeaderMap> {
        self.trailers.take()
    }

    /// Takes the next piece off `buffer`; `None` when more is needed, or all is read.
    pub(super) fn next(&mut self, buffer: &mut BytesMut) -> Result<Option<Bytes>, Fault> {
        match &mut self.state {
            State::Done => Ok(None),
            State::Length(_) if buffer.is_empty() => Ok(None),
            State::Length(left) => {
                let take = usize::try_from(*left).unwrap_or(usize::MAX).min(buffer.len());
                *left -= take as u64;
                if *left == 0 {
                    self.state = State::Done;
                }
                Ok(Some(buffer.split_to(take).freeze()))
            }
            State::Chunked(reader) => match reader.read(buffer)? {
                None => Ok(None),
                Some(Chunk::Data(piece)) => Ok(Some(piece)),
                Some(Chunk::End(trailers)) => {
                    self.state = State::Done;
                    self.trailers = (!trailers.is_empty()).then(|| fields(&trailers));
                    Ok(None)
                }
            },
        }
    }
}

fn fields(trailers: &Trailers) -> HeaderMap {
    let pairs = trailers.fields().filter_map(|field| {
        let name = HeaderName::from_bytes(field.name().as_bytes()).ok()?;
        Some((name, HeaderValue::from_maybe_shared(field.value_shared()).ok()?))
    });
    // Each of its own: a name may come twice.
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        map.append(name, value);
    }
    map
}
