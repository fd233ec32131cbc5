//! `NO_PROXY`: hosts that are reached without the corporate proxy.
//!
//! There is no standard; this is what Go's clients do, which is also what most of curl does:
//! - `*` is every host;
//! - `example.com` is that host and what is under it, `.example.com` and `*.example.com` only what is
//!   under it;
//! - an address, or a net such as `10.0.0.0/8`, is a host *written* so: names are not resolved for it;
//! - each may carry a port (`example.com:8443`, `[2001:db8::1]:443`) and then counts only for it;
//! - letter case and space do not matter, an entry that cannot be read matches nothing;
//! - `localhost` and loopback addresses never go through the proxy.

use std::net::IpAddr;

use ipnet::IpNet;

/// The hosts that are reached without the proxy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NoProxy {
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    hosts: Hosts,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Hosts {
    All,
    Net(IpNet),
    /// The host, and with a dot in front what is under it.
    AtOrUnder(String),
    /// With a dot in front.
    Under(String),
}

impl NoProxy {
    /// Reads a list separated by commas.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self { entries: text.split(',').filter_map(Entry::parse).collect() }
    }

    /// Whether a host, in normal form, is one of them.
    #[must_use]
    pub fn matches(&self, host: &str, port: u16) -> bool {
        let address = host.parse::<IpAddr>().ok();
        let here = host == "localhost" || host.ends_with(".localhost");
        here || address.is_some_and(|address| address.is_loopback())
            || self.entries.iter().any(|entry| entry.matches(host, address, port))
    }
}

impl Entry {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        if text.is_empty() {
            return None;
        }
        if text == "*" {
            return Some(Self { hosts: Hosts::All, port: None });
        }
        if let Some(net) = net(&text) {
            return Some(Self { hosts: Hosts::Net(net), port: None });
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse().ok()?)),
            None => (text.as_str(), None),
        };
        let hosts = if let Some(net) = net(host) {
            Hosts::Net(net)
        } else {
            let name = host.strip_suffix('.').unwrap_or(host);
            match name.strip_prefix('*').unwrap_or(name) {
                "" | "." => return None,
                under if under.starts_with('.') => Hosts::Under(under.to_owned()),
                _ if name.starts_with('*') => return None,
                name => Hosts::AtOrUnder(format!(".{name}")),
            }
        };
        Some(Self { hosts, port })
    }

    fn matches(&self, host: &str, address: Option<IpAddr>, port: u16) -> bool {
        if self.port.is_some_and(|only| only != port) {
            return false;
        }
        match (&self.hosts, address) {
            (Hosts::All, _) => true,
            (Hosts::Net(net), Some(address)) => net.contains(&address),
            (Hosts::AtOrUnder(name), None) => host.ends_with(name.as_str()) || name.get(1..) == Some(host),
            (Hosts::Under(name), None) => host.len() > name.len() && host.ends_with(name.as_str()),
            (Hosts::Net(_), None) | (Hosts::AtOrUnder(_) | Hosts::Under(_), Some(_)) => false,
        }
    }
}

/// An address or a net, brackets around or not.
fn net(text: &str) -> Option<IpNet> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse::<IpNet>().ok().or_else(|| bare.parse::<IpAddr>().ok().map(IpNet::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_match_what_they_say() {
        let check = |list: &str, host: &str, port, want| {
            assert_eq!(NoProxy::parse(list).matches(host, port), want, "{list:?} {host}:{port}");
        };
        check("", "example.com", 443, false);
        check("*", "example.com", 443, true);
        check("example.com", "example.com", 443, true);
        check("example.com", "a.example.com", 443, true);
        check("example.com", "notexample.com", 443, false);
        check("example.com", "example.com.evil.org", 443, false);
        check(".corp", "db.corp", 443, true);
        check(".corp", "corp", 443, false);
        check("*.corp", "db.corp", 443, true);
        check("*.corp", "corp", 443, false);
        check("*corp", "db.corp", 443, false);
        check(" Example.COM , other.org ", "example.com", 443, true);
        check(" Example.COM , other.org.", "other.org", 443, true);
        check("example.com:8443", "example.com", 8443, true);
        check("example.com:8443", "example.com", 443, false);
        check("example.com:x", "example.com", 443, false);
        check("10.0.0.0/8", "10.1.2.3", 80, true);
        check("10.0.0.0/8", "11.1.2.3", 80, false);
        check("10.0.0.5", "10.0.0.5", 80, true);
        check("10.0.0.5:81", "10.0.0.5", 80, false);
        check("10.0.0.5:80", "10.0.0.5", 80, true);
        check("0.5", "10.0.0.5", 80, false);
        check("2001:db8::/32", "2001:db8::1", 80, true);
        check("2001:db8::1", "2001:db8::1", 80, true);
        check("[2001:db8::1]:443", "2001:db8::1", 443, true);
        check("[2001:db8::1]:443", "2001:db8::1", 80, false);
        check("", "localhost", 80, true);
        check("", "a.localhost", 80, true);
        check("", "127.0.0.1", 80, true);
        check("", "::1", 80, true);
    }
}
