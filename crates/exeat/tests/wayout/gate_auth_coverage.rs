//! The authentication gate at the proxy and in the worker: every wrong or too small credential × every carrier, and
//! every tool × every identity that may not. For whoever is refused no name is looked up and nothing is sent, which the
//! world around sees; the same ask by somebody who may arrives.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use http_body_util::Empty;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use testkit::exeat::Setup;

use crate::attacks::Since;
use crate::bed::{ANYWHERE, Bed, WORKSPACE, publish};
use crate::carrier::{Answer, read_socks_reply};
use crate::dns::Answer as Resolved;
use crate::network::inside;

/// Who may ask at the proxy, by hand: whoever acts. Those that decide or look on do not.
const MAY_ASK: [&str; 5] = ["owner", "operator", "gateway", "agent", "worker"];
const MAY_NOT: [&str; 2] = ["approver", "auditor"];

const HOST: &str = "good.test";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Carrier {
    AbsoluteForm,
    Connect,
    Socks,
    Http2,
    Http2Connect,
}

const CARRIERS: [Carrier; 5] =
    [Carrier::AbsoluteForm, Carrier::Connect, Carrier::Socks, Carrier::Http2, Carrier::Http2Connect];

/// What a client says about itself: fields of HTTP, and user and password of SOCKS.
struct Shown {
    what: &'static str,
    fields: Vec<(&'static str, String)>,
    login: Option<(String, String)>,
    query: String,
}

impl Shown {
    /// A credential in its place.
    fn of(what: &'static str, credential: &str) -> Self {
        Self::field(what, "proxy-authorization", &format!("Bearer {credential}"))
            .login("x".to_owned(), credential.to_owned())
    }

    fn field(what: &'static str, name: &'static str, value: &str) -> Self {
        Self { what, fields: vec![(name, value.to_owned())], login: None, query: String::new() }
    }

    fn login(mut self, user: String, password: String) -> Self {
        self.login = Some((user, password));
        self
    }
}

/// How an ask ended.
#[derive(Debug, PartialEq, Eq)]
enum Ended {
    /// Whoever asks is not known.
    Stranger,
    /// Known, and not let out.
    Denied,
    Arrived,
}

/// A connection from an address of its own, as there is a limit to the failures of one.
fn open(bed: &Bed, number: usize) -> TcpStream {
    let proxy = bed.way.proxy;
    let from = Ipv4Addr::from(0x7f01_0000 + u32::try_from(number).unwrap());
    let stream = bed.world.runtime().block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from((from, 0))).unwrap();
        socket.connect(proxy).await.unwrap().into_std().unwrap()
    });
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
}

fn ended(status: u16) -> Ended {
    match status {
        407 => Ended::Stranger,
        403 => Ended::Denied,
        200 => Ended::Arrived,
        other => panic!("answered {other}"),
    }
}

fn ask(bed: &Bed, carrier: Carrier, shown: &Shown, number: usize) -> Ended {
    let fields: String = shown.fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let mut stream = open(bed, number);
    match carrier {
        Carrier::AbsoluteForm => {
            let url = format!("http://{HOST}/once{}", shown.query);
            write!(stream, "GET {url} HTTP/1.1\r\nHost: {HOST}\r\n{fields}\r\n").unwrap();
            ended(Answer::read(&mut stream).unwrap().status)
        }
        Carrier::Connect => {
            write!(stream, "CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}:443\r\n{fields}\r\n").unwrap();
            ended(Answer::read_after(&mut stream, "CONNECT").unwrap().status)
        }
        Carrier::Socks => socks(&mut stream, shown),
        Carrier::Http2 | Carrier::Http2Connect => ended(http2(bed, carrier, shown, stream)),
    }
}

fn socks(stream: &mut TcpStream, shown: &Shown) -> Ended {
    let mut two = [0; 2];
    let Some((user, password)) = &shown.login else {
        stream.write_all(&[5, 1, 0]).unwrap();
        stream.read_exact(&mut two).unwrap();
        assert_eq!(two, [5, 0xff]);
        return Ended::Stranger;
    };
    stream.write_all(&[5, 1, 2]).unwrap();
    stream.read_exact(&mut two).unwrap();
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    stream.write_all(&[vec![1], text(user), text(password)].concat()).unwrap();
    stream.read_exact(&mut two).unwrap();
    if two != [1, 0] {
        return Ended::Stranger;
    }
    stream.write_all(&[&[5, 1, 0, 3][..], &text(HOST), &443_u16.to_be_bytes()].concat()).unwrap();
    match read_socks_reply(stream).unwrap() {
        0 => Ended::Arrived,
        2 => Ended::Denied,
        other => panic!("replied {other}"),
    }
}

