use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gate::{AddressVetting, Ending, ExecutionOutcome};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::dial::bed::{Bed, Origin};
use crate::dial::tests::trusting;
use crate::dial::{Crossing, DialError, Dialer, DialerConfig, Stream};
use crate::guard::{Guard, GuardConfig};
use crate::resolve::test_server::{NameServer, Say};
use crate::resolve::{Resolver, ResolverConfig};

/// What the corporate proxy answers.
#[derive(Clone, Copy)]
enum Answer {
    /// A tunnel to this origin, whatever was asked for; the head in pieces of so many bytes.
    Tunnel(SocketAddr, &'static str, usize),
    Says(&'static str),
    /// A tunnel to this origin, but not for the first of the addresses.
    SecondOnly(SocketAddr),
    Nothing,
    Endless,
}

struct Corporate {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Corporate {
    async fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let heads: Arc<Mutex<Vec<String>>> = Arc::default();
        let all = Arc::clone(&heads);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, answer, Arc::clone(&all)));
            }
        });
        Self { address, heads }
    }

    async fn heads(&self) -> Vec<String> {
        tokio::time::sleep(Duration::from_millis(30)).await;
        self.heads.lock().unwrap().clone()
    }

    fn url(&self) -> String {
        format!("http://jo:p%40ss@{}", self.address)
    }
}

