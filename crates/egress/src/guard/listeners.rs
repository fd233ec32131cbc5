//! Where exeat itself listens: no request may come back in by its own door.

use std::net::{IpAddr, SocketAddr};

use arc_swap::ArcSwap;

#[derive(Debug, Default)]
pub(super) struct Listeners {
    bound: ArcSwap<Vec<SocketAddr>>,
}

impl Listeners {
    pub(super) fn add(&self, address: SocketAddr) {
        let address = SocketAddr::new(address.ip().to_canonical(), address.port());
        self.bound.rcu(|bound| {
            let mut next = Vec::clone(bound);
            if !next.contains(&address) {
                next.push(address);
            }
            next
        });
    }

    /// Whether a connection to `ip` and `port` would end at one of them. `is_own` is asked only for a
    /// listener on every address.
    pub(super) fn contains(&self, ip: IpAddr, port: u16, is_own: impl Fn() -> bool) -> bool {
        self.bound.load().iter().any(|bound| {
            bound.port() == port
                && (bound.ip() == ip
                    || (bound.ip().is_unspecified() && (ip.is_loopback() || ip.is_unspecified() || is_own())))
        })
    }
}
