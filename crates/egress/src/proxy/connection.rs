//! One client connection, from its first byte to its last.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use wire::sniff::{Carrier, sniff};
use wire::socks::SocksFault;

use super::Inner;
use super::http1::{After, Session};
use super::identity::{Identity, Origin, Visitor};
use super::listener::Arrived;
use super::stream::{Client, ClientStream};
use super::{captured, http2, socks};

/// A fatal TLS alert: unexpected message.
const NO_TLS: [u8; 7] = [0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 10];

/// Serves a connection to its end.
pub(super) async fn serve(inner: Arc<Inner>, arrived: Arrived, identity: Arc<Identity>, stop: CancellationToken) {
    let to = arrived.captured();
    let Some((client, origin)) = Box::pin(enter(&inner, arrived)).await else { return };
    let visitor = Visitor::new(identity, origin);
    let (after, client) = Box::pin(speak(Arc::clone(&inner), client, visitor, to, stop)).await;
    // What is left of the conversation is gone by now: a tunnel that is idle keeps nothing of it.
    if let (After::Tunnel(tunnel), Some(client)) = (after, client) {
        tunnel.run(inner, client).await;
    }
}

/// The stream of a connection, after the TLS handshake where there is one.
async fn enter(inner: &Inner, arrived: Arrived) -> Option<(Client, Origin)> {
    match arrived {
        Arrived::Tcp(stream, peer) => {
            stream.set_nodelay(true).ok()?;
            Some((Client::new(ClientStream::Tcp(stream)), Origin::of(peer)))
        }
        Arrived::Captured(stream, _) => {
            stream.set_nodelay(true).ok()?;
            Some((Client::new(ClientStream::Tcp(stream)), Origin { captured: true, ..Origin::default() }))
        }
        Arrived::Tls(stream, peer, config) => {
            stream.set_nodelay(true).ok()?;
            let accepted = timeout(inner.config.timeouts.head, TlsAcceptor::from(config).accept(stream)).await;
            let stream = accepted.ok()?.ok()?;
            Some((Client::new(ClientStream::Tls(Box::new(stream))), Origin::of(peer)))
        }
        Arrived::Unix(stream, uid) => {
            Some((Client::new(ClientStream::Unix(stream)), Origin { uid, ..Origin::default() }))
        }
    }
}

async fn speak(
    inner: Arc<Inner>,
    mut client: Client,
    visitor: Visitor,
    captured: Option<SocketAddr>,
    stop: CancellationToken,
) -> (After, Option<Client>) {
    if let Some(to) = captured {
        return Box::pin(captured::serve(inner, client, visitor, to, stop)).await;
    }
    match carrier(&inner, &mut client, &stop).await {
        Some(Carrier::Http1) => Session::new(inner, client, visitor, stop).serve().await,
        Some(Carrier::Http2) => {
            Box::pin(http2::serve(inner, client, visitor, None, stop)).await;
            (After::Close, None)
        }
        Some(Carrier::Socks5) => Box::pin(socks::serve(inner, client, visitor, stop)).await,
        Some(Carrier::Socks4) => {
            inner.meters.turned_away(SocksFault::Version4.code());
            let _ = client.stream.write_all(&SocksFault::Version4.answer()).await;
            (After::Close, None)
        }
        Some(Carrier::Tls) => {
            // TLS where none is offered. An alert is what the client understands.
            inner.meters.turned_away("tls_unexpected");
            let _ = client.stream.write_all(&NO_TLS).await;
            (After::Close, None)
        }
        None => (After::Close, None),
    }
}

/// What the client speaks, from its first bytes.
async fn carrier(inner: &Inner, client: &mut Client, stop: &CancellationToken) -> Option<Carrier> {
    let sniffing = async {
        loop {
            if let Some(carrier) = sniff(&client.buffer) {
                return Some(carrier);
            }
            if !matches!(client.fill().await, Ok(1..)) {
                return None;
            }
        }
    };
    tokio::select! {
        biased;
        carrier = timeout(inner.config.timeouts.head, sniffing) => carrier.ok().flatten(),
        () = stop.cancelled() => None,
    }
}