fn http2(bed: &Bed, carrier: Carrier, shown: &Shown, stream: TcpStream) -> u16 {
    let (method, target) = match carrier {
        Carrier::Http2Connect => ("CONNECT", format!("{HOST}:443")),
        _ => ("GET", format!("http://{HOST}/once{}", shown.query)),
    };
    let mut request = hyper::Request::builder().method(method).uri(target).version(hyper::Version::HTTP_2);
    for (name, value) in &shown.fields {
        request = request.header(*name, value);
    }
    let request = request.body(Empty::<bytes::Bytes>::new()).unwrap();
    stream.set_nonblocking(true).unwrap();
    bed.world.runtime().block_on(async move {
        let stream = TokioIo::new(tokio::net::TcpStream::from_std(stream).unwrap());
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
        // Ends with the client.
        tokio::spawn(connection);
        let answer = tokio::time::timeout(Duration::from_secs(30), sender.send_request(request)).await;
        answer.unwrap().unwrap().status().as_u16()
    })
}

/// Keys and tokens of one test, made before anybody asks.
struct Credentials {
    good: Vec<Shown>,
    strangers: Vec<Shown>,
    denied: Vec<Shown>,
}

fn made_key(setup: &Setup, more: &[&str]) -> (String, String, String) {
    let made = setup.run_json(&[&["keys", "create", "--json"], more].concat()).unwrap();
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    (text("key"), text("key_id"), text("principal_id"))
}

fn revoke_principal(bed: &Bed, id: &str) {
    bed.owner().post(&format!("/v1/principals/{id}/revoke"), &json!({})).unwrap().expect(200).unwrap();
}

/// A token of all scopes that is `principal`'s, with its id.
fn token(bed: &Bed, principal: &str, valid_until: Option<&str>) -> (String, String) {
    let all = ["*"];
    let body = json!({"issued_to_principal_id": principal, "granted_by_principal_id": principal,
        "valid_until": valid_until,
        "scopes": {"rooms": all, "tools": all, "egress_domains": all, "action_types": all,
            "data_access": {"read": all, "write": all}}});
    let made = bed.owner().post("/v1/capabilities/grant", &body).unwrap().expect(201).unwrap();
    (made["token"].as_str().unwrap().to_owned(), made["token_id"].as_str().unwrap().to_owned())
}

fn minted(bed: &Bed, key: &str, seconds: u64) -> String {
    let mut client = bed.server.client().bearer(key);
    let made = client.post("/v1/proxy/credentials", &json!({"expires_in_s": seconds})).unwrap().expect(201).unwrap();
    made["credential"].as_str().unwrap().to_owned()
}

