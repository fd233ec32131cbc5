//! Connections of programs that use no proxy, and names for synthetic addresses on every carrier. The address
//! that a connection wanted to reach is a parameter: what captures it is the guard's.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use egress::proxy::{Entry, Identity, Names, Naming, Ruling, Run, Witness};
use futures::future::BoxFuture;
use model::Outcome;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::bed::{Bed, Plan, allow};
use crate::origin::{Client, Origin};
use crate::tunnels::hello;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// 198.18.0.1 is `one.test`, .2 `open.test`, .3 `any.test`, .4 `shut.test`; the rest of 198.18/16 is unknown.
struct Four;

impl Names for Four {
    fn name_of(&self, address: IpAddr) -> Naming {
        let IpAddr::V4(address) = address else { return Naming::Address };
        match address.octets() {
            [198, 18, 0, 1] => Naming::Name("one.test".into()),
            [198, 18, 0, 2] => Naming::Name("open.test".into()),
            [198, 18, 0, 3] => Naming::Name("any.test".into()),
            [198, 18, 0, 4] => Naming::Name("shut.test".into()),
            [198, 18, ..] => Naming::Unknown,
            _ => Naming::Address,
        }
    }
}

#[derive(Default)]
struct Told(Mutex<Vec<Ruling>>);

impl Witness for Told {
    fn ruled(&self, ruling: Ruling) -> BoxFuture<'_, ()> {
        Box::pin(async move { self.0.lock().unwrap().push(ruling) })
    }
}

struct Jail {
    bed: Bed,
    identity: Arc<Identity>,
    told: Arc<Told>,
}

impl Jail {
    async fn new(plan: Plan) -> Self {
        let bed = plan.start().await;
        let caller = bed.gate.authenticate(&bed.key, None, "t").await.unwrap();
        let told = Arc::<Told>::default();
        let mut run = Run::new(caller, gate::Place::default());
        run.names = Some(Arc::new(Four));
        run.witness = Some(Arc::<Told>::clone(&told));
        Self { bed, identity: Arc::new(Identity::Run(Box::new(run))), told }
    }

    /// A client whose connection is served so.
    async fn client(&self, how: Entry) -> Client {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = Client::connect(listener.local_addr().unwrap()).await;
        let (stream, _) = listener.accept().await.unwrap();
        let (proxy, identity) = (self.bed.proxy.clone(), Arc::clone(&self.identity));
        tokio::spawn(async move { proxy.serve_one(stream, how, identity, CancellationToken::new()).await });
        client
    }

    async fn captured(&self, to: &str) -> Client {
        self.client(Entry::Captured(to.parse().unwrap())).await
    }

