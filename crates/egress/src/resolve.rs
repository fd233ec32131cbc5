//! The resolver: from a name to every address it leads to, once per request.
//!
//! Whoever asks gets *all* addresses, of both families, for the guard must see all of them. In order:
//! an address written out is itself; a fixed entry; `localhost` and what is under it is this machine,
//! without asking anybody; the hosts file; DNS. There are no search domains: every name is a full
//! one. Answers are kept as long as they say, at most five minutes; one that says zero serves the
//! requests that were waiting for it and nobody after them.
//!
//! It has no opinion about addresses. That is the guard's, and nothing is dialed that it has not seen.

mod answers;
mod cache;
mod config;
mod dns;
mod file;
mod hosts;
#[cfg(test)]
pub(crate) mod test_server;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;

use thiserror::Error;

pub use self::answers::{Answers, Source};
use self::cache::Cache;
pub use self::config::{FixedHost, HostsFile, Nameservers, ResolverConfig};
use self::dns::Dns;
use self::hosts::Hosts;

/// More addresses than this for one name are refused; a caller would have to vet and keep them all.
pub const ADDRESSES_MAX: usize = 1024;

/// More aliases than this before the first address are refused.
pub const ALIASES_MAX: usize = 16;

/// Why a name led nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ResolveError {
    /// The name does not exist, or has no address.
    #[error("the name does not resolve")]
    NotFound,
    /// No answer in time.
    #[error("the name server did not answer in time")]
    Timeout,
    /// The name server failed, refused, or cannot be reached.
    #[error("the name server failed")]
    ServerFailure,
    /// More than [`ADDRESSES_MAX`] addresses.
    #[error("the name has too many addresses")]
    TooManyAddresses,
    /// More than [`ALIASES_MAX`] aliases, or a circle of them.
    #[error("the name is an alias of too many others")]
    TooManyAliases,
    /// Too many names are being looked up.
    #[error("too many names are being looked up")]
    Busy,
}

/// The resolver. Cloning gives another handle to the same one, its cache included.
#[derive(Debug, Clone)]
pub struct Resolver {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    fixed: Vec<FixedHost>,
    hosts: Hosts,
    cache: Cache,
    dns: Arc<Dns>,
}

impl Resolver {
    /// A resolver with an empty cache. Nothing is asked before the first lookup.
    #[must_use]
    pub fn new(config: ResolverConfig) -> Self {
        let inner = Inner {
            fixed: config.fixed,
            hosts: Hosts::new(config.hosts_file),
            cache: Cache::default(),
            dns: Arc::new(Dns::new(config.nameservers, config.timeout)),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Every address of `host` for a connection to `port`.
    ///
    /// `host` is in normal form: lower-case ASCII without trailing dot, or an address without
    /// brackets. One call is one answer: ask once per request and dial only what it gave.
    ///
    /// # Errors
    /// [`ResolveError`]; an empty answer is [`ResolveError::NotFound`].
    ///
    /// # Cancel safety
    /// A lookup that others may be waiting for goes on when the future is dropped.
    pub async fn lookup(&self, host: &str, port: u16) -> Result<Answers, ResolveError> {
        if let Some(known) = self.without_asking(host, port) {
            return known;
        }
        let addresses = self.inner.cache.get_or_fly(host, &self.inner.dns).await?;
        Ok(Answers::new(Source::Dns, port, addresses.iter().copied()))
    }

    /// The answer that needs no DNS; `None` when a name server would have to be asked.
    pub(crate) fn without_asking(&self, host: &str, port: u16) -> Option<Result<Answers, ResolveError>> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Some(Ok(Answers::new(Source::Literal, port, [address])));
        }
        let mut fixed = self.inner.fixed.iter().filter(|each| each.name == host).peekable();
        if fixed.peek().is_some() {
            let addresses = fixed.filter(|each| each.port == port).map(|each| each.address).collect();
            return Some(Answers { source: Source::Fixed, addresses }.or_not_found());
        }
        if host == "localhost" || host.ends_with(".localhost") {
            let loopback = [IpAddr::from([127, 0, 0, 1]), IpAddr::from(std::net::Ipv6Addr::LOCALHOST)];
            return Some(Ok(Answers::new(Source::Localhost, port, loopback)));
        }
        let addresses = self.inner.hosts.addresses(host)?;
        Some(Ok(Answers::new(Source::HostsFile, port, addresses)))
    }
}
