//! Why a destination was not reached, and what each way of asking is told about it.

use thiserror::Error;

use crate::guard::GuardRefusal;
use crate::resolve::ResolveError;
use crate::upstream::UpstreamFault;

/// Why a destination was not reached.
///
/// It never names an address: who asks must not learn from a fault how the network behind is numbered.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DialError {
    /// The guard forbids where the name leads.
    #[error(transparent)]
    Refused(#[from] GuardRefusal),
    /// The name led nowhere.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// Nobody listens there.
    #[error("the destination refused the connection")]
    ConnectionRefused,
    /// No address answered in time.
    #[error("the destination did not answer in time")]
    ConnectionTimeout,
    /// There is no way there.
    #[error("there is no route to the destination")]
    NoRoute,
    /// This host lacks what a connection takes, file descriptors or ports.
    #[error("this host cannot open another connection now")]
    Exhausted,
    /// The connection broke while it was made.
    #[error("the connection to the destination broke")]
    Broken,
    /// The corporate proxy in the way gave no tunnel.
    #[error(transparent)]
    Upstream(#[from] UpstreamFault),
    /// The permit is for another place than the approach; nothing was sent.
    #[error("the permit is for another destination")]
    PermitMismatch,
}

/// Whether the same request may succeed later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Retry {
    /// Not before somebody changes something.
    Never,
    /// It may pass by itself.
    Later,
}

/// What each way of asking is told.
struct Told {
    code: &'static str,
    proxy_status: &'static str,
    http_status: u16,
    socks_reply: u8,
    retry: Retry,
}

const fn told(code: &'static str, proxy_status: &'static str, http_status: u16, socks_reply: u8, retry: Retry) -> Told {
    Told { code, proxy_status, http_status, socks_reply, retry }
}

impl DialError {
    #[rustfmt::skip]
    const fn told(&self) -> Told {
        use Retry::{Later, Never};
        match self {
            Self::Refused(_)         => told("destination_denied",  "destination_ip_prohibited", 403, 0x02, Never),
            Self::Resolve(error) => match error {
                ResolveError::NotFound         => told("dns_not_found", "dns_error",   502, 0x04, Never),
                ResolveError::Timeout          => told("dns_timeout",   "dns_timeout", 504, 0x04, Later),
                ResolveError::Busy             => told("dns_busy",      "dns_error",   502, 0x01, Later),
                ResolveError::ServerFailure    => told("dns_error",     "dns_error",   502, 0x04, Later),
                ResolveError::TooManyAddresses
                | ResolveError::TooManyAliases => told("dns_error",     "dns_error",   502, 0x04, Never),
            },
            Self::ConnectionRefused  => told("connection_refused",  "connection_refused",        502, 0x05, Later),
            Self::ConnectionTimeout  => told("connection_timeout",  "connection_timeout",        504, 0x04, Later),
            Self::NoRoute            => told("no_route",            "destination_ip_unroutable", 502, 0x03, Later),
            Self::Exhausted          => told("connection_limit",    "connection_limit_reached",  502, 0x01, Later),
            Self::Broken             => told("connection_error",    "connection_terminated",     502, 0x01, Later),
            Self::Upstream(fault) => match fault {
                UpstreamFault::Unreachable => told("upstream_proxy_unreachable", "destination_unavailable",   502, 0x01, Later),
                UpstreamFault::Credentials => told("upstream_proxy_auth",        "proxy_configuration_error", 502, 0x01, Never),
                UpstreamFault::Forbidden   => told("upstream_proxy_refused",     "http_request_denied",       403, 0x02, Never),
                UpstreamFault::Destination => told("upstream_proxy_failed",      "destination_unavailable",   502, 0x04, Later),
                UpstreamFault::Silent      => told("upstream_proxy_timeout",     "http_response_timeout",     504, 0x04, Later),
                UpstreamFault::Malformed   => told("upstream_proxy_error",       "http_protocol_error",       502, 0x01, Never),
                UpstreamFault::Decided(_)  => told("upstream_proxy_refused",     "http_request_denied",       403, 0x02, Never),
                UpstreamFault::Broken      => told("upstream_proxy_error",       "connection_terminated",     502, 0x01, Later),
            },
            Self::PermitMismatch     => told("internal_error",      "proxy_internal_error",      502, 0x01, Never),
        }
    }

    /// The stable code, for a refusal and for the event.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.told().code
    }

    /// The error type of `Proxy-Status`.
    ///
    /// # Source
    /// RFC 9209, section 2.3.
    #[must_use]
    pub const fn proxy_status(&self) -> &'static str {
        self.told().proxy_status
    }

    /// The HTTP status: 403 for what the guard refuses, 502 or 504 for what did not work.
    #[must_use]
    pub const fn http_status(&self) -> u16 {
        self.told().http_status
    }

    /// The reply field of SOCKS.
    ///
    /// # Source
    /// RFC 1928, section 6.
    #[must_use]
    pub const fn socks_reply(&self) -> u8 {
        self.told().socks_reply
    }

    /// Whether trying again helps.
    #[must_use]
    pub const fn retry(&self) -> Retry {
        self.told().retry
    }
}
