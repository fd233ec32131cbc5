//! CONNECT: a tunnel, once it is decided where to and what may go through it.

use bytes::Bytes;
use wire::http::Head;

use super::{Next, Session};
use crate::proxy::refusal::Refusal;
use crate::proxy::tunnel::{self, Opened};
use crate::upstream::INSIDE;

const ESTABLISHED: Bytes = Bytes::from_static(b"HTTP/1.1 200 Connection established\r\n\r\n");

impl Session {
    /// Serves one CONNECT.
    pub(super) async fn connect(&mut self, head: &Head) -> Next {
        let opened = match self.open(head).await {
            Ok(opened) => opened,
            Err(refusal) => return self.refuse(head, &refusal).await,
        };
        if self.say(ESTABLISHED).await.is_err() {
            if let Opened::Tunnel(tunnel) = opened {
                tunnel.abandon("client_closed");
            }
            return Next::Close;
        }
        match opened {
            Opened::Tunnel(tunnel) => Next::Tunnel(tunnel),
            Opened::Http(authority) => Next::Inside(authority),
        }
    }

    async fn open(&mut self, head: &Head) -> Result<Opened, Box<Refusal>> {
        let Self { inner, client, visitor, .. } = self;
        let asker = visitor.by_field(inner, head.proxy_authorization()).await?;
        if inner.via.is_loop(head.via()) {
            return Err(Refusal::looped());
        }
        // Each request inside is then asked for by itself, which lets pass no more than a tunnel would.
        if head.values(INSIDE).any(|value| value == b"http") {
            return Ok(Opened::Http(head.authority().clone()));
        }
        tunnel::open(inner, asker, head.authority(), client.closed(super::request::AHEAD_BYTES_MAX)).await
    }
}
