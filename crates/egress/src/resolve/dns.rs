//! Asking DNS: both families at once, within one deadline.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use futures::future::{Either, select};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::cache::Found;
use super::config::Nameservers;
use super::file::Watched;
use super::{ADDRESSES_MAX, ALIASES_MAX, ResolveError};

/// How long the slower family may still take once the other has addresses. Some servers never answer
/// for IPv6; an address nobody told us of is not dialed either.
const OTHER_FAMILY: Duration = Duration::from_secs(1);

/// How long a name known not to exist stays so.
const NEGATIVE_MAX: Duration = Duration::from_secs(10);

/// An answer that misses a family is not kept long.
const PARTIAL_MAX: Duration = Duration::from_secs(5);

/// Names asked for at once; each takes two sockets. More wait, within their deadline.
const AT_ONCE: usize = 512;

const DNS_PORT: u16 = 53;

/// As many as the C library takes.
const SYSTEM_SERVERS_MAX: usize = 3;

#[derive(Debug)]
pub(super) struct Dns {
    client: ArcSwap<Option<TokioResolver>>,
    resolv_conf: Option<Watched>,
    timeout: Duration,
    room: Semaphore,
}

impl Dns {
    pub(super) fn new(nameservers: Nameservers, timeout: Duration) -> Self {
        let (servers, resolv_conf) = match nameservers {
            Nameservers::These(servers) => (servers, None),
            Nameservers::System => (Vec::new(), Some(Watched::new("/etc/resolv.conf"))),
        };
        let client = ArcSwap::from_pointee(client(&servers, timeout));
        let dns = Self { client, resolv_conf, timeout, room: Semaphore::new(AT_ONCE) };
        // Before anybody asks: two who asked first at once would find nobody to ask.
        drop(dns.current());
        dns
    }

    /// Everything `name` leads to, and for how long that holds.
    pub(super) async fn ask(&self, name: &str) -> (Found, Duration) {
        let late = Answer::failed(ResolveError::Timeout);
        let answer = timeout(self.timeout, self.ask_both(name)).await.unwrap_or(late);
        (answer.found.map(Into::into), answer.keep)
    }

    /// Asks the name servers that the system has now.
    fn current(&self) -> Arc<Option<TokioResolver>> {
        if let Some(content) = self.resolv_conf.as_ref().and_then(Watched::changed) {
            self.client.store(Arc::new(client(&system_servers(&content), self.timeout)));
        }
        self.client.load_full()
    }

    async fn ask_both(&self, name: &str) -> Answer {
        let Ok(_room) = self.room.acquire().await else { return Answer::failed(ResolveError::Busy) };
        let client = self.current();
        let Some(resolver) = &*client else { return Answer::failed(ResolveError::ServerFailure) };
        let Ok(mut name) = Name::from_ascii(name) else { return Answer::failed(ResolveError::NotFound) };
        // A full name: nothing is ever appended to it.
        name.set_fqdn(true);
        let v4 = Box::pin(family(resolver, name.clone(), RecordType::A));
        let v6 = Box::pin(family(resolver, name, RecordType::AAAA));
        let (first, second) = match select(v4, v6).await {
            Either::Left((first, rest)) => (first, Either::Left(rest)),
            Either::Right((first, rest)) => (first, Either::Right(rest)),
        };
        let second = if first.addresses().is_empty() {
            second.await
        } else {
            let late = Answer::failed(ResolveError::Timeout);
            timeout(OTHER_FAMILY, second).await.unwrap_or(late)
        };
        merge(first, second)
    }
}

/// What one family answered, or both.
struct Answer {
    found: Result<Vec<IpAddr>, ResolveError>,
    keep: Duration,
}

impl Answer {
    fn failed(error: ResolveError) -> Self {
        Self { found: Err(error), keep: Duration::ZERO }
    }

    fn addresses(&self) -> &[IpAddr] {
        self.found.as_deref().unwrap_or_default()
    }
}

async fn family(resolver: &TokioResolver, name: Name, kind: RecordType) -> Answer {
    match resolver.lookup(name, kind).await {
        Ok(lookup) => read(&lookup),
        Err(NetError::Dns(DnsError::NoRecordsFound(none))) => {
            let keep = Duration::from_secs(none.negative_ttl.unwrap_or(1).into()).min(NEGATIVE_MAX);
            Answer { found: Err(ResolveError::NotFound), keep }
        }
        Err(NetError::Timeout) => Answer::failed(ResolveError::Timeout),
        Err(error) => {
            tracing::debug!(%error, "a name server failed");
            Answer::failed(ResolveError::ServerFailure)
        }
    }
}

fn read(lookup: &Lookup) -> Answer {
    let aliases = lookup.answers().iter().filter(|record| matches!(record.data, RData::CNAME(_))).count();
    if aliases > ALIASES_MAX {
        return Answer::failed(ResolveError::TooManyAliases);
    }
    let addresses: Vec<IpAddr> = lookup.answers().iter().filter_map(|record| record.data.ip_addr()).collect();
    // Aliases count: who may change them may change where the name leads.
    let keep = lookup.answers().iter().map(|record| record.ttl).min().unwrap_or(0);
    if addresses.is_empty() {
        return Answer { found: Err(ResolveError::NotFound), keep: Duration::from_secs(keep.into()).min(NEGATIVE_MAX) };
    }
    Answer { found: Ok(addresses), keep: Duration::from_secs(keep.into()) }
}

