//! Where what wants to leave comes in: listeners that were made for one call, and nobody else can reach.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use crate::plan::PROXY_PORT;
use crate::supervise::own::Own;

/// A listener, and how to know where its connections wanted to go.
#[derive(Debug)]
pub struct Door {
    /// It accepts; not blocking.
    pub listener: TcpListener,
    /// Where they wanted to go.
    pub origin: Origin,
}

/// How to know where a connection wanted to go.
#[derive(Debug, Clone)]
pub enum Origin {
    /// Its local address says it (rung A: it was captured, or the door was called by name).
    LocalAddress,
    /// The supervisor wrote it down before it connected (rung B).
    Noted(Arc<Redirects>),
}

/// Where a connection wanted to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// To the gate's proxy.
    Proxy,
    /// To a nameserver, at this address, over TCP.
    Nameserver(SocketAddr),
    /// Somewhere, at this address, which may stand for a name.
    Captured(SocketAddr),
}

impl Door {
    /// Where an accepted connection wanted to go. `None` when nobody of this call made it: it is to be
    /// dropped unread.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn wanted(&self, stream: &TcpStream) -> io::Result<Option<Wanted>> {
        let address = match &self.origin {
            Origin::LocalAddress => Some(canonical(stream.local_addr()?)),
            Origin::Noted(redirects) => redirects.take(stream.peer_addr()?),
        };
        Ok(address.map(wanted))
    }
}

/// What connecting to this address means.
#[must_use]
pub fn wanted(address: SocketAddr) -> Wanted {
    if address == SocketAddr::from((Ipv4Addr::LOCALHOST, PROXY_PORT)) {
        Wanted::Proxy
    } else if address.port() == 53 {
        Wanted::Nameserver(address)
    } else {
        Wanted::Captured(address)
    }
}

/// What those know together who supervise the commands of one jail of rung B: where their connections to its
/// doors wanted to go, by the address they come from; and which sockets are its own.
#[derive(Debug, Default)]
pub struct Redirects {
    wanted: Mutex<HashMap<SocketAddr, SocketAddr>>,
    own: Arc<Own>,
}

impl Redirects {
    /// Notes that what comes `from` wanted to go `to`. To be called before it connects.
    pub fn note(&self, from: SocketAddr, to: SocketAddr) {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner).insert(canonical(from), canonical(to));
    }

    /// The sockets that the jail itself bound.
    pub(crate) fn own(&self) -> Arc<Own> {
        Arc::clone(&self.own)
    }

    /// Where what comes `from` wanted to go; known once.
    #[must_use]
    pub fn take(&self, from: SocketAddr) -> Option<SocketAddr> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner).remove(&canonical(from))
    }
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_is_known_once() {
        let redirects = Redirects::default();
        let (from, to) = (SocketAddr::from(([127, 0, 0, 1], 5000)), SocketAddr::from(([203, 0, 113, 5], 443)));
        redirects.note(from, to);
        assert_eq!(redirects.take(from).map(wanted), Some(Wanted::Captured(to)));
        assert_eq!(redirects.take(from), None);
    }
}
