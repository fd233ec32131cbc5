//! Domain names and patterns: exact, `*.suffix` (the suffix itself and everything below it), `*`.
//!
//! A pattern is normalised by the same code as a target's host, so case, IDNA spelling, a trailing
//! dot and the spelling of an address never make a difference. A `*` anywhere else is refused, and
//! so is `*.` before an address: subdomains of addresses do not exist.

mod set;
#[cfg(test)]
mod tests;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use set::DomainSet;

/// Why a text is not a domain or pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a domain name, an address, `*.suffix` or `*`")]
pub struct InvalidPattern;

/// A pattern over normalised hosts. `Display` gives the text that parses back to it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum DomainPattern {
    /// `*`: every host.
    Any,
    /// Exactly this host.
    Exact(String),
    /// `*.suffix`: the suffix itself and its subdomains. Never matches an address.
    Suffix(String),
}

impl DomainPattern {
    /// Reads and normalises a pattern with the rules of [`crate::target`].
    ///
    /// # Errors
    /// [`InvalidPattern`].
    pub fn parse(text: &str) -> Result<Self, InvalidPattern> {
        let text = text.trim();
        if text == "*" {
            return Ok(Self::Any);
        }
        match text.strip_prefix("*.") {
            Some(suffix) => match crate::target::normalise_host(suffix) {
                Ok(host) if host.parse::<std::net::IpAddr>().is_err() => Ok(Self::Suffix(host)),
                _ => Err(InvalidPattern),
            },
            None => crate::target::normalise_host(text).map(Self::Exact).map_err(|_| InvalidPattern),
        }
    }

    /// Whether `host` matches. `host` must be normalised, as [`crate::TargetUrl::domain`] is.
    #[must_use]
    pub fn matches(&self, host: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(exact) => exact == host,
            Self::Suffix(suffix) => {
                host.strip_suffix(suffix.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }
        }
    }

    /// The hosts that both match, as one pattern; `None` when there are none.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Option<Self> {
        match (self, other) {
            (Self::Any, p) | (p, Self::Any) => Some(p.clone()),
            (Self::Exact(host), p) | (p, Self::Exact(host)) => p.matches(host).then(|| Self::Exact(host.clone())),
            (Self::Suffix(a), Self::Suffix(b)) => {
                if self.matches(b) {
                    Some(Self::Suffix(b.clone()))
                } else {
                    other.matches(a).then(|| Self::Suffix(a.clone()))
                }
            }
        }
    }
}

impl TryFrom<String> for DomainPattern {
    type Error = InvalidPattern;
    fn try_from(text: String) -> Result<Self, InvalidPattern> {
        Self::parse(&text)
    }
}

impl From<DomainPattern> for String {
    fn from(pattern: DomainPattern) -> String {
        pattern.to_string()
    }
}

impl fmt::Display for DomainPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Exact(host) => f.write_str(host),
            Self::Suffix(suffix) => write!(f, "*.{suffix}"),
        }
    }
}
