//! The dialer: from a clearance to an open connection, and with a permit to the right to use it.
//!
//! Two steps, because the connection may be made while the decision is still being written down, but
//! no byte of a request may leave before it is. [`Dialer::approach`] resolves once, has every address
//! vetted, connects to one of exactly those and sends nothing; dropping the [`Approach`] closes the
//! connection unused. [`Approach::enter`] takes the [`gate::Permit`] by value, checks that it is for this
//! very place, and only then gives the [`Line`] that can be written to.
//!
//! Addresses are tried as RFC 8305 has it: families in turn, the next one when the last has not
//! answered for 250 ms or has failed, at most eight of them.
//!
//! With a corporate proxy in the way the approach connects to *it*, and what is asked of it, which
//! already tells where the request goes, is sent on entering.

mod approach;
#[cfg(test)]
pub(crate) mod bed;
mod connect;
#[cfg(test)]
mod entering_tests;
mod error;
mod line;
pub mod outbound;
pub mod pool;
#[cfg(test)]
pub(crate) mod tests;
pub mod tls;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use gate::Clearance;

pub use self::approach::{Approach, EnterError};
use self::approach::{Ask, Way};
pub use self::error::{DialError, Retry};
use self::line::PlaceInner;
pub use self::line::{Crossing, Line, Place, Stream};
use crate::guard::{Guard, Reached};
use crate::resolve::{Answers, Resolver, Source};
use crate::upstream::{UpstreamFault, UpstreamProxy, Vetting};

/// How connections are made.
#[derive(Debug, Clone)]
pub struct DialerConfig {
    /// How long connecting may take, all addresses together; resolving has its own time, and so has a
    /// corporate proxy for its answer.
    pub connect_timeout: Duration,
    /// The corporate proxy that requests have to go through.
    pub upstream: Option<Arc<UpstreamProxy>>,
}

impl DialerConfig {
    /// How long connecting may take unless set otherwise.
    pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
}

impl Default for DialerConfig {
    fn default() -> Self {
        Self { connect_timeout: Self::CONNECT_TIMEOUT, upstream: None }
    }
}

/// The dialer. Cloning gives another handle to the same one.
#[derive(Debug, Clone)]
pub struct Dialer {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    guard: Guard,
    resolver: Resolver,
    config: DialerConfig,
}

impl Dialer {
    /// A dialer that goes only where `guard` lets it.
    #[must_use]
    pub fn new(guard: Guard, resolver: Resolver, config: DialerConfig) -> Self {
        Self { inner: Arc::new(Inner { guard, resolver, config }) }
    }

    /// The guard, to register listeners with.
    #[must_use]
    pub fn guard(&self) -> &Guard {
        &self.inner.guard
    }

    /// Resolves, vets and connects for what may be permitted in a moment. No byte is sent.
    ///
    /// # Errors
    /// [`DialError`]: what the guard refused, or what did not work.
    ///
    /// # Cancel safety
    /// Dropping the future closes what it opened.
    pub async fn approach(&self, clearance: &Clearance) -> Result<Approach, DialError> {
        let target = clearance.target();
        self.approach_to(target.domain(), target.port(), target.scheme() == "https").await
    }

    /// Another connection in place of a kept one that turned out to be closed before anything came
    /// back. Once per execution: the new one is not a kept one.
    ///
    /// # Errors
    /// As [`Self::approach`], with the execution, whose outcome is to be recorded.
    pub async fn renew(&self, stale: Crossing) -> Result<Line, EnterError> {
        let Crossing { execution, place, reused } = stale;
        if !reused {
            return Err(EnterError { execution, fault: DialError::Broken });
        }
        match self.approach_to(place.host(), place.port(), place.is_tls()).await {
            Ok(approach) => approach.go_in(execution).await,
            Err(fault) => Err(EnterError { execution, fault }),
        }
    }

