//! Readers of what the way out is told: lists with commas between.

use std::net::{IpAddr, SocketAddr};

use egress::resolve::FixedHost;
use egress::upstream::{NoProxy, Vetting};
use ipnet::{IpNet, Ipv6Net};
use model::target::normalise_host;
use model::{DomainPattern, PrincipalId, WorkspaceId};
use policy::TrustedUpstream;

use super::{Read, whole};
use crate::config::{PeerConfig, UpstreamProxyUrl};

/// The workspace of a peer that names none: the one that `exeat dev` uses.
const PEER_WORKSPACE: &str = "ws_dev";

/// Every part of a list, read; empty parts are left out, so an empty text is an empty list.
fn list<T>(text: &str, expects: &'static str, read: impl Fn(&str) -> Option<T>) -> Read<Vec<T>> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| read(part).ok_or(expects)).collect()
}

pub(in crate::config) fn many(text: &str) -> Read<usize> {
    whole(text, 1, 1_000_000).and_then(|n| usize::try_from(n).ok()).ok_or("a whole number from 1 to 1000000")
}

pub(in crate::config) fn rate(text: &str) -> Read<u32> {
    whole(text, 0, 1_000_000).and_then(|n| u32::try_from(n).ok()).ok_or("a whole number from 0 to 1000000")
}

/// `NAME`, `NAME:PORT`, `NAME=NET`, `NAME=NET:PORT`, with a NET such as `10.0.0.0/8`, `fd00::/8` or one
/// address (of IPv6 in brackets before a port).
pub(in crate::config) fn trusted_upstreams(text: &str) -> Read<Vec<TrustedUpstream>> {
    list(text, "a list of NAME=NET:PORT, such as db.internal=10.0.0.0/8:5432", |part| {
        let (host, net, port) = match part.split_once('=') {
            Some((name, rest)) => {
                let (net, port) = net_and_port(rest)?;
                (name, Some(net), port)
            }
            None => {
                let (name, port) = name_and_maybe_port(part)?;
                (name, None, port)
            }
        };
        Some(TrustedUpstream { host: normalise_host(host.trim()).ok()?, net, port })
    })
}

/// `NAME:PORT=ADDRESS:PORT`.
pub(in crate::config) fn fixed_hosts(text: &str) -> Read<Vec<FixedHost>> {
    list(text, "a list of NAME:PORT=ADDRESS:PORT, such as hello.test:80=127.0.0.1:8080", |part| {
        let (name, address) = part.split_once('=')?;
        let (name, port) = name_and_maybe_port(name.trim())?;
        Some(FixedHost { name: normalise_host(name).ok()?, port: port?, address: address.trim().parse().ok()? })
    })
}

/// Addresses, with a port where it is not 53.
pub(in crate::config) fn nameservers(text: &str) -> Read<Vec<SocketAddr>> {
    list(text, "a list of name servers' addresses, such as 10.0.0.2 or [2001:db8::2]:5353", |part| {
        let alone = || Some(SocketAddr::new(part.parse::<IpAddr>().ok()?, 53));
        part.parse().ok().or_else(alone)
    })
}

pub(in crate::config) fn nat64_prefixes(text: &str) -> Read<Vec<Ipv6Net>> {
    list(text, "a list of NAT64 prefixes of 32, 40, 48, 56, 64 or 96 bits, such as 2001:db8:64::/96", |part| {
        let net: Ipv6Net = part.parse().ok()?;
        matches!(net.prefix_len(), 32 | 40 | 48 | 56 | 64 | 96).then(|| net.trunc())
    })
}

/// `UID=PRINCIPAL_ID`, or `UID=WORKSPACE_ID/PRINCIPAL_ID`.
pub(in crate::config) fn peers(text: &str) -> Read<Vec<PeerConfig>> {
    list(text, "a list of UID=WORKSPACE_ID/PRINCIPAL_ID", |part| {
        let (uid, rest) = part.split_once('=')?;
        let (workspace, principal) = rest.split_once('/').unwrap_or((PEER_WORKSPACE, rest));
        let workspace_id = WorkspaceId::parse(workspace.trim()).ok().filter(|id| id.as_str() != store::INSTALL)?;
        Some(PeerConfig {
            uid: whole(uid, 0, u64::from(u32::MAX)).and_then(|n| u32::try_from(n).ok())?,
            workspace_id,
            principal_id: PrincipalId::parse(principal.trim()).ok()?,
        })
    })
}

/// `KIND=HOST`, with a host as rules write it.
pub(in crate::config) fn credential_homes(text: &str) -> Read<Vec<(String, String)>> {
    list(text, "a list of KIND=HOST with a known kind, such as github_token=git.corp.example", |part| {
        let (kind, host) = part.split_once('=')?;
        let kind = redact::credential::kinds().find(|known| *known == kind.trim())?;
        Some((kind.to_owned(), DomainPattern::parse(host.trim()).ok()?.to_string()))
    })
}

/// The proxy above; blank is none.
pub(in crate::config) fn upstream_proxy(text: &str) -> Read<Option<UpstreamProxyUrl>> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    UpstreamProxyUrl::parse(text).map(Some).ok_or("the address of a proxy, such as http://user:password@proxy:3128")
}

pub(in crate::config) fn vetting(text: &str) -> Read<Vetting> {
    match text.trim().to_ascii_lowercase().as_str() {
        "own" => Ok(Vetting::Own),
        "delegated" => Ok(Vetting::Delegated),
        _ => Err("`own` or `delegated`"),
    }
}

