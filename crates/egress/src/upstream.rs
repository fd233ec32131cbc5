//! A corporate proxy that requests have to go through.
//!
//! Whatever the request, the proxy is asked for a tunnel (`CONNECT`), for port 80 as well: then the
//! connection behind it is the destination's own and nothing else about a request changes. A proxy
//! that grants no tunnel to port 80 is told so by its operator; the absolute-form would hand it the
//! whole request.
//!
//! It is asked for the *address* that was resolved and vetted here; the name stands only in the TLS
//! hello and the `Host` within. Where a proxy insists on names, its operator may opt in to delegated
//! vetting: then the proxy is asked by name, nobody here knows where the name led, and the record says
//! so. A host that needs no DNS (an address, `localhost`, a fixed entry, the hosts file) is vetted here
//! even then.
//!
//! The proxy itself is the operator's word: its address may be a private one. Only our own listeners
//! are no proxy.
//!
//! It may be another exeat ([`UpstreamProxy::danger_decides`]): then that one decides, resolves and vets all of it,
//! what is plain HTTP inside a tunnel is said so, and its refusals are passed on as they are.

mod ask;
mod decided;
mod no_proxy;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;
use url::Url;

pub(crate) use self::ask::{INSIDE, Inside, ask};
pub use self::decided::Decided;
pub use self::no_proxy::NoProxy;

/// Who hears what another exeat refused: the host and port that were asked for, and its answer.
pub type Heard = dyn Fn(&str, u16, &Decided) + Send + Sync;

/// Who makes sure that the address behind the proxy is a permitted one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Vetting {
    /// We do: the proxy is asked for an address.
    Own,
    /// The proxy does: it is asked for a name.
    Delegated,
}

/// The proxy gave no tunnel.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UpstreamFault {
    /// It cannot be reached, or its name led nowhere.
    #[error("the upstream proxy cannot be reached")]
    Unreachable,
    /// It wants other credentials (407).
    #[error("the upstream proxy does not accept the credentials configured for it")]
    Credentials,
    /// It does not let the request pass (another 4xx, or a redirect).
    #[error("the upstream proxy refused the destination")]
    Forbidden,
    /// It could not reach the destination (5xx).
    #[error("the upstream proxy could not reach the destination")]
    Destination,
    /// It did not answer in time.
    #[error("the upstream proxy did not answer in time")]
    Silent,
    /// Its answer is not HTTP, or has no end.
    #[error("the upstream proxy gave no valid answer")]
    Malformed,
    /// The connection to it broke.
    #[error("the connection to the upstream proxy broke")]
    Broken,
    /// It is another exeat, and this is what it decided.
    #[error("the server refused the destination")]
    Decided(Arc<Decided>),
}

/// A corporate proxy.
#[derive(Clone)]
pub struct UpstreamProxy {
    host: String,
    port: u16,
    authorization: Option<SecretString>,
    vetting: Vetting,
    no_proxy: NoProxy,
    decides: Option<Decides>,
}

/// What is different when the proxy is another exeat.
#[derive(Clone)]
pub(crate) struct Decides {
    /// How long what waits for an approval is asked for again.
    pub(crate) patience: Duration,
    pub(crate) heard: Arc<Heard>,
}

/// The text names no proxy that can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidUpstream {
    /// Not `http://[user:password@]host[:port]`.
    #[error("an upstream proxy is written http://user:password@host:port")]
    NotAUrl,
    /// Another scheme than `http`.
    #[error("an upstream proxy is spoken to by http, not by https or socks")]
    Scheme,
    /// User or password cannot be sent: not UTF-8, or a colon or a control character in the way.
    #[error("the upstream proxy's user or password cannot be sent")]
    Credentials,
}

impl UpstreamProxy {
    /// Reads `http://user:password@host:port`; user and password percent-encoded where they must be.
    /// Without a port it is 80. The addresses behind it are vetted here.
    ///
    /// # Errors
    /// [`InvalidUpstream`]; it never repeats the text, which may hold a secret.
    pub fn parse(text: &str) -> Result<Self, InvalidUpstream> {
        let url = Url::parse(text.trim()).map_err(|_| InvalidUpstream::NotAUrl)?;
        if url.scheme() != "http" {
            return Err(InvalidUpstream::Scheme);
        }
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(InvalidUpstream::NotAUrl);
        }
        let host = url.host_str().ok_or(InvalidUpstream::NotAUrl)?;
        let host = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        Ok(Self {
            host: host.strip_suffix('.').unwrap_or(host).to_owned(),
            port: url.port().unwrap_or(80),
            authorization: authorization(&url)?,
            vetting: Vetting::Own,
            no_proxy: NoProxy::default(),
            decides: None,
        })
    }

    /// With hosts that are reached without it.
    #[must_use]
    pub fn except(self, no_proxy: NoProxy) -> Self {
        Self { no_proxy, ..self }
    }

    /// With names handed to the proxy unresolved. Where a name leads is then not vetted here: a name
    /// that leads into the proxy's own network is refused by nobody but the proxy.
    #[must_use]
    pub fn danger_delegate_vetting(self) -> Self {
        Self { vetting: Vetting::Delegated, ..self }
    }

    /// As one that is another exeat: it decides, resolves and vets all of it, addresses too. What it refuses is
    /// passed on as it is and told to `heard`; what waits for an approval is asked for again for as long as
    /// `patience`. Nothing is reached without it.
    #[must_use]
    pub fn danger_decides(self, patience: Duration, heard: Arc<Heard>) -> Self {
        let decides = Some(Decides { patience, heard });
        Self { decides, vetting: Vetting::Delegated, no_proxy: NoProxy::default(), ..self }
    }

    pub(crate) fn decides(&self) -> Option<&Decides> {
        self.decides.as_ref()
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn vetting(&self) -> Vetting {
        self.vetting
    }

    /// Whether requests for this place go through it.
    pub(crate) fn takes(&self, host: &str, port: u16) -> bool {
        !self.no_proxy.matches(host, port)
    }

    fn authorization(&self) -> Option<&str> {
        self.authorization.as_ref().map(ExposeSecret::expose_secret)
    }
}

/// The value of `Proxy-Authorization`.
fn authorization(url: &Url) -> Result<Option<SecretString>, InvalidUpstream> {
    if url.username().is_empty() && url.password().is_none() {
        return Ok(None);
    }
    let decoded = |text: &str| {
        let text = percent_decode_str(text).decode_utf8().map_err(|_| InvalidUpstream::Credentials)?;
        if text.chars().any(char::is_control) { Err(InvalidUpstream::Credentials) } else { Ok(text.into_owned()) }
    };
    let (user, password) = (decoded(url.username())?, decoded(url.password().unwrap_or_default())?);
    if user.contains(':') {
        return Err(InvalidUpstream::Credentials);
    }
    Ok(Some(format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))).into()))
}

// Credentials are never shown.
impl fmt::Debug for UpstreamProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpstreamProxy")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("authorized", &self.authorization.is_some())
            .field("vetting", &self.vetting)
            .field("no_proxy", &self.no_proxy)
            .field("decides", &self.decides.is_some())
            .finish()
    }
}