    async fn approach_to(&self, host: &str, port: u16, tls: bool) -> Result<Approach, DialError> {
        let upstream = self.inner.config.upstream.as_ref();
        let target = Target { host, port, tls };
        if let Some(proxy) = upstream.filter(|proxy| proxy.decides().is_some()) {
            return self.through(proxy, target, None).await;
        }
        let known = self.inner.resolver.without_asking(host, port).transpose()?;
        let fixed = known.as_ref().is_some_and(|known| known.source == Source::Fixed);
        match upstream.filter(|proxy| !fixed && proxy.takes(host, port)) {
            None => self.directly(target, known).await,
            Some(proxy) => self.through(proxy, target, known).await,
        }
    }

    /// Everything the host leads to, vetted.
    async fn vetted(&self, target: Target<'_>, known: Option<Answers>) -> Result<Answers, DialError> {
        let Target { host, port, .. } = target;
        let answers = match known {
            Some(known) => known,
            None => self.inner.resolver.lookup(host, port).await?,
        };
        self.inner.guard.vet(host, port, &answers)?;
        Ok(answers)
    }

    async fn directly(&self, target: Target<'_>, known: Option<Answers>) -> Result<Approach, DialError> {
        let Target { host, port, tls } = target;
        let answers = self.vetted(target, known).await?;
        let stream = connect::first_of(&answers.addresses, self.inner.config.connect_timeout).await?;
        let (local, peer) = connect::ends(&stream)?;
        let source = answers.source;
        self.inner.guard.vet_connected(Reached { host, port, source, local, peer })?;
        let place = Place::new(PlaceInner {
            host: host.into(),
            port,
            tls,
            source,
            local,
            peer,
            vetted: Some(peer),
            decider: None,
        });
        Ok(Approach { stream, place, ask: None })
    }

    async fn through(
        &self,
        proxy: &Arc<UpstreamProxy>,
        target: Target<'_>,
        known: Option<Answers>,
    ) -> Result<Approach, DialError> {
        let Target { host, port, tls } = target;
        let (source, way) = match (proxy.vetting(), known) {
            (Vetting::Delegated, None) => (Source::Dns, Way::Name),
            (_, known) => {
                let answers = self.vetted(target, known).await?;
                (answers.source, Way::Addresses(behind_proxy(&answers)))
            }
        };
        let stream = self.to_upstream(proxy).await?;
        let (local, peer) = connect::ends(&stream)?;
        let vetted = match &way {
            Way::Addresses(addresses) => addresses.front().copied(),
            Way::Name => None,
        };
        let decider = proxy.decides().is_some().then(|| Arc::clone(proxy));
        let place = Place::new(PlaceInner { host: host.into(), port, tls, source, local, peer, vetted, decider });
        let ask = Ask { proxy: Arc::clone(proxy), way, limit: self.inner.config.connect_timeout };
        Ok(Approach { stream, place, ask: Some(ask) })
    }

    async fn to_upstream(&self, proxy: &UpstreamProxy) -> Result<Stream, DialError> {
        let answers = self.inner.resolver.lookup(proxy.host(), proxy.port()).await;
        let answers = answers.map_err(|_| UpstreamFault::Unreachable)?;
        self.inner.guard.vet_upstream(&answers)?;
        let connected = connect::first_of(&answers.addresses, self.inner.config.connect_timeout).await;
        Ok(connected.map_err(|_| UpstreamFault::Unreachable)?)
    }
}

/// Where a request goes.
#[derive(Clone, Copy)]
struct Target<'a> {
    host: &'a str,
    port: u16,
    tls: bool,
}

/// The addresses a corporate proxy is asked for, in this order: version 4 first, for many of them reach
/// no other.
fn behind_proxy(answers: &Answers) -> VecDeque<SocketAddr> {
    const ASKED_MAX: usize = 3;
    let v4 = answers.addresses.iter().filter(|address| address.is_ipv4());
    let v6 = answers.addresses.iter().filter(|address| address.is_ipv6());
    v4.chain(v6).take(ASKED_MAX).copied().collect()
}
