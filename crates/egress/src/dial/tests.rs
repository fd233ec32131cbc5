use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use policy::TrustedUpstream;
use tokio::net::TcpListener;

use super::*;
use crate::guard::GuardConfig;
use crate::resolve::test_server::{NameServer, Say};
use crate::resolve::{ResolveError, ResolverConfig};

/// Counts who gets through to it.
pub(crate) struct Sentinel {
    pub(crate) address: SocketAddr,
    arrived: Arc<AtomicUsize>,
}

impl Sentinel {
    pub(crate) async fn listen() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let arrived = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&arrived);
        tokio::spawn(async move {
            let mut kept = Vec::new();
            loop {
                kept.push(listener.accept().await.unwrap());
                counter.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { address, arrived }
    }

    pub(crate) async fn arrived(&self) -> usize {
        tokio::time::sleep(Duration::from_millis(20)).await;
        self.arrived.load(Ordering::SeqCst)
    }
}

pub(crate) fn trusting(host: &str, net: &str) -> GuardConfig {
    let trusted = TrustedUpstream { host: host.into(), net: Some(net.parse().unwrap()), port: None };
    GuardConfig { trusted_upstreams: vec![trusted], nat64_prefixes: vec![] }
}

pub(crate) fn dialer(server: &NameServer, guard: GuardConfig) -> Dialer {
    let resolver = Resolver::new(ResolverConfig::at(vec![server.address]));
    Dialer::new(
        Guard::new(guard),
        resolver,
        DialerConfig { connect_timeout: Duration::from_secs(2), ..DialerConfig::default() },
    )
}

#[tokio::test]
async fn a_name_that_leads_here_reaches_nothing_unless_excepted() {
    for answer in ["127.0.0.1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "0.0.0.0", "::1"] {
        let sentinel = Sentinel::listen().await;
        let port = sentinel.address.port();
        let server = NameServer::start(move |_| Say::addresses(60, &[answer])).await;
        let refused = dialer(&server, GuardConfig::default()).approach_to("trap.test", port, false).await;
        assert_eq!(refused.map(|_| ()).unwrap_err().code(), "destination_denied", "{answer}");
        assert_eq!(sentinel.arrived().await, 0, "{answer}");
        if answer == "127.0.0.1" {
            let approach =
                dialer(&server, trusting("trap.test", "127.0.0.0/8")).approach_to("trap.test", port, false).await;
            assert_eq!(approach.unwrap().place().peer(), sentinel.address);
            assert_eq!(sentinel.arrived().await, 1, "the control: an exception lets it through");
        }
    }
}

#[tokio::test]
async fn one_bad_address_among_good_ones_reaches_nothing() {
    let sentinel = Sentinel::listen().await;
    let port = sentinel.address.port();
    let server = NameServer::start(|asked| match asked.name.as_str() {
        "mixed.test" => Say::addresses(60, &["127.0.0.1", "10.0.0.1"]),
        _ => Say::addresses(60, &["127.0.0.1"]),
    })
    .await;
    let mixed = dialer(&server, trusting("mixed.test", "127.0.0.0/8"));
    assert_eq!(
        mixed.approach_to("mixed.test", port, false).await.map(|_| ()).unwrap_err().code(),
        "destination_denied"
    );
    assert_eq!(sentinel.arrived().await, 0);
    let clean = dialer(&server, trusting("clean.test", "127.0.0.0/8"));
    clean.approach_to("clean.test", port, false).await.unwrap();
    assert_eq!(sentinel.arrived().await, 1);
}

#[tokio::test]
async fn an_answer_that_changes_is_not_asked_for_twice() {
    let sentinel = Sentinel::listen().await;
    let port = sentinel.address.port();
    let server = NameServer::start(|asked| match asked.before {
        0 => Say::addresses(0, &["127.0.0.1"]),
        _ => Say::addresses(0, &["10.0.0.1"]),
    })
    .await;
    let dialer = dialer(&server, trusting("rebinding.test", "127.0.0.0/8"));
    let approach = dialer.approach_to("rebinding.test", port, false).await.unwrap();
    assert_eq!(approach.place().peer(), sentinel.address);
    assert_eq!(server.count("rebinding.test"), 2, "one question per family");
    let second = dialer.approach_to("rebinding.test", port, false).await;
    assert_eq!(second.map(|_| ()).unwrap_err().code(), "destination_denied");
}

#[tokio::test]
async fn our_own_listener_is_not_reached_though_excepted() {
    let sentinel = Sentinel::listen().await;
    let server = NameServer::start(|_| Say::addresses(60, &["127.0.0.1"])).await;
    let dialer = dialer(&server, trusting("own.test", "127.0.0.0/8"));
    dialer.approach_to("own.test", sentinel.address.port(), false).await.unwrap();
    dialer.guard().register_listener(sentinel.address);
    let refused = dialer.approach_to("own.test", sentinel.address.port(), false).await.map(|_| ()).unwrap_err();
    assert_eq!(refused.to_string(), "the destination leads to a forbidden place (listener of exeat itself)");
    assert_eq!(sentinel.arrived().await, 1);
}

#[tokio::test]
async fn an_address_that_does_not_answer_gives_way_to_the_next() {
    let sentinel = Sentinel::listen().await;
    let server = NameServer::start(|_| Say::addresses(60, &["127.0.0.9", "127.0.0.1"])).await;
    // Nobody listens on the first: refused at once, and the second is tried.
    let dialer = dialer(&server, trusting("two.test", "127.0.0.0/8"));
    let approach = dialer.approach_to("two.test", sentinel.address.port(), false).await.unwrap();
    assert_eq!(approach.place().address(), Some(IpAddr::from([127, 0, 0, 1])));
}

#[tokio::test]
async fn faults_have_their_codes() {
    let server = NameServer::start(|asked| match asked.name.as_str() {
        "gone.test" => Say::NoSuchName { ttl: 1 },
        "broken.test" => Say::Failure,
        _ => Say::addresses(60, &["127.0.0.1"]),
    })
    .await;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let dialer = dialer(&server, trusting("closed.test", "127.0.0.0/8"));
    let fault = async |host| dialer.approach_to(host, closed.port(), false).await.map(|_| ()).unwrap_err();
    assert_eq!(fault("closed.test").await, DialError::ConnectionRefused);
    assert_eq!(fault("gone.test").await, DialError::Resolve(ResolveError::NotFound));
    assert_eq!(fault("broken.test").await.code(), "dns_error");
    assert_eq!((fault("gone.test").await.http_status(), fault("other.test").await.http_status()), (502, 403));
}

#[tokio::test]
async fn a_destination_that_does_not_answer_is_given_up_in_time() {
    // A listener whose queue is full: further connections are neither accepted nor refused.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut filling = Vec::new();
    for _ in 0..4 {
        filling.push(tokio::spawn(tokio::net::TcpStream::connect(address)));
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    let server = NameServer::start(|_| Say::addresses(60, &["127.0.0.1"])).await;
    let resolver = Resolver::new(ResolverConfig::at(vec![server.address]));
    let config = DialerConfig { connect_timeout: Duration::from_millis(300), ..DialerConfig::default() };
    let dialer = Dialer::new(Guard::new(trusting("slow.test", "127.0.0.0/8")), resolver, config);
    let begun = std::time::Instant::now();
    let fault = dialer.approach_to("slow.test", address.port(), false).await.map(|_| ()).unwrap_err();
    assert_eq!((fault.clone(), fault.http_status()), (DialError::ConnectionTimeout, 504));
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[test]
fn every_fault_is_told_the_same_on_every_way() {
    use crate::guard::RefusedClass;
    use crate::upstream::UpstreamFault;
    let faults = [
        DialError::Refused(RefusedClass::OwnListener.into()),
        DialError::Resolve(ResolveError::NotFound),
        DialError::Resolve(ResolveError::Timeout),
        DialError::Resolve(ResolveError::ServerFailure),
        DialError::Resolve(ResolveError::TooManyAddresses),
        DialError::Resolve(ResolveError::Busy),
        DialError::ConnectionRefused,
        DialError::ConnectionTimeout,
        DialError::NoRoute,
        DialError::Exhausted,
        DialError::Broken,
        DialError::Upstream(UpstreamFault::Forbidden),
        DialError::Upstream(UpstreamFault::Silent),
        DialError::PermitMismatch,
    ];
    for fault in faults {
        // 403 and "not allowed" go together, and nothing that is forbidden may be tried again.
        let forbidden = fault.http_status() == 403;
        assert_eq!(forbidden, fault.socks_reply() == 0x02, "{fault:?}");
        assert!(!forbidden || fault.retry() == Retry::Never, "{fault:?}");
        assert!([403, 502, 504].contains(&fault.http_status()), "{fault:?}");
        assert_eq!(fault.http_status() == 504, fault.proxy_status().contains("timeout"), "{fault:?}");
        assert!(fault.code().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{fault:?}");
    }
}
