//! The way out of this process: one dialer, which everything that leaves goes through, and what it
//! must never reach.

use std::sync::Arc;

use egress::dial::tls::client_config;
use egress::dial::{Dialer, DialerConfig};
use egress::fetch::Fetcher;
use egress::guard::{Guard, GuardConfig};
use egress::resolve::{Nameservers, Resolver, ResolverConfig};
use egress::upstream::{UpstreamProxy, Vetting};

use crate::config::{EgressConfig, UpstreamProxyConfig};
use crate::exit::Exit;
use crate::failure::Failure;

/// The dialer as it was configured.
///
/// # Errors
/// The proxy above cannot be used.
pub(crate) fn dialer(config: &EgressConfig) -> Result<Dialer, Failure> {
    let guard = Guard::new(GuardConfig {
        trusted_upstreams: config.trusted_upstreams.clone(),
        nat64_prefixes: config.nat64_prefixes.clone(),
    });
    let system = ResolverConfig::system();
    let nameservers = match config.nameservers.as_slice() {
        [] => Nameservers::System,
        some => Nameservers::These(some.to_vec()),
    };
    let resolver = Resolver::new(ResolverConfig { nameservers, fixed: config.hosts.clone(), ..system });
    let upstream = config.upstream.as_ref().map(upstream).transpose()?.map(Arc::new);
    Ok(Dialer::new(guard, resolver, DialerConfig { upstream, ..DialerConfig::default() }))
}

fn upstream(config: &UpstreamProxyConfig) -> Result<UpstreamProxy, Failure> {
    let proxy = UpstreamProxy::parse(config.url.expose())
        .map_err(|error| Failure::usage("EXEAT_UPSTREAM_PROXY cannot be used").why(error.to_string()))?
        .except(config.no_proxy.clone());
    Ok(match config.vetting {
        Vetting::Own => proxy,
        Vetting::Delegated => {
            tracing::warn!("where names lead behind the upstream proxy is vetted by that proxy alone, as configured");
            proxy.danger_delegate_vetting()
        }
    })
}

/// What sends the requests of runs, trusting whom this machine trusts. `homes` are of credentials.
///
/// # Errors
/// TLS is not available here.
pub(crate) fn fetcher(dialer: Dialer, homes: &[(String, String)]) -> Result<Fetcher, Failure> {
    let tls = client_config(None).map_err(|error| {
        Failure::new(Exit::Failure, "tls_unavailable", "TLS is not available here").why(error.to_string())
    })?;
    Ok(Fetcher::new(dialer, tls).with_credential_homes(homes))
}
