//! What a name led to.

use std::net::{IpAddr, SocketAddr};

use smallvec::SmallVec;

use super::ResolveError;

/// Who said so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// Nobody: the host is an address.
    Literal,
    /// A fixed entry of the configuration.
    Fixed,
    /// `localhost` and what is under it.
    Localhost,
    /// The hosts file of this machine.
    HostsFile,
    /// DNS.
    Dns,
}

/// Every address of one name, in the order given, with the port to dial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answers {
    /// Who said so.
    pub source: Source,
    /// Where to connect; never empty when it comes from [`Resolver::lookup`](super::Resolver::lookup).
    pub addresses: SmallVec<[SocketAddr; 4]>,
}

impl Answers {
    pub(super) fn new(source: Source, port: u16, addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        Self { source, addresses: addresses.into_iter().map(|ip| SocketAddr::new(ip, port)).collect() }
    }

    pub(super) fn or_not_found(self) -> Result<Self, ResolveError> {
        if self.addresses.is_empty() { Err(ResolveError::NotFound) } else { Ok(self) }
    }
}