async fn serve(mut stream: TcpStream, answer: Answer, heads: Arc<Mutex<Vec<String>>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { return };
        head.push(byte);
    }
    let nth = {
        let mut heads = heads.lock().unwrap();
        heads.push(String::from_utf8(head).unwrap());
        heads.len()
    };
    let answer = match answer {
        Answer::SecondOnly(_) if nth == 1 => Answer::Says("HTTP/1.1 504 No answer\r\nContent-Length: 4\r\n\r\nsad!"),
        Answer::SecondOnly(to) => Answer::Tunnel(to, GRANTED, 4096),
        other => other,
    };
    match answer {
        Answer::SecondOnly(_) => unreachable!(),
        Answer::Nothing => drop(stream.read_u8().await),
        Answer::Says(text) => {
            stream.write_all(text.as_bytes()).await.unwrap();
            drop(stream.read_u8().await);
        }
        Answer::Endless => while stream.write_all(b"X-Padding: yes\r\n").await.is_ok() {},
        Answer::Tunnel(to, text, piece) => {
            for piece in text.as_bytes().chunks(piece) {
                stream.write_all(piece).await.unwrap();
                if piece.len() < text.len() {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
            let mut origin = TcpStream::connect(to).await.unwrap();
            let _ = tokio::io::copy_bidirectional(&mut stream, &mut origin).await;
        }
    }
}

const GRANTED: &str = "HTTP/1.1 200 Connection established\r\nVia: 1.1 corp\r\n\r\n";

fn dialer(names: &NameServer, guard: GuardConfig, upstream: UpstreamProxy) -> Dialer {
    let config = DialerConfig { connect_timeout: Duration::from_millis(400), upstream: Some(Arc::new(upstream)) };
    Dialer::new(Guard::new(guard), Resolver::new(ResolverConfig::at(vec![names.address])), config)
}

async fn names() -> NameServer {
    NameServer::start(|asked| match asked.name.as_str() {
        "good.test" => Say::addresses(60, &["8.8.8.8", "2606:4700::1111"]),
        _ => Say::addresses(60, &["10.0.0.1"]),
    })
    .await
}

async fn enter(bed: &Bed, dialer: &Dialer, url: &str) -> Result<(Stream, Crossing), DialError> {
    let (clearance, permit) = bed.permit(url).await;
    let approach = match dialer.approach(&clearance).await {
        Ok(approach) => approach,
        Err(fault) => {
            permit.execute().finish(Ending::failed(fault.code()));
            return Err(fault);
        }
    };
    approach.enter(permit).await.map(|line| line.into_parts()).map_err(|error| error.finish())
}

#[tokio::test]
async fn the_proxy_is_asked_for_the_vetted_address_and_only_with_the_permit() {
    let (bed, origin, names) = (Bed::new().await, Origin::start(b"220 ready").await, names().await);
    for piece in [1, 7, GRANTED.len()] {
        let corporate = Corporate::start(Answer::Tunnel(origin.address, GRANTED, piece)).await;
        let dialer = dialer(&names, GuardConfig::default(), UpstreamProxy::parse(&corporate.url()).unwrap());
        let (clearance, permit) = bed.permit("https://good.test/").await;
        let approach = dialer.approach(&clearance).await.unwrap();
        assert_eq!(corporate.heads().await, Vec::<String>::new(), "nothing is asked before the permit");
        let (mut stream, crossing) = approach.enter(permit).await.unwrap().into_parts();
        assert_eq!(
            corporate.heads().await,
            ["CONNECT 8.8.8.8:443 HTTP/1.1\r\nHost: 8.8.8.8:443\r\nProxy-Authorization: Basic am86cEBzcw==\r\n\r\n"]
        );
        let mut greeting = [0; 9];
        stream.read_exact(&mut greeting).await.unwrap();
        assert_eq!(&greeting, b"220 ready", "not a byte of the answer is left over or lost");
        stream.write_all(b"hello").await.unwrap();
        assert_eq!(origin.heard().await.pop().unwrap(), "hello");
        assert_eq!((crossing.place.peer(), crossing.place.vetting()), (corporate.address, AddressVetting::Own));
        crossing.finish(Ending::of(ExecutionOutcome::Completed));
    }
    assert_eq!(bed.ends(3).await[0]["peer_ip"], "8.8.8.8");
}

#[tokio::test]
async fn a_forbidden_destination_is_not_asked_for() {
    let (bed, origin, names) = (Bed::new().await, Origin::start(b"").await, names().await);
    let corporate = Corporate::start(Answer::Tunnel(origin.address, GRANTED, 4096)).await;
    let upstream = UpstreamProxy::parse(&corporate.url()).unwrap();
    let strict = dialer(&names, GuardConfig::default(), upstream.clone());
    let fault = enter(&bed, &strict, "https://inside.test/").await.err().unwrap();
    assert_eq!((fault.code(), fault.http_status()), ("destination_denied", 403));
    assert_eq!(corporate.heads().await.len(), 0);
    let trusting = dialer(&names, trusting("inside.test", "10.0.0.0/8"), upstream);
    drop(enter(&bed, &trusting, "https://inside.test/").await.unwrap());
    assert_eq!(corporate.heads().await.len(), 1, "the control");
}

#[tokio::test]
async fn delegated_vetting_asks_by_name_and_says_so() {
    let (bed, origin, names) = (Bed::new().await, Origin::start(b"").await, names().await);
    let corporate = Corporate::start(Answer::Tunnel(origin.address, GRANTED, 4096)).await;
    let upstream = UpstreamProxy::parse(&corporate.url()).unwrap().danger_delegate_vetting();
    let dialer = dialer(&names, GuardConfig::default(), upstream);
    let (_stream, crossing) = enter(&bed, &dialer, "https://inside.test/").await.unwrap();
    assert!(corporate.heads().await[0].starts_with("CONNECT inside.test:443 HTTP/1.1\r\nHost: inside.test:443\r\n"));
    assert_eq!(names.count_all(), 0, "the name is the proxy's to resolve");
    crossing.finish(Ending::of(ExecutionOutcome::Completed));
    let end = bed.ends(1).await.remove(0);
    assert_eq!((&end["address_vetting"], end.get("peer_ip")), (&"delegated".into(), None));
    // What needs no DNS is vetted here even then.
    let fault = enter(&bed, &dialer, "https://sub.localhost/").await.err().unwrap();
    assert_eq!(fault.code(), "destination_denied");
    assert_eq!(corporate.heads().await.len(), 1);
}

#[tokio::test]
async fn excepted_hosts_go_without_it() {
    let (bed, origin) = (Bed::new().await, Origin::start(b"").await);
    let names = NameServer::start(|_| Say::addresses(60, &["127.0.0.1"])).await;
    let corporate = Corporate::start(Answer::Tunnel(origin.address, GRANTED, 4096)).await;
    let upstream = UpstreamProxy::parse(&corporate.url()).unwrap().except(NoProxy::parse(".direct.test"));
    let config = || {
        let mut config = trusting("a.direct.test", "127.0.0.0/8");
        config.trusted_upstreams.extend(trusting("a.other.test", "127.0.0.0/8").trusted_upstreams);
        config
    };
    let dialer = dialer(&names, config(), upstream);
    let port = origin.address.port();
    let (_stream, crossing) = enter(&bed, &dialer, &format!("http://a.direct.test:{port}/")).await.unwrap();
    assert_eq!(crossing.place.peer(), origin.address);
    assert_eq!(corporate.heads().await.len(), 0);
    drop(enter(&bed, &dialer, &format!("http://a.other.test:{port}/")).await.unwrap());
    assert_eq!(corporate.heads().await.len(), 1, "the control");
}

#[tokio::test]
async fn each_answer_has_its_code() {
    let (bed, names) = (Bed::new().await, names().await);
    let check = async |answer: Answer, want: UpstreamFault| {
        let corporate = Corporate::start(answer).await;
        let dialer = dialer(&names, GuardConfig::default(), UpstreamProxy::parse(&corporate.url()).unwrap());
        let got = enter(&bed, &dialer, "https://good.test/").await.map(|_| ());
        assert_eq!(got, Err(DialError::Upstream(want)), "{:?}", corporate.heads().await);
    };
    use UpstreamFault::*;
    check(Answer::Says("HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n"), Credentials).await;
    check(Answer::Says("HTTP/1.1 403 No\r\n\r\n"), Forbidden).await;
    check(Answer::Says("HTTP/1.1 302 Elsewhere\r\nLocation: http://x/\r\n\r\n"), Forbidden).await;
    check(Answer::Says("HTTP/1.0 503 Down\r\n\r\n"), Destination).await;
    check(Answer::Says("SSH-2.0-OpenSSH\r\n\r\n"), Malformed).await;
    check(Answer::Says("HTTP/1.1 200\r\nbad header\r\n\r\n"), Malformed).await;
    check(Answer::Says("HTTP/1.1 200 OK\r\n"), Silent).await;
    check(Answer::Nothing, Silent).await;
    check(Answer::Endless, Malformed).await;
    let provisional = "HTTP/1.1 100 Wait\r\n\r\n".repeat(5).leak();
    check(Answer::Says(provisional), Malformed).await;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let nobody = dialer(&names, GuardConfig::default(), UpstreamProxy::parse(&format!("http://{closed}")).unwrap());
    assert_eq!(enter(&bed, &nobody, "https://good.test/").await.map(|_| ()), Err(DialError::Upstream(Unreachable)));
}

#[tokio::test]
async fn a_provisional_answer_is_waited_out() {
    let (bed, origin, names) = (Bed::new().await, Origin::start(b"").await, names().await);
    let text = "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\n\r\n";
    let corporate = Corporate::start(Answer::Tunnel(origin.address, text, 4096)).await;
    let dialer = dialer(&names, GuardConfig::default(), UpstreamProxy::parse(&corporate.url()).unwrap());
    let (mut stream, _crossing) = enter(&bed, &dialer, "https://good.test/").await.unwrap();
    stream.write_all(b"hello").await.unwrap();
    assert_eq!(origin.heard().await, ["hello"]);
}

#[tokio::test]
async fn a_proxy_that_is_ourselves_is_refused() {
    let (bed, origin, names) = (Bed::new().await, Origin::start(b"").await, names().await);
    let corporate = Corporate::start(Answer::Tunnel(origin.address, GRANTED, 4096)).await;
    let dialer = dialer(&names, GuardConfig::default(), UpstreamProxy::parse(&corporate.url()).unwrap());
    drop(enter(&bed, &dialer, "https://good.test/").await.unwrap());
    dialer.guard().register_listener(corporate.address);
    assert_eq!(enter(&bed, &dialer, "https://good.test/").await.err().unwrap().code(), "destination_denied");
    assert_eq!(corporate.heads().await.len(), 1);
}

#[test]
fn what_is_written_is_read_and_secrets_stay() {
    let check = |text: &str, want: Result<(&str, u16), InvalidUpstream>| {
        let read = UpstreamProxy::parse(text);
        assert_eq!(read.as_ref().map(|proxy| (proxy.host(), proxy.port())), want.as_ref().map(|want| *want), "{text}");
    };
    check("http://proxy.corp:3128", Ok(("proxy.corp", 3128)));
    check("http://proxy.corp./", Ok(("proxy.corp", 80)));
    check("http://[2001:db8::1]:8080", Ok(("2001:db8::1", 8080)));
    check("http://jo:pw@10.0.0.1:8080", Ok(("10.0.0.1", 8080)));
    check("https://proxy.corp", Err(InvalidUpstream::Scheme));
    check("socks5://proxy.corp", Err(InvalidUpstream::Scheme));
    check("proxy.corp:3128", Err(InvalidUpstream::Scheme));
    check("http://proxy.corp/path", Err(InvalidUpstream::NotAUrl));
    check("", Err(InvalidUpstream::NotAUrl));
    check("http://a%3Ab:pw@proxy.corp", Err(InvalidUpstream::Credentials));
    check("http://a:p%0Aw@proxy.corp", Err(InvalidUpstream::Credentials));
    let shown = format!("{:?}", UpstreamProxy::parse("http://jo:hunter2@proxy.corp").unwrap());
    assert!(!shown.contains("hunter2") && !shown.contains("am86") && shown.contains("proxy.corp"), "{shown}");
}

#[tokio::test]
async fn an_address_the_proxy_does_not_reach_gives_way_to_the_next() {
    let (bed, origin, names) = (Bed::new().await, Origin::start(b"").await, names().await);
    let corporate = Corporate::start(Answer::SecondOnly(origin.address)).await;
    let dialer = dialer(&names, GuardConfig::default(), UpstreamProxy::parse(&corporate.url()).unwrap());
    let (mut stream, crossing) = enter(&bed, &dialer, "https://good.test/").await.unwrap();
    let asked: Vec<String> =
        corporate.heads().await.iter().map(|head| head.lines().next().unwrap().to_owned()).collect();
    assert_eq!(asked, ["CONNECT 8.8.8.8:443 HTTP/1.1", "CONNECT [2606:4700::1111]:443 HTTP/1.1"]);
    stream.write_all(b"hello").await.unwrap();
    assert_eq!(origin.heard().await, ["hello"]);
    assert_eq!(crossing.place.address(), Some("2606:4700::1111".parse().unwrap()));
}

#[tokio::test]
async fn another_exeat_decides_and_its_refusal_is_passed_on_as_it_is() {
    let (bed, names) = (Bed::new().await, names().await);
    let says = "HTTP/1.1 403 Blocked by exeat egr_1\r\nProxy-Status: exeat; error=http_request_denied; \
                details=\"policy_denies egr_1\"\r\nExeat-Decision: egr_1\r\nContent-Type: application/problem+json\r\n\
                X-Other: x\r\nContent-Length: 4\r\n\r\nbody";
    let corporate = Corporate::start(Answer::Says(says)).await;
    type Heard = (String, u16, Option<String>);
    let heard: Arc<Mutex<Vec<Heard>>> = Arc::default();
    let hears = Arc::clone(&heard);
    let upstream = UpstreamProxy::parse(&corporate.url()).unwrap().danger_decides(
        Duration::ZERO,
        Arc::new(move |host, port, decided| {
            hears.lock().unwrap().push((host.to_owned(), port, decided.id().map(str::to_owned)));
        }),
    );
    let dialer = dialer(&names, GuardConfig::default(), upstream);
    for (url, authority, inside) in
        [("https://good.test/", "good.test:443", false), ("http://good.test:8080/", "good.test:8080", true)]
    {
        let fault = enter(&bed, &dialer, url).await.map(|_| ()).unwrap_err();
        let DialError::Upstream(UpstreamFault::Decided(decided)) = fault else { panic!("{fault:?}") };
        assert_eq!(
            (decided.status, &*decided.phrase, &decided.body[..]),
            (403, "Blocked by exeat egr_1", &b"body"[..])
        );
        assert_eq!((decided.code(), decided.fields.get("x-other")), (Some("policy_denies"), None));
        let head = corporate.heads().await.pop().unwrap();
        assert!(head.starts_with(&format!("CONNECT {authority} ")), "by name, unresolved: {head}");
        assert_eq!(head.contains("exeat-inside: http\r\n"), inside, "{head}");
    }
    let told = heard.lock().unwrap().clone();
    assert_eq!(told[0], ("good.test".to_owned(), 443, Some("egr_1".to_owned())));
    assert_eq!(told.len(), 2);
}

#[tokio::test]
async fn what_waits_for_an_approval_is_asked_for_again_while_there_is_patience() {
    let (bed, names) = (Bed::new().await, names().await);
    let says = "HTTP/1.1 403 No\r\nProxy-Status: exeat; details=\"x egr_1\"\r\nExeat-Approval: appr_1\r\nContent-Length: 0\r\n\r\n";
    for (patience, asked) in [(Duration::ZERO, 1), (Duration::from_millis(1_500), 3)] {
        let corporate = Corporate::start(Answer::Says(says)).await;
        let upstream = UpstreamProxy::parse(&corporate.url()).unwrap().danger_decides(patience, Arc::new(|_, _, _| {}));
        let dialer = dialer(&names, GuardConfig::default(), upstream);
        assert!(enter(&bed, &dialer, "https://good.test/").await.is_err());
        assert_eq!(corporate.heads().await.len(), asked, "{patience:?}");
    }
}