fn credentials(bed: &Bed) -> Credentials {
    let key = |role: &str| made_key(&bed.setup, &["--role", role, "--workspace", WORKSPACE]);
    let (asker, _, principal) = key("agent");
    let mut good: Vec<Shown> = MAY_ASK.iter().map(|role| Shown::of("a role that may", &key(role).0)).collect();
    good.push(Shown::of("a credential made for the proxy", &minted(bed, &asker, 600)));
    good.push(Shown::of("a capability token", &token(bed, &principal, None).0));

    let mut strangers: Vec<Shown> = MAY_NOT.iter().map(|role| Shown::of("a role that may not", &key(role).0)).collect();
    let (revoked, revoked_id, _) = key("agent");
    let (orphan, _, gone) = key("gateway");
    let (orphan_token, orphan_minted) = (token(bed, &gone, None).0, minted(bed, &orphan, 600));
    let revoked_minted = minted(bed, &revoked, 600);
    bed.setup.run_json(&["keys", "revoke", &revoked_id, "--json"]).unwrap();
    revoke_principal(bed, &gone);
    let (expired, _, _) = made_key(&bed.setup, &["--role", "agent", "--workspace", WORKSPACE, "--expires", "1s"]);
    let (short, dead_token) = (minted(bed, &asker, 1), token(bed, &principal, Some("2020-01-01T00:00:00Z")).0);
    let (revoked_token, token_id) = token(bed, &principal, None);
    bed.owner().post("/v1/capabilities/revoke", &json!({"token_id": token_id})).unwrap().expect(200).unwrap();
    std::thread::sleep(Duration::from_millis(1_300));
    let (front, _) = asker.rsplit_once('_').unwrap();
    for (what, text) in [
        ("garbage", "exk_garbage".to_owned()),
        ("another secret", format!("{front}_{}", "A".repeat(43))),
        ("a truncated key", asker[..asker.len() - 1].to_owned()),
        ("an expired key", expired),
        ("a revoked key", revoked),
        ("a key of a revoked principal", orphan),
        ("a token of a revoked principal", orphan_token),
        ("a proxy credential of a revoked principal", orphan_minted),
        ("a proxy credential of a revoked key", revoked_minted),
        ("an expired proxy credential", short),
        ("an expired token", dead_token),
        ("a revoked token", revoked_token),
        ("a proxy credential with a changed seal", format!("{}A", minted(bed, &asker, 600))),
    ] {
        strangers.push(Shown::of(what, &text));
    }
    strangers.push(Shown { what: "nothing", fields: Vec::new(), login: None, query: String::new() });
    for (what, name, value) in [
        ("in the field of the origin", "authorization", format!("Bearer {asker}")),
        ("in a cookie", "cookie", format!("key={asker}")),
        ("with another scheme", "proxy-authorization", format!("Digest {asker}")),
        ("with no scheme", "proxy-authorization", asker.clone()),
    ] {
        strangers.push(Shown::field(what, name, &value));
    }
    strangers.push(Shown { query: format!("?key={asker}"), ..Shown::field("in the query", "x-key", &asker) });
    strangers.push(Shown { fields: Vec::new(), ..Shown::of("as the user", "").login(asker.clone(), "y".into()) });

    let elsewhere = made_key(&bed.setup, &["--role", "agent", "--workspace", "ws_elsewhere"]).0;
    let denied = vec![Shown::of("a key of another workspace", &elsewhere)];
    Credentials { good, strangers, denied }
}

#[test]
fn gate_auth_coverage_at_the_proxy() {
    inside(module_path!(), "gate_auth_coverage_at_the_proxy", || {
        let bed = Bed::make(ANYWHERE);
        bed.world.names.say(HOST, vec![Resolved::of(&["45.79.7.1"])]);
        let Credentials { good, strangers, denied } = credentials(&bed);
        let (before, mut cases) = (bed.newest(), 0);
        for carrier in CARRIERS {
            for shown in &strangers {
                cases += 1;
                let since = Since::now(&bed);
                assert_eq!(ask(&bed, carrier, shown, cases), Ended::Stranger, "{} by {carrier:?}", shown.what);
                since.assert_nothing(shown.what);
            }
            for shown in &denied {
                cases += 1;
                let since = Since::now(&bed);
                assert_eq!(ask(&bed, carrier, shown, cases), Ended::Denied, "{} by {carrier:?}", shown.what);
                since.assert_nothing(shown.what);
            }
        }
        assert_eq!(bed.newest(), before, "nothing was asked for");
        assert_eq!(cases, CARRIERS.len() * (strangers.len() + denied.len()));
        // The control: the same by those who may.
        let mut arrived = 0;
        for carrier in CARRIERS {
            for shown in &good {
                arrived += 1;
                assert_eq!(ask(&bed, carrier, shown, 0), Ended::Arrived, "{} by {carrier:?}", shown.what);
            }
        }
        assert!(bed.world.names.asked(HOST) > 0 && bed.newest()["policy_decision"] == "allow");
        println!("auth-coverage: {cases} refusals at the proxy by {} carriers, {arrived} controls", CARRIERS.len());
    });
}

