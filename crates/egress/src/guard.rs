//! The destination guard: which of the addresses that a name led to may be dialed.
//!
//! It is always on and knows no mode. A name is refused as a whole when *any* of its addresses is
//! forbidden: an answer that mixes a good address with a bad one is an attack or a mistake, and which
//! of the two is dialed must not be left to chance. Forbidden are the special-purpose addresses of
//! [`policy::destination`], every address of this host's own interfaces (a public one too) and our own
//! listeners. The only exception is a trusted upstream: host, net and port as the operator wrote them.
//!
//! An exception holds for an address when the host is the name that was asked for, the port is the
//! one that was asked for, and the net contains the address. Without a net it holds only where nobody
//! outside can choose the address: for a host that is itself that address, or one with a fixed entry.
//! Our own listeners are never excepted.

mod interfaces;
mod listeners;
mod refusal;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use ipnet::Ipv6Net;
use policy::TrustedUpstream;
use policy::destination::{embedded_v4, forbidden};

use self::interfaces::Interfaces;
use self::listeners::Listeners;
pub use self::refusal::{GuardRefusal, RefusedClass};
use crate::resolve::{Answers, Source};

/// What an operator sets about destinations.
#[derive(Debug, Clone, Default)]
pub struct GuardConfig {
    /// The only exceptions.
    pub trusted_upstreams: Vec<TrustedUpstream>,
    /// Prefixes of this network's own NAT64: an address under one is judged by the IPv4 address in
    /// it. Without one every NAT64 address is refused. Addresses written out in a request stay
    /// refused; this is for the names that a DNS64 server answers.
    pub nat64_prefixes: Vec<Ipv6Net>,
}

/// The guard. Cloning gives another handle to the same one.
#[derive(Debug, Clone)]
pub struct Guard {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    config: GuardConfig,
    interfaces: Interfaces,
    listeners: Listeners,
}

impl Guard {
    /// A guard that knows this host's interfaces and no listener yet.
    #[must_use]
    pub fn new(config: GuardConfig) -> Self {
        let inner = Inner { config, interfaces: Interfaces::new(), listeners: Listeners::default() };
        Self { inner: Arc::new(inner) }
    }

    /// With addresses of this host that the kernel does not know of.
    #[cfg(test)]
    fn on_a_host_with(config: GuardConfig, own: fn() -> Option<Vec<IpAddr>>) -> Self {
        let inner = Inner { config, interfaces: Interfaces::reading(own), listeners: Listeners::default() };
        Self { inner: Arc::new(inner) }
    }

    /// Makes a listener of ours unreachable for requests, for as long as the process lives. Give the
    /// address it is bound to, port included; a wildcard stands for every address of this host.
    pub fn register_listener(&self, address: SocketAddr) {
        self.inner.listeners.add(address);
    }

    /// Vets every address that `host` led to for a request to `port`.
    ///
    /// # Errors
    /// [`GuardRefusal`] says what the first forbidden address is; then none may be dialed.
    pub fn vet(&self, host: &str, port: u16, answers: &Answers) -> Result<(), GuardRefusal> {
        answers.addresses.iter().try_for_each(|address| self.vet_address(host, port, answers.source, *address))
    }

    /// Vets one address. `address` carries the port that would be dialed, which only for a fixed
    /// entry is another than `port`.
    ///
    /// # Errors
    /// [`GuardRefusal`] says what it is.
    pub fn vet_address(&self, host: &str, port: u16, source: Source, address: SocketAddr) -> Result<(), GuardRefusal> {
        let ip = address.ip().to_canonical();
        if self.inner.listeners.contains(ip, address.port(), || self.is_own(ip)) {
            return Err(RefusedClass::OwnListener.into());
        }
        let class = match self.judge(ip) {
            Some(class) => class,
            None => return Ok(()),
        };
        if self.excepts(host, port, source, ip) { Ok(()) } else { Err(class.into()) }
    }

    /// Whether a corporate proxy may be at these addresses. Any but our own listeners: a proxy that is
    /// ourselves would go round in circles.
    ///
    /// # Errors
    /// [`GuardRefusal`] with [`RefusedClass::OwnListener`].
    pub fn vet_upstream(&self, answers: &Answers) -> Result<(), GuardRefusal> {
        let ours = |address: &SocketAddr| {
            let ip = address.ip().to_canonical();
            self.inner.listeners.contains(ip, address.port(), || self.is_own(ip))
        };
        if answers.addresses.iter().any(ours) { Err(RefusedClass::OwnListener.into()) } else { Ok(()) }
    }

    /// What is wrong with an address, exceptions aside.
    fn judge(&self, ip: IpAddr) -> Option<RefusedClass> {
        if let IpAddr::V6(v6) = ip
            && let Some(inner) = self.translated(v6)
        {
            return match forbidden(inner) {
                Some(kind) => Some(RefusedClass::Forbidden(kind)),
                None => self.is_own(inner).then_some(RefusedClass::OwnInterface),
            };
        }
        match forbidden(ip) {
            Some(kind) => Some(RefusedClass::Forbidden(kind)),
            None => self.is_own(ip).then_some(RefusedClass::OwnInterface),
        }
    }

    /// The IPv4 address behind the operator's own NAT64.
    fn translated(&self, address: Ipv6Addr) -> Option<IpAddr> {
        let prefixes = &self.inner.config.nat64_prefixes;
        prefixes.iter().find_map(|prefix| embedded_v4(*prefix, address)).map(IpAddr::V4)
    }

    fn is_own(&self, ip: IpAddr) -> bool {
        self.inner.interfaces.contains(ip)
    }

    fn excepts(&self, host: &str, port: u16, source: Source, ip: IpAddr) -> bool {
        self.inner.config.trusted_upstreams.iter().any(|each| {
            each.host == host
                && each.port.is_none_or(|only| only == port)
                && match each.net {
                    Some(net) => net.contains(&ip),
                    None => matches!(source, Source::Literal | Source::Fixed),
                }
        })
    }

    /// Looks again once the connection stands, before a byte goes out: a connection whose two ends
    /// have one address never left this host, whatever the interfaces were when the address was
    /// vetted. Also what a kept connection is asked before it is used again.
    ///
    /// # Errors
    /// [`GuardRefusal`]: the connection must be closed unused.
    pub fn vet_connected(&self, reached: Reached<'_>) -> Result<(), GuardRefusal> {
        let Reached { host, port, source, local, peer } = reached;
        self.vet_address(host, port, source, peer)?;
        let own = local.ip().to_canonical() == peer.ip().to_canonical();
        if own && !self.excepts(host, port, source, peer.ip().to_canonical()) {
            return Err(RefusedClass::OwnInterface.into());
        }
        Ok(())
    }
}

/// A connection that stands.
#[derive(Debug, Clone, Copy)]
pub struct Reached<'a> {
    /// The host that was asked for.
    pub host: &'a str,
    /// The port that was asked for.
    pub port: u16,
    /// How the address was found.
    pub source: Source,
    /// Our end.
    pub local: SocketAddr,
    /// The other end.
    pub peer: SocketAddr,
}