/// As other programs read it, but for a part that cannot be a host.
pub(in crate::config) fn no_proxy(text: &str) -> Read<NoProxy> {
    let odd = |part: &str| part.contains(|c: char| c.is_whitespace() || c.is_control());
    if text.split(',').map(str::trim).any(odd) {
        return Err("a list of hosts, such as .corp.example,10.0.0.0/8");
    }
    Ok(NoProxy::parse(text))
}

/// A host, and the port after it when there is one; an address of IPv6 stands in brackets before a port.
fn name_and_maybe_port(text: &str) -> Option<(&str, Option<u16>)> {
    if text.parse::<IpAddr>().is_ok() {
        return Some((text, None));
    }
    let end = text.rfind(']').map_or(0, |at| at + 1);
    match text.get(end..)?.rfind(':') {
        None => Some((text, None)),
        Some(at) => Some((text.get(..end + at)?, Some(some_port(text.get(end + at + 1..)?)?))),
    }
}

fn net_and_port(text: &str) -> Option<(IpNet, Option<u16>)> {
    let text = text.trim();
    let Some((address, rest)) = text.split_once('/') else {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Some((IpNet::from(address), None));
        }
        let address: SocketAddr = text.parse().ok()?;
        return Some((IpNet::from(address.ip()), Some(address.port()).filter(|port| *port > 0)));
    };
    let (bits, port) = match rest.split_once(':') {
        None => (rest, None),
        Some((bits, port)) => (bits, Some(some_port(port)?)),
    };
    let net = IpNet::new(address.parse().ok()?, bits.parse().ok()?).ok()?;
    Some((net.trunc(), port))
}

fn some_port(text: &str) -> Option<u16> {
    whole(text, 1, 65_535).and_then(|n| u16::try_from(n).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upstreams_are_a_name_a_net_and_a_port() {
        let check = |text: &str, want: Option<(&str, Option<&str>, Option<u16>)>| {
            let read = trusted_upstreams(text).ok().map(|all| {
                assert_eq!(all.len(), 1, "{text}");
                (all[0].host.clone(), all[0].net.map(|net| net.to_string()), all[0].port)
            });
            let want = want.map(|(host, net, port)| (host.to_owned(), net.map(str::to_owned), port));
            assert_eq!(read, want, "{text}");
        };
        check("db.internal=10.0.0.0/8:5432", Some(("db.internal", Some("10.0.0.0/8"), Some(5432))));
        check("DB.internal. = 10.1.2.3/8", Some(("db.internal", Some("10.0.0.0/8"), None)));
        check("db=fd00::/8:5432", Some(("db", Some("fd00::/8"), Some(5432))));
        check("db=10.0.0.1:80", Some(("db", Some("10.0.0.1/32"), Some(80))));
        check("db=[fd00::1]:80", Some(("db", Some("fd00::1/128"), Some(80))));
        check("db=fd00::1", Some(("db", Some("fd00::1/128"), None)));
        check("hello.test:80", Some(("hello.test", None, Some(80))));
        check("127.0.0.1", Some(("127.0.0.1", None, None)));
        for bad in ["db=", "=10.0.0.0/8", "db=10.0.0.0/33", "db=10.0.0.0/8:0", "db=10.0.0.0/8:x", "*=10.0.0.0/8", "a b"]
        {
            check(bad, None);
        }
        assert_eq!(trusted_upstreams(" ").unwrap(), []);
        assert_eq!(trusted_upstreams("a:1, b:2,").unwrap().len(), 2);
    }

    #[test]
    fn hosts_are_one_name_and_port_for_one_address() {
        let read = fixed_hosts("Hello.test:80=127.0.0.1:8080, six.test:443=[::1]:8443").unwrap();
        assert_eq!(
            (read[0].name.as_str(), read[0].port, read[0].address.to_string()),
            ("hello.test", 80, "127.0.0.1:8080".into())
        );
        assert_eq!(read[1].address.to_string(), "[::1]:8443");
        for bad in ["hello.test=127.0.0.1:1", "hello.test:80=127.0.0.1", "hello.test:80=other:1", "hello.test:80"] {
            assert!(fixed_hosts(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_other_lists() {
        let servers = nameservers("10.0.0.2, [2001:db8::2]:5353, 2001:db8::3").unwrap();
        let texts: Vec<String> = servers.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["10.0.0.2:53", "[2001:db8::2]:5353", "[2001:db8::3]:53"]);
        assert!(nameservers("ns.example").is_err());
        assert_eq!(nat64_prefixes("2001:db8:64::1/96").unwrap()[0].to_string(), "2001:db8:64::/96");
        assert!(nat64_prefixes("2001:db8::/33").is_err() && nat64_prefixes("10.0.0.0/8").is_err());
        let listed = peers("1000=ws_a/p_coder, 0=p_root").unwrap();
        assert_eq!(
            (listed[0].uid, listed[0].workspace_id.as_str(), listed[0].principal_id.as_str()),
            (1000, "ws_a", "p_coder")
        );
        assert_eq!(listed[1].workspace_id.as_str(), PEER_WORKSPACE);
        for bad in ["root=p", "1000", "1000=", "-1=p", "1000=*/p"] {
            assert!(peers(bad).is_err(), "{bad}");
        }
        assert!(no_proxy("db, .corp.example").unwrap().matches("a.corp.example", 443));
        assert!(no_proxy("a b").is_err());
        assert_eq!(upstream_proxy(" ").unwrap(), None);
        let homes = credential_homes("aws_access_key_id=*.S3.corp.example, exeat_key=*").unwrap();
        assert_eq!(homes[0], ("aws_access_key_id".to_owned(), "*.s3.corp.example".to_owned()));
        assert!(credential_homes("aws_key=a.example").is_err() && credential_homes("exeat_key=a.*.b").is_err());
    }
}
