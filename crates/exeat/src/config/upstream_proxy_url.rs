//! Where a proxy above is. It may hold a password, so it does not print itself.

use std::fmt;

use egress::upstream::UpstreamProxy;

/// `http://[user:password@]host[:port]`. `Debug` and `Display` hide the password.
#[derive(Clone, PartialEq, Eq)]
pub struct UpstreamProxyUrl(String);

impl UpstreamProxyUrl {
    /// Takes what [`UpstreamProxy::parse`] takes; anything else is `None`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        UpstreamProxy::parse(text).is_ok().then(|| Self(text.trim().to_owned()))
    }

    /// The whole address, password and all: for the dialer, for nothing else.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UpstreamProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(mut url) = url::Url::parse(&self.0) else { return f.write_str("(not shown)") };
        if url.password().is_some() && url.set_password(Some("***")).is_err() {
            return f.write_str("(not shown)");
        }
        f.write_str(url.as_str().trim_end_matches('/'))
    }
}

impl fmt::Debug for UpstreamProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UpstreamProxyUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_no_password() {
        let url = UpstreamProxyUrl::parse("http://app:hunter%202@proxy.corp:3128").unwrap();
        assert_eq!(url.expose(), "http://app:hunter%202@proxy.corp:3128");
        assert_eq!(url.to_string(), "http://app:***@proxy.corp:3128");
        assert!(!format!("{url:?}").contains("hunter"));
        assert_eq!(UpstreamProxyUrl::parse("http://[2001:db8::1]").unwrap().to_string(), "http://[2001:db8::1]");
    }

    #[test]
    fn refuses_what_is_no_proxy() {
        for text in ["", "proxy:3128", "https://proxy:3128", "socks5://proxy", "http://proxy/x", "http://proxy?x"] {
            assert_eq!(UpstreamProxyUrl::parse(text), None, "{text}");
        }
    }
}