/// Both families as one answer: addresses of either are an answer; without any the graver fault is.
fn merge(first: Answer, second: Answer) -> Answer {
    let both = first.keep.min(second.keep);
    let partial = |answer: &Answer| answer.keep.min(PARTIAL_MAX);
    let (first_partial, second_partial) = (partial(&first), partial(&second));
    let (found, keep) = match (first.found, second.found) {
        (Ok(mut addresses), Ok(more)) => {
            addresses.extend(more);
            (Ok(addresses), both)
        }
        // Of a family that has none, only the other one's time to live counts.
        (found @ Ok(_), Err(ResolveError::NotFound)) => (found, first.keep),
        (Err(ResolveError::NotFound), found) => (found, second.keep),
        (found, Err(ResolveError::NotFound)) => (found, first.keep),
        // Too much of one family is a reason to refuse, whatever the other says.
        (Err(error @ ResolveError::TooManyAliases), _) | (_, Err(error @ ResolveError::TooManyAliases)) => {
            (Err(error), both)
        }
        (found @ Ok(_), Err(_)) => (found, first_partial),
        (Err(_), found @ Ok(_)) => (found, second_partial),
        (found @ Err(_), Err(_)) => (found, both),
    };
    match found {
        Ok(addresses) if addresses.len() > ADDRESSES_MAX => Answer::failed(ResolveError::TooManyAddresses),
        found => Answer { found, keep },
    }
}

fn client(servers: &[SocketAddr], timeout: Duration) -> Option<TokioResolver> {
    let config = ResolverConfig::from_parts(None, Vec::new(), servers.iter().copied().map(name_server).collect());
    let builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    let built = builder.with_options(options(timeout)).build();
    built.inspect_err(|error| tracing::warn!(%error, "no resolver")).ok()
}

fn name_server(address: SocketAddr) -> NameServerConfig {
    let mut server = NameServerConfig::udp_and_tcp(address.ip());
    server.connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()]
        .into_iter()
        .map(|mut connection| {
            connection.port = address.port();
            connection
        })
        .collect();
    server
}

fn options(timeout: Duration) -> ResolverOpts {
    let mut options = ResolverOpts::default();
    // Two tries and some rest within the deadline.
    options.timeout = timeout.mul_f32(0.4);
    options.attempts = 1;
    // Our own cache holds what the whole answer says, negative ones included.
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
    options.preserve_intermediates = true;
    options.max_active_requests = 2 * AT_ONCE;
    options
}

/// The `nameserver` lines, in order. Zones of IPv6 addresses are not understood: such a line is passed over.
fn system_servers(content: &[u8]) -> Vec<SocketAddr> {
    let content = String::from_utf8_lossy(content);
    let lines = content.lines().filter_map(|line| line.trim_start().strip_prefix("nameserver"));
    let mut servers: Vec<SocketAddr> = lines
        .filter_map(|rest| rest.split_whitespace().next()?.parse::<IpAddr>().ok())
        .map(|ip| SocketAddr::new(ip, DNS_PORT))
        .take(SYSTEM_SERVERS_MAX)
        .collect();
    if servers.is_empty() {
        servers.push(SocketAddr::from((Ipv4Addr::LOCALHOST, DNS_PORT)));
    }
    servers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_servers_of_the_system_are_read() {
        let check = |content: &str, want: &[&str]| {
            let want: Vec<SocketAddr> = want.iter().map(|text| text.parse().unwrap()).collect();
            assert_eq!(system_servers(content.as_bytes()), want, "{content:?}");
        };
        check("", &["127.0.0.1:53"]);
        check("search corp.example\noptions ndots:5\nnameserver 10.0.0.2\n", &["10.0.0.2:53"]);
        check("# nameserver 1.1.1.1\n nameserver\t10.0.0.2 # one\nnameserver ::1\n", &["10.0.0.2:53", "[::1]:53"]);
        check("nameserver fe80::1%eth0\nnameserver nonsense\n", &["127.0.0.1:53"]);
        let many = "nameserver 10.0.0.1\nnameserver 10.0.0.2\nnameserver 10.0.0.3\nnameserver 10.0.0.4\n";
        check(many, &["10.0.0.1:53", "10.0.0.2:53", "10.0.0.3:53"]);
    }

    #[test]
    fn both_families_make_one_answer() {
        let some =
            |text: &str, keep| Answer { found: Ok(vec![text.parse().unwrap()]), keep: Duration::from_secs(keep) };
        let none = || Answer { found: Err(ResolveError::NotFound), keep: Duration::from_secs(3) };
        let failed = Answer::failed;
        let check = |first, second, want: Result<usize, ResolveError>, keep| {
            let answer = merge(first, second);
            assert_eq!((answer.found.map(|found| found.len()), answer.keep.as_secs()), (want, keep));
        };
        check(some("1.1.1.1", 60), some("2::1", 20), Ok(2), 20);
        check(some("1.1.1.1", 60), none(), Ok(1), 60);
        check(none(), some("2::1", 60), Ok(1), 60);
        check(some("1.1.1.1", 60), failed(ResolveError::Timeout), Ok(1), 5);
        check(failed(ResolveError::ServerFailure), some("2::1", 2), Ok(1), 2);
        check(none(), none(), Err(ResolveError::NotFound), 3);
        check(none(), failed(ResolveError::Timeout), Err(ResolveError::Timeout), 0);
        check(some("1.1.1.1", 60), failed(ResolveError::TooManyAliases), Err(ResolveError::TooManyAliases), 0);
    }
}
