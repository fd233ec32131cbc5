//! Answers in a stream of HTTP/2.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use gate::Ending;
use http::header::VIA;
use http::{HeaderMap, Response};
use http_body::{Body, Frame, SizeHint};

use crate::dial::pool::Owner;
use crate::proxy::Inner;
use crate::proxy::exchange::{Exchange, ends_here};
use crate::proxy::refusal::{Form, Refusal};
use crate::proxy::via::Via;

/// The body of an answer.
pub(super) struct Download {
    source: Source,
}

enum Source {
    Whole(Option<Bytes>),
    Origin(Option<Box<Origin>>),
}

/// An answer that is coming from an origin. Its outcome is recorded at its end, or when it is dropped.
struct Origin {
    exchange: Exchange,
    inner: Arc<Inner>,
    owner: Owner,
}

/// The answer broke off.
#[derive(Debug, thiserror::Error)]
#[error("the answer broke off")]
pub(super) struct Broken;

impl Download {
    pub(super) fn none() -> Self {
        Self { source: Source::Whole(None) }
    }

    pub(super) fn new(exchange: Exchange, inner: Arc<Inner>, owner: Owner) -> Self {
        Self { source: Source::Origin(Some(Box::new(Origin { exchange, inner, owner }))) }
    }
}

/// An origin's answer as it goes to the client.
pub(super) fn answered(response: Response<()>, body: Download, via: &Via) -> Response<Download> {
    let (mut parts, ()) = response.into_parts();
    let mut fields = HeaderMap::with_capacity(parts.headers.len() + 1);
    for (name, value) in parts.headers.iter().filter(|(name, _)| !ends_here(name, &parts.headers)) {
        fields.append(name.clone(), value.clone());
    }
    fields.append(VIA, via.field());
    parts.headers = fields;
    parts.version = http::Version::HTTP_2;
    parts.extensions.clear();
    Response::from_parts(parts, body)
}

/// A refusal.
pub(super) fn refused(refusal: &Refusal, form: Form, head_only: bool) -> Response<Download> {
    let (body, content_type) = refusal.body(form);
    let body = Download { source: Source::Whole(Some(body).filter(|_| !head_only)) };
    let mut response = Response::new(body);
    *response.status_mut() = http::StatusCode::from_u16(refusal.status).unwrap_or(http::StatusCode::FORBIDDEN);
    *response.headers_mut() = refusal.fields(content_type);
    response
}

impl Body for Download {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let slot = match &mut self.source {
            Source::Whole(bytes) => return Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Source::Origin(slot) => slot,
        };
        let Some(origin) = slot else { return Poll::Ready(None) };
        if let Poll::Ready(cut) = origin.exchange.live.poll_cut(cx) {
            if let Some(origin) = slot.take() {
                let Origin { exchange, inner, .. } = *origin;
                exchange.fail(&inner, Ending::cut(cut.code()));
            }
            return Poll::Ready(Some(Err(Broken)));
        }
        let frame = ready!(origin.exchange.poll_frame(cx));
        match frame {
            Some(Ok(frame)) => Poll::Ready(Some(Ok(frame))),
            Some(Err(_)) => {
                if let Some(origin) = slot.take() {
                    let Origin { exchange, inner, .. } = *origin;
                    exchange.fail(&inner, Ending::failed("response_broken"));
                }
                Poll::Ready(Some(Err(Broken)))
            }
            None => {
                if let Some(origin) = slot.take() {
                    let Origin { exchange, inner, owner } = *origin;
                    // Whether all was uploaded the connection knows: it is kept only when it is ready for more.
                    exchange.complete(&inner, &owner, true);
                }
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.source, Source::Whole(None) | Source::Origin(None))
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Source::Origin(Some(origin)) => {
                origin.exchange.length().map_or_else(SizeHint::default, SizeHint::with_exact)
            }
            Source::Origin(None) => SizeHint::with_exact(0),
        }
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        if let Source::Origin(slot) = &mut self.source
            && let Some(origin) = slot.take()
        {
            let Origin { exchange, inner, .. } = *origin;
            exchange.fail(&inner, Ending::failed("client_closed"));
        }
    }
}