#[test]
fn gate_auth_coverage_at_the_unix_socket() {
    inside(module_path!(), "gate_auth_coverage_at_the_unix_socket", || {
        let bed = Bed::make(ANYWHERE);
        bed.world.names.say(HOST, vec![Resolved::of(&["45.79.7.1"])]);
        let dir = tempfile::tempdir().unwrap();
        let (key, _, mine) = made_key(&bed.setup, &["--role", "agent", "--workspace", WORKSPACE]);
        let gone = made_key(&bed.setup, &["--role", "agent", "--workspace", WORKSPACE]).2;
        revoke_principal(&bed, &gone);
        // This process is user 0 of its own name space.
        let cases = [
            ("another user is listed", format!("1={WORKSPACE}/{mine}"), 403, false),
            ("the principal was revoked", format!("0={WORKSPACE}/{gone}"), 403, false),
            ("a principal that there is not", format!("0={WORKSPACE}/nobody"), 403, false),
            ("the user is listed", format!("0={WORKSPACE}/{mine}"), 200, true),
        ];
        for (number, (what, peers, status, arrives)) in cases.iter().enumerate() {
            let path = dir.path().join(format!("{number}.sock"));
            let server = Setup::with_binary(env!("CARGO_BIN_EXE_exeat").into(), &bed.store.url())
                .unwrap()
                .env("POLICY_ENFORCEMENT_MODE", "enforce")
                .env("EXEAT_EGRESS_HOLD_SECONDS", "0")
                .env("EXEAT_DNS", &bed.world.name_server().to_string())
                .env("EXEAT_PROXY_UNIX", path.to_str().unwrap())
                .env("EXEAT_PROXY_PEERS", peers)
                .start()
                .unwrap();
            // A good key does not help where the user counts.
            let fields = if *arrives { String::new() } else { format!("Proxy-Authorization: Bearer {key}\r\n") };
            let mark = bed.world.arrived.mark();
            let asked = bed.world.names.asked(HOST);
            let mut stream = UnixStream::connect(&path).unwrap();
            write!(stream, "GET http://{HOST}/once HTTP/1.1\r\nHost: {HOST}\r\n{fields}\r\n").unwrap();
            let answer = Answer::read(&mut stream).unwrap();
            assert_eq!(answer.status, *status, "{what}: {}", answer.text());
            assert_eq!(bed.world.arrived.since(mark).is_empty(), !arrives, "{what}");
            assert_eq!(bed.world.names.asked(HOST) > asked, *arrives, "{what}: a name was looked up");
            drop(server);
        }
        println!("auth-coverage: {} users of a unix socket, 1 of them let out", cases.len());
    });
}

/// What a run names as its authority, and why it is refused; none is the control.
fn authorities(bed: &Bed) -> Vec<(&'static str, Value, Option<&'static str>)> {
    let key = || made_key(&bed.setup, &["--role", "agent", "--workspace", WORKSPACE]).2;
    let (mine, other, gone) = (key(), key(), key());
    let good = token(bed, &mine, None).1;
    let expired = token(bed, &mine, Some("2020-01-01T00:00:00Z")).1;
    let (revoked, gone_token) = (token(bed, &mine, None).1, token(bed, &gone, None).1);
    bed.owner().post("/v1/capabilities/revoke", &json!({"token_id": revoked})).unwrap().expect(200).unwrap();
    revoke_principal(bed, &gone);
    let foreign = made_key(&bed.setup, &["--role", "agent", "--workspace", "ws_elsewhere"]).2;
    let narrow = json!({"issued_to_principal_id": mine, "granted_by_principal_id": mine, "scopes": {}});
    let narrow = bed.owner().post("/v1/capabilities/grant", &narrow).unwrap().expect(201).unwrap()["token_id"].clone();
    let with = |principal: &str, token: Value| json!({"principal_id": principal, "capability_token_id": token});
    vec![
        ("a revoked token", with(&mine, json!(revoked)), Some("capability_token_revoked")),
        ("an expired token", with(&mine, json!(expired)), Some("capability_token_expired")),
        ("no token there is", with(&mine, json!("nothing")), Some("capability_token_not_found")),
        ("somebody else's token", with(&other, json!(good)), Some("capability_token_principal_mismatch")),
        ("a token without scopes", with(&mine, narrow), Some("capability_scope_tool_required")),
        ("a token of a revoked principal", with(&gone, json!(gone_token)), Some("principal_revoked")),
        ("a revoked principal", json!({"principal_id": gone}), Some("principal_revoked")),
        ("a principal of another workspace", json!({"principal_id": foreign}), Some("principal_not_found")),
        ("no principal there is", json!({"principal_id": "nobody"}), Some("principal_not_found")),
        ("a good token", with(&mine, json!(good)), None),
    ]
}

