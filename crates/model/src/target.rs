//! The target of a request: a normalised http or https URL.
//!
//! Two parsers that read one URL differently are how a request reaches a host that nobody decided
//! about. So the text is checked twice: [`raw`] refuses every byte that some reader would drop,
//! fold or split on, and only what is left goes through WHATWG normalisation, whose result is
//! checked again in [`host`] (a full-width `＊` only becomes `*` there).
//!
//! Choices where the contract is silent: an empty port (`host:`) and port 0 are refused; a
//! backslash is refused anywhere, also in the query; white space inside path and query is
//! percent-encoded as WHATWG says; a name has labels of 1 to 63 and 253 characters in all, made of
//! letters, digits, `-` and `_`.

mod host;
mod raw;
mod rule;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use url::{Host, Url};

pub use host::normalise_host;

/// The longest target in bytes, trimmed input and normal form alike.
pub const TARGET_BYTES_MAX: usize = 16 * 1024;

/// How many characters of a digest stand for a redacted value.
const DIGEST_CHARS: usize = 16;

/// Why a text is not a target: the rule that it breaks. Never repeats the input.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidTarget(pub &'static str);

/// A normalised target: http or https, a canonical host, no userinfo, port kept when not default.
///
/// Reading the normal form again gives the same value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TargetUrl {
    // INVARIANT: the host is canonical: no trailing dot, no IPv4-mapped IPv6 address.
    url: Url,
}

impl TargetUrl {
    /// Reads and normalises a target by the rules of the contract, section 7.5.
    ///
    /// Outer white space is trimmed; at most [`TARGET_BYTES_MAX`] bytes.
    ///
    /// # Errors
    /// [`InvalidTarget`] says which rule was broken; it never repeats the input.
    pub fn parse(text: &str) -> Result<Self, InvalidTarget> {
        let text = text.trim();
        raw::check(text)?;
        // With the raw text checked, only the host can still be at fault.
        let mut url = Url::parse(text).map_err(host::fault)?;
        match url.host() {
            None => return Err(rule::HOST_MISSING),
            Some(Host::Ipv4(_)) => {}
            Some(Host::Ipv6(address)) => {
                if let Some(mapped) = address.to_ipv4_mapped() {
                    url.set_ip_host(IpAddr::V4(mapped)).map_err(|()| rule::HOST_INVALID)?;
                }
            }
            Some(Host::Domain(written)) => {
                let name = host::check_name(written)?;
                if name.len() != written.len() {
                    let name = name.to_owned();
                    url.set_host(Some(&name)).map_err(host::fault)?;
                }
            }
        }
        if url.as_str().len() > TARGET_BYTES_MAX {
            return Err(rule::TOO_LONG);
        }
        Ok(Self { url })
    }

    /// Host and port as they stand in a `Host` field: an IPv6 address in brackets, the port unless it
    /// is the scheme's default.
    #[must_use]
    pub fn authority(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        match self.url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }

    /// Where a reference found at this target leads, as in `Location`; none when that is no target.
    #[must_use]
    pub fn join(&self, reference: &str) -> Option<Self> {
        let reference = reference.trim();
        // A reference is told apart from a whole URL by the same rules as elsewhere, and what it comes to is
        // read anew: nothing that is refused as a target becomes one by way of a redirect.
        if reference.bytes().any(|b| b.is_ascii_control() || b == b'\\') {
            return None;
        }
        if reference.contains("://") && !reference.starts_with(['/', '?', '#', '.']) {
            return Self::parse(reference).ok();
        }
        Self::parse(self.url.join(reference).ok()?.as_str()).ok()
    }

    /// The whole normalised URL, query and fragment included. Never store it: see [`Self::redacted`].
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.url.as_str()
    }

    /// The normalised host: a lower-case ASCII name without trailing dot, or an address (an IPv6
    /// address without brackets).
    #[must_use]
    pub fn domain(&self) -> &str {
        host::without_brackets(self.url.host_str().unwrap_or_default())
    }

    /// The host when it is an address, whatever its spelling was.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        match self.url.host()? {
            Host::Domain(_) => None,
            Host::Ipv4(address) => Some(IpAddr::V4(address)),
            Host::Ipv6(address) => Some(IpAddr::V6(address)),
        }
    }

    /// `http` or `https`.
    #[must_use]
    pub fn scheme(&self) -> &str {
        self.url.scheme()
    }

    /// The port, the scheme's default included.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.url.port_or_known_default().unwrap_or(0)
    }

    /// The path, at least `/`.
    #[must_use]
    pub fn path(&self) -> &str {
        self.url.path()
    }

    /// The query without `?`.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.url.query()
    }

    /// The form that may be stored: scheme, host, port and path stay, each query value and the
    /// fragment become `~` and the first 16 characters of `digest` over them.
    ///
    /// `digest` takes a value as it stands in the normal form and gives the hex of a keyed digest;
    /// it is cut here. A query part without `=` counts as a value, for a bare token has no name; an
    /// empty value stays empty.
    #[must_use]
    pub fn redacted(&self, digest: impl Fn(&str) -> String) -> String {
        let text = self.as_str();
        let (text, fragment) = split_at_mark(text, '#');
        let (base, query) = split_at_mark(text, '?');
        let mut out = String::with_capacity(self.as_str().len() + 32);
        out.push_str(base);
        if let Some(query) = query {
            let mut mark = '?';
            for part in query.split('&') {
                out.push(mark);
                mark = '&';
                match part.split_once('=') {
                    Some((name, value)) => {
                        out.push_str(name);
                        out.push('=');
                        push_digest(&mut out, value, &digest);
                    }
                    None => push_digest(&mut out, part, &digest),
                }
            }
        }
        if let Some(fragment) = fragment {
            out.push('#');
            push_digest(&mut out, fragment, &digest);
        }
        out
    }
}

fn split_at_mark(text: &str, mark: char) -> (&str, Option<&str>) {
    match text.split_once(mark) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

fn push_digest(out: &mut String, value: &str, digest: &impl Fn(&str) -> String) {
    if !value.is_empty() {
        out.push('~');
        out.extend(digest(value).chars().take(DIGEST_CHARS));
    }
}

impl TryFrom<String> for TargetUrl {
    type Error = InvalidTarget;
    fn try_from(text: String) -> Result<Self, InvalidTarget> {
        Self::parse(&text)
    }
}

impl From<TargetUrl> for String {
    fn from(target: TargetUrl) -> String {
        target.url.into()
    }
}
