//! What the way out runs with: listeners, names, exceptions, the proxy above, limits.

use std::path::PathBuf;

use egress::resolve::FixedHost;
use egress::upstream::{NoProxy, Vetting};
use ipnet::Ipv6Net;
use model::{PrincipalId, WorkspaceId};
use policy::TrustedUpstream;

use super::{ConfigError, Key, Layers, UpstreamProxyUrl, parse};

/// The way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EgressConfig {
    /// The listener's certificate, when clients reach it by TLS.
    pub tls: Option<TlsFiles>,
    /// Whether a listener that others can reach may do without TLS: keys then cross the network in the clear.
    pub danger_plain_non_loopback: bool,
    /// A listener on a unix socket.
    pub unix: Option<UnixConfig>,
    /// The only exceptions from the check for forbidden addresses.
    pub trusted_upstreams: Vec<TrustedUpstream>,
    /// Names that lead to one address whatever a name server says.
    pub hosts: Vec<FixedHost>,
    /// Who is asked for names, as `address:port`; empty = those of the system.
    pub nameservers: Vec<std::net::SocketAddr>,
    /// Prefixes of this network's NAT64.
    pub nat64_prefixes: Vec<Ipv6Net>,
    /// The proxy that everything goes through.
    pub upstream: Option<UpstreamProxyConfig>,
    /// Hosts where a kind of credential is at home besides those that are known: kind and host pattern.
    pub credential_homes: Vec<(String, String)>,
    /// How much of everything.
    pub limits: EgressLimits,
}

/// A certificate with its key, in PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain, the server's own first.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// A unix socket, and who of this machine may use it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnixConfig {
    /// Where it is made.
    pub path: PathBuf,
    /// Everybody else is refused.
    pub peers: Vec<PeerConfig>,
}

/// A user of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerConfig {
    /// Its number.
    pub uid: u32,
    /// The workspace it asks in.
    pub workspace_id: WorkspaceId,
    /// The principal it asks as.
    pub principal_id: PrincipalId,
}

/// A proxy that the way out leads through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamProxyConfig {
    /// Its address, with what it wants to be shown.
    pub url: UpstreamProxyUrl,
    /// Who looks at the addresses.
    pub vetting: Vetting,
    /// Hosts that are reached without it, as `NO_PROXY` is written.
    pub no_proxy: NoProxy,
}

/// Limits of the proxy; those of a principal count after it was authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EgressLimits {
    /// Client connections altogether, at least 1.
    pub connections_max: usize,
    /// Open tunnels of one principal, at least 1.
    pub tunnels_per_principal_max: usize,
    /// New tunnels of one principal per second; 0 is without limit.
    pub tunnels_per_second: u32,
    /// Bytes of one principal per hour, both directions together; 0 is without limit.
    pub bytes_per_hour: u64,
}

impl EgressConfig {
    pub(super) fn from_layers(layers: &Layers) -> Result<Self, ConfigError> {
        Ok(Self {
            tls: tls(layers)?,
            danger_plain_non_loopback: layers.read(Key::ProxyDangerPlainNonLoopback, parse::boolean)?,
            unix: unix(layers)?,
            trusted_upstreams: list(layers, Key::TrustedUpstreams, parse::trusted_upstreams)?,
            hosts: list(layers, Key::Hosts, parse::fixed_hosts)?,
            nameservers: list(layers, Key::Dns, parse::nameservers)?,
            nat64_prefixes: list(layers, Key::Nat64Prefixes, parse::nat64_prefixes)?,
            upstream: upstream(layers)?,
            credential_homes: list(layers, Key::CredentialHomes, parse::credential_homes)?,
            limits: EgressLimits {
                connections_max: layers.read(Key::ProxyMaxConnections, parse::many)?,
                tunnels_per_principal_max: layers.read(Key::ProxyTunnelsPerPrincipal, parse::many)?,
                tunnels_per_second: layers.read(Key::ProxyTunnelsPerSecond, parse::rate)?,
                bytes_per_hour: layers.read(Key::ProxyBytesPerHour, parse::count)?,
            },
        })
    }
}

fn list<T>(layers: &Layers, key: Key, read: fn(&str) -> parse::Read<Vec<T>>) -> Result<Vec<T>, ConfigError> {
    Ok(layers.optional(key, read)?.unwrap_or_default())
}

fn tls(layers: &Layers) -> Result<Option<TlsFiles>, ConfigError> {
    let (cert, key) = (Key::ProxyTlsCert, Key::ProxyTlsKey);
    match (layers.optional(cert, parse::path)?, layers.optional(key, parse::path)?) {
        (Some(cert), Some(key)) => Ok(Some(TlsFiles { cert, key })),
        (None, None) => Ok(None),
        (Some(_), None) => Err(ConfigError::Alone { given: cert.variable(), missing: key.variable() }),
        (None, Some(_)) => Err(ConfigError::Alone { given: key.variable(), missing: cert.variable() }),
    }
}

fn unix(layers: &Layers) -> Result<Option<UnixConfig>, ConfigError> {
    let (socket, peers) = (Key::ProxyUnix, Key::ProxyPeers);
    match (layers.optional(socket, parse::path)?, list(layers, peers, parse::peers)?) {
        (Some(_), listed) if listed.is_empty() => {
            Err(ConfigError::Alone { given: socket.variable(), missing: peers.variable() })
        }
        (Some(path), peers) => Ok(Some(UnixConfig { path, peers })),
        (None, listed) if listed.is_empty() => Ok(None),
        (None, _) => Err(ConfigError::Alone { given: peers.variable(), missing: socket.variable() }),
    }
}

fn upstream(layers: &Layers) -> Result<Option<UpstreamProxyConfig>, ConfigError> {
    let vetting = layers.read(Key::UpstreamProxyVetting, parse::vetting)?;
    let no_proxy = layers.optional(Key::NoProxy, parse::no_proxy)?.unwrap_or_default();
    let url = layers.optional(Key::UpstreamProxy, parse::upstream_proxy)?.flatten();
    Ok(url.map(|url| UpstreamProxyConfig { url, vetting, no_proxy }))
}