    /// The last ruling, once there are so many.
    async fn ruling(&self, count: usize) -> Ruling {
        for _ in 0..400 {
            let told = self.told.0.lock().unwrap().clone();
            assert!(told.len() <= count, "{told:#?}");
            if let Some(last) = told.get(count - 1) {
                return last.clone();
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("no ruling {count}: {:#?}", self.told.0.lock().unwrap());
    }

    async fn domains(&self) -> Vec<String> {
        let events = self.bed.events().await;
        let asked = events.iter().filter(|event| event.event_type == "egress.requested");
        asked.map(|event| event.data.to_value()["target_domain"].as_str().unwrap().to_owned()).collect()
    }
}

/// A shadow workspace: what is enforced here is enforced because a guard asks.
fn plan(origin: SocketAddr) -> Plan {
    let rules = allow("one.test", "port = [80, 8080]\n")
        + &allow("open.test", "port = 443\n")
        + &allow("any.test", "port = 22\ntunnel = \"opaque\"\n");
    let mut plan = Plan::new(&rules).shadow();
    for (name, port) in [("one.test", 80), ("one.test", 8080), ("open.test", 443), ("any.test", 22), ("shut.test", 80)]
    {
        plan = plan.name(name, port, origin);
    }
    plan
}

async fn reset(client: &mut Client) {
    let mut byte = [0];
    let read = tokio::io::AsyncReadExt::read(&mut client.stream, &mut byte).await;
    assert_eq!(read.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http_is_asked_for_under_the_name_it_was_resolved_from() {
    let origin = Origin::answering(OK).await;
    let jail = Jail::new(plan(origin.address)).await;
    let mut count = 0;
    for (to, host, want) in [
        ("198.18.0.1:80", "one.test", "Host: one.test\r\n"),
        ("198.18.0.1:80", "ONE.test:80", "Host: one.test\r\n"),
        ("198.18.0.1:8080", "one.test:8080", "Host: one.test:8080\r\n"),
        ("198.18.0.1:8080", "one.test", "Host: one.test:8080\r\n"),
    ] {
        let mut client = jail.captured(to).await;
        let answer = client.ask(format!("GET /a?b=1 HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
        assert_eq!(answer.status(), 200, "{to} {host}: {}", answer.head);
        count += 1;
        let ruling = jail.ruling(count).await;
        assert_eq!((ruling.host.as_str(), ruling.path.as_deref(), ruling.captured), ("one.test", Some("/a"), true));
        assert_eq!((ruling.decision, ruling.blocked), (Some(Outcome::Allow), false));
        assert!(ruling.egress_request_id.is_some());
        assert!(origin.got().to_lowercase().contains(&want.to_lowercase()), "{}", origin.got());
    }
    let before = origin.got();
    for (request, code) in [
        ("GET / HTTP/1.1\r\nHost: shut.test\r\n\r\n", "host_mismatch"),
        ("GET / HTTP/1.1\r\nHost: one.test:81\r\n\r\n", "host_mismatch"),
        ("GET / HTTP/1.1\r\nHost: 198.18.0.1\r\n\r\n", "host_mismatch"),
        ("GET http://shut.test/ HTTP/1.1\r\nHost: shut.test\r\n\r\n", "host_mismatch"),
        ("CONNECT shut.test:443 HTTP/1.1\r\nHost: shut.test:443\r\n\r\n", "connect_refused"),
    ] {
        let mut client = jail.captured("198.18.0.1:80").await;
        let answer = client.ask(request).await;
        assert!((400..500).contains(&answer.status()), "{request}: {}", answer.head);
        count += 1;
        let ruling = jail.ruling(count).await;
        assert!(ruling.blocked && ruling.decision.is_none(), "{ruling:?}");
        if code == "host_mismatch" {
            assert_eq!((answer.status(), answer.json()["error"].as_str().unwrap()), (403, code), "{request}");
            assert_eq!((ruling.host.as_str(), ruling.reason_code), ("one.test", code));
        }
    }
    assert_eq!(origin.got(), before, "nothing of these went up");
    // What is not allowed has an answer to read, though the workspace only watches.
    let mut client = jail.captured("198.18.0.4:80").await;
    let answer = client.ask("POST /x HTTP/1.1\r\nHost: shut.test\r\nContent-Length: 1\r\n\r\n1").await;
    assert_eq!(answer.status(), 403, "{}", answer.head);
    let ruling = jail.ruling(count + 1).await;
    assert_eq!(
        (ruling.decision, ruling.blocked, ruling.method.as_str()),
        (Some(Outcome::RequireApproval), true, "POST")
    );
    assert_eq!(answer.field("exeat-decision"), ruling.egress_request_id.as_ref().map(|id| id.as_str()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_is_its_name_on_every_carrier_and_an_unknown_one_nothing() {
    let origin = Origin::answering(OK).await;
    let jail = Jail::new(plan(origin.address)).await;
    for (address, status, socks) in [("198.18.0.1", 200, 0), ("198.18.0.9", 403, 2)] {
        let last: u8 = address.rsplit('.').next().unwrap().parse().unwrap();
        let mut client = jail.client(Entry::Proxy).await;
        let answer = client.ask(format!("GET http://{address}/ HTTP/1.1\r\nHost: {address}\r\n\r\n")).await;
        assert_eq!(answer.status(), status, "{}", answer.head);
        let mut client = jail.client(Entry::Proxy).await;
        client.send(format!("CONNECT {address}:80 HTTP/1.1\r\nHost: {address}:80\r\n\r\n")).await;
        let head = client.head().await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
        if status == 200 {
            let answer = client.ask("GET / HTTP/1.1\r\nHost: one.test\r\n\r\n").await;
            assert_eq!(answer.status(), 200, "{}", answer.head);
        }
        let mut client = jail.client(Entry::Proxy).await;
        client.send([5, 1, 0]).await;
        assert_eq!(client.exactly(2).await, [5, 0]);
        client.send([5, 1, 0, 1, 198, 18, 0, last, 0, 80]).await;
        assert_eq!(client.exactly(10).await[1], socks);
        if socks == 0 {
            let answer = client.ask("GET / HTTP/1.1\r\nHost: one.test\r\n\r\n").await;
            assert_eq!(answer.status(), 200, "{}", answer.head);
        }
        let client = jail.client(Entry::Proxy).await;
        assert_eq!(http2(client.stream, &format!("http://{address}/")).await, status);
    }
    assert_eq!(jail.domains().await, ["one.test"; 4]);
    let told = jail.told.0.lock().unwrap().clone();
    let unknown: Vec<&Ruling> = told.iter().filter(|ruling| ruling.reason_code == "name_unknown").collect();
    assert_eq!((told.len(), unknown.len()), (8, 4), "{told:#?}");
    assert!(unknown.iter().all(|ruling| ruling.blocked && ruling.host == "198.18.0.9"));
    let mut client = jail.captured("198.18.0.9:80").await;
    reset(&mut client).await;
    assert_eq!(jail.ruling(9).await.reason_code, "name_unknown");
}

/// The status of a GET by HTTP/2 with prior knowledge.
async fn http2(stream: TcpStream, url: &str) -> u16 {
    let io = hyper_util::rt::TokioIo::new(stream);
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::get(url).body(http_body_util::Empty::<bytes::Bytes>::new()).unwrap();
    sender.send_request(request).await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http2_without_a_proxy_is_bound_to_the_name() {
    let origin = Origin::answering(OK).await;
    let jail = Jail::new(plan(origin.address)).await;
    for (url, status) in [("http://one.test/", 200), ("http://shut.test/", 403)] {
        let client = jail.captured("198.18.0.1:80").await;
        assert_eq!(http2(client.stream, url).await, status, "{url}");
    }
    assert_eq!(jail.ruling(2).await.reason_code, "host_mismatch");
    assert_eq!(jail.domains().await, ["one.test"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_is_bound_to_the_name_and_what_is_refused_is_reset() {
    let origin = Origin::echoing().await;
    let jail = Jail::new(plan(origin.address)).await;
    let flight = hello("open.test");
    let mut client = jail.captured("198.18.0.2:443").await;
    client.send(&flight).await;
    assert_eq!(client.exactly(flight.len()).await, flight, "byte for byte");
    assert_eq!(jail.ruling(1).await.decision, Some(Outcome::Allow));
    let before = origin.got();
    let mut client = jail.captured("198.18.0.2:443").await;
    client.send(hello("shut.test")).await;
    assert!(client.rest().await.len() <= 7, "an alert at most");
    let ruling = jail.ruling(3).await;
    assert_eq!((ruling.reason_code, ruling.blocked, ruling.host.as_str()), ("sni_mismatch", true, "open.test"));
    // A name that is not allowed, whatever is said inside.
    let mut client = jail.captured("198.18.0.4:443").await;
    client.send(&flight).await;
    reset(&mut client).await;
    let ruling = jail.ruling(4).await;
    assert_eq!((ruling.decision, ruling.host.as_str()), (Some(Outcome::RequireApproval), "shut.test"));
    assert_eq!(origin.got(), before, "nothing of these went up");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_an_opaque_rule_lets_other_bytes_pass_and_the_server_speak_first() {
    let origin = Origin::serving(|mut peer| async move {
        peer.send("SSH-2.0-server\r\n").await;
        while let Some(bytes) = peer.some().await {
            peer.send(bytes).await;
        }
    })
    .await;
    let jail = Jail::new(plan(origin.address)).await;
    let mut client = jail.captured("198.18.0.3:22").await;
    assert_eq!(client.exactly(16).await, b"SSH-2.0-server\r\n");
    client.send("hello").await;
    assert_eq!(client.exactly(5).await, b"hello");
    assert_eq!((jail.ruling(1).await.host.as_str(), origin.connections()), ("any.test", 1));
    for (n, to) in ["198.18.0.1:80", "198.18.0.2:443", "198.18.0.3:23"].into_iter().enumerate() {
        let mut client = jail.captured(to).await;
        client.send("SSH-2.0-client\r\n").await;
        reset(&mut client).await;
        let ruling = jail.ruling(n + 2).await;
        assert!(ruling.blocked && ruling.egress_request_id.is_some(), "{to}: {ruling:?}");
    }
    assert_eq!(origin.connections(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_waits_for_the_server_is_refused_in_time() {
    let origin = Origin::echoing().await;
    let mut plan = plan(origin.address);
    plan.config.timeouts.first_flight = Duration::from_millis(200);
    let jail = Jail::new(plan).await;
    let mut client = jail.captured("198.18.0.2:443").await;
    reset(&mut client).await;
    assert!(jail.ruling(1).await.blocked);
    assert_eq!(origin.connections(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_literal_address_is_asked_for_as_one() {
    let origin = Origin::answering(OK).await;
    let jail = Jail::new(plan(origin.address)).await;
    for (n, (to, host)) in
        [("203.0.113.5:80", "203.0.113.5"), ("[2001:db8::5]:80", "[2001:db8::5]")].into_iter().enumerate()
    {
        let mut client = jail.captured(to).await;
        let answer = client.ask(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
        assert_eq!(answer.status(), 403, "{}", answer.head);
        assert!(jail.ruling(n * 2 + 1).await.blocked);
        // A name in the Host field does not make it that name.
        let mut client = jail.captured(to).await;
        let answer = client.ask("GET / HTTP/1.1\r\nHost: one.test\r\n\r\n").await;
        assert_eq!((answer.status(), jail.ruling(n * 2 + 2).await.reason_code), (403, "host_mismatch"));
    }
    let domains = jail.domains().await;
    assert_eq!(domains, ["203.0.113.5", "2001:db8::5"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_ends_without_a_byte_is_told_of_where_nothing_could_be_said() {
    let origin = Origin::answering(OK).await;
    let jail = Jail::new(plan(origin.address)).await;
    // Until every decision is made by the policy that was just published, even one that is not recorded.
    tokio::time::sleep(Duration::from_millis(600)).await;
    drop(jail.captured("198.18.0.2:443").await);
    drop(jail.captured("198.18.0.4:80").await);
    let ruling = jail.ruling(1).await;
    assert_eq!(
        (ruling.host.as_str(), ruling.blocked, ruling.decision),
        ("shut.test", true, Some(Outcome::RequireApproval))
    );
    assert_eq!(jail.domains().await, ["shut.test"], "the one that was allowed asked for nothing");
}
