//! A connection that may be written to, and what its execution is recorded with.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use gate::{AddressVetting, Ending, Execution};
use http::{HeaderMap, StatusCode};
use tokio::net::TcpStream;

use crate::guard::{Guard, GuardRefusal, Reached};
use crate::resolve::Source;
use crate::upstream::{Decided, UpstreamProxy};

/// The connection itself; also through a corporate proxy, whose answer has been read to its very end.
pub type Stream = TcpStream;

/// Where a connection ends. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Place {
    inner: Arc<PlaceInner>,
}

#[derive(Debug)]
pub(super) struct PlaceInner {
    pub(super) host: Box<str>,
    pub(super) port: u16,
    /// Whether the request is for `https`.
    pub(super) tls: bool,
    pub(super) source: Source,
    /// Our end.
    pub(super) local: SocketAddr,
    /// The other end of the socket: a corporate proxy's when one is in the way.
    pub(super) peer: SocketAddr,
    /// The destination's vetted address; unknown when its vetting was delegated.
    pub(super) vetted: Option<SocketAddr>,
    /// The proxy in the way, when that is another exeat.
    pub(super) decider: Option<Arc<UpstreamProxy>>,
}

impl Place {
    pub(super) fn new(inner: PlaceInner) -> Self {
        Self { inner: Arc::new(inner) }
    }

    /// The same, once it is known which address the corporate proxy reached.
    pub(super) fn behind_proxy(&self, address: SocketAddr) -> Self {
        let PlaceInner { host, port, tls, source, local, peer, decider, .. } = &*self.inner;
        let (port, tls, source, local, peer) = (*port, *tls, *source, *local, *peer);
        let (host, decider) = (host.clone(), decider.clone());
        Self::new(PlaceInner { host, port, tls, source, local, peer, vetted: Some(address), decider })
    }

    /// The host it was asked for by.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.inner.host
    }

    /// The port it was asked for by.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.inner.port
    }

    /// Whether the request is for `https`.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.inner.tls
    }

    /// The other end of the socket: the destination, or the corporate proxy in the way.
    #[must_use]
    pub fn peer(&self) -> SocketAddr {
        self.inner.peer
    }

    /// The destination's address; `None` when a corporate proxy resolved the name.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.inner.vetted.map(|address| address.ip())
    }

    /// Who vetted the destination's address.
    #[must_use]
    pub fn vetting(&self) -> AddressVetting {
        if self.inner.vetted.is_some() { AddressVetting::Own } else { AddressVetting::Delegated }
    }

    /// Tells who wants to hear it when an answer is a refusal by another exeat in the way.
    pub(crate) fn hear(&self, status: StatusCode, fields: &HeaderMap) {
        let Some(decides) = self.inner.decider.as_ref().and_then(|proxy| proxy.decides()) else { return };
        if (status.is_client_error() || status.is_server_error())
            && let Some(decided) = Decided::of(status.as_u16(), "", fields, Bytes::new())
        {
            (decides.heard)(self.host(), self.port(), &decided);
        }
    }

    /// Whether it was reached without a corporate proxy.
    pub(super) fn is_direct(&self) -> bool {
        self.inner.vetted == Some(self.inner.peer)
    }

    /// Vets it as of now: what is kept open may have become forbidden.
    pub(super) fn vet_again(&self, guard: &Guard) -> Result<(), GuardRefusal> {
        let PlaceInner { host, port, source, local, peer, vetted, .. } = &*self.inner;
        match vetted {
            Some(_) if self.is_direct() => {
                guard.vet_connected(Reached { host, port: *port, source: *source, local: *local, peer: *peer })
            }
            Some(address) => guard.vet_address(host, *port, *source, *address),
            None => Ok(()),
        }
    }
}

/// What is being carried out over a connection, and where that ends.
#[derive(Debug)]
#[must_use = "an execution that is dropped is recorded as abandoned"]
pub struct Crossing {
    /// The permit, used: its outcome is to be recorded.
    pub execution: Execution,
    /// Where the connection ends.
    pub place: Place,
    /// Whether the connection was kept from an earlier request: then the other side may have closed it
    /// a moment ago, and [`Dialer::renew`](super::Dialer::renew) gives another.
    pub reused: bool,
}

impl Crossing {
    /// Records how it ended; the address reached and who vetted it are filled in.
    pub fn finish(self, ending: Ending) {
        let place = self.place;
        self.execution.finish(Ending { peer_ip: place.address(), address_vetting: Some(place.vetting()), ..ending });
    }
}

/// An open connection, entered with a permit.
#[derive(Debug)]
#[must_use = "dropping it closes the connection and records it as abandoned"]
pub struct Line {
    pub(super) stream: Stream,
    pub(super) crossing: Crossing,
}

impl Line {
    /// Where it ends.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.crossing.place
    }

    /// The connection, and what its outcome is recorded with.
    pub fn into_parts(self) -> (Stream, Crossing) {
        (self.stream, self.crossing)
    }
}