/// Tools that really send something.
const SENDING: [&str; 2] = ["http.request", "process.exec"];

/// What a tool is called with so that it does something. Every tool has a line: a new one fails here until it is known.
fn input(tool: &str) -> Value {
    match tool {
        "runtime.noop" => json!({}),
        "egress.request" => json!({"target_url": format!("http://{HOST}/once")}),
        "http.request" => json!({"url": format!("http://{HOST}/once")}),
        "process.exec" => json!({"argv": ["curl", "-sS", format!("http://{HOST}/once")], "network": {}}),
        other => panic!("nobody said how `{other}` is refused"),
    }
}

#[test]
fn gate_auth_coverage_of_every_tool() {
    inside(module_path!(), "gate_auth_coverage_of_every_tool", || {
        let bed = Bed::make_with(ANYWHERE, |setup| setup.env("RUN_WORKER_EMBEDDED", "false"));
        bed.world.names.say(HOST, vec![Resolved::of(&["45.79.7.1"])]);
        let (mut refused, mut done) = (0, 0);
        for (what, policy, code) in authorities(&bed) {
            for tool in &runs::plan::Tool::ALL {
                let tool = tool.name();
                let since = Since::now(&bed);
                let mark = bed.world.arrived.mark();
                let steps = json!([{"tool": tool, "input": input(tool)}]);
                let body = json!({"input": {"runtime": {"policy": policy, "steps": steps}}});
                let run = bed.owner().post("/v1/runs", &body).unwrap().expect(201).unwrap();
                bed.setup.run_json(&["worker", "--once", "--json"]).unwrap();
                let path = format!("/v1/runs/{}", run["run_id"].as_str().unwrap());
                let run = bed.owner().get(&path).unwrap().expect(200).unwrap()["run"].clone();
                if let Some(code) = code {
                    assert_eq!(run["status"], "failed", "{what}: {tool}: {run}");
                    let error = &run["error"];
                    assert_eq!(
                        (&error["stage"], &error["reason_code"]),
                        (&json!("tool_policy"), &json!(code)),
                        "{run}"
                    );
                    since.assert_nothing(what);
                    refused += 1;
                } else {
                    assert_eq!(run["status"], "succeeded", "{what}: {tool}: {run}");
                    let arrived = bed.world.arrived.requests(mark).len();
                    assert_eq!(arrived, usize::from(SENDING.contains(&tool)), "{tool}: {run}");
                    done += 1;
                }
            }
        }
        println!("auth-coverage: {refused} refusals of {} tools, {done} controls", runs::plan::Tool::ALL.len());
    });
}

#[test]
fn gate_auth_coverage_of_a_policy_that_somebody_else_wrote() {
    inside(module_path!(), "gate_auth_coverage_of_a_policy_that_somebody_else_wrote", || {
        // What another workspace allows itself lets nobody else out.
        let bed = Bed::make("[[deny]]\nid = \"none\"\nhost = \"*\"\n");
        bed.world.names.say(HOST, vec![Resolved::of(&["45.79.7.1"])]);
        let (owner, _, _) = made_key(&bed.setup, &["--role", "owner", "--workspace", "ws_elsewhere"]);
        let (theirs, _, _) = made_key(&bed.setup, &["--role", "agent", "--workspace", "ws_elsewhere"]);
        publish(&mut bed.server.client().bearer(&owner), ANYWHERE);
        for carrier in CARRIERS {
            let mine = Shown::of("mine", &bed.way.key);
            let since = Since::now(&bed);
            assert_eq!(ask(&bed, carrier, &mine, 0), Ended::Denied, "{carrier:?}");
            since.assert_nothing("denied here");
            assert_eq!(ask(&bed, carrier, &Shown::of("theirs", &theirs), 0), Ended::Arrived, "{carrier:?}");
        }
        println!("auth-coverage: {} carriers keep workspaces apart", CARRIERS.len());
    });
}
