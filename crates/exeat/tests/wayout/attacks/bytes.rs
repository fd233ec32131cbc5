//! The tables of `crates/wire/vectors`, sent to the binary: what the readers refuse, nobody else hears of.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::json;

use super::{Since, assert_cut, assert_ended};
use crate::bed::{ANYWHERE, Bed};
use crate::carrier::{Answer, NoTunnel, read_socks_reply};
use crate::dns::Answer as Resolved;
use crate::network::inside;
use crate::origin::What;

#[derive(Debug, Deserialize)]
struct Vector {
    name: String,
    carrier: String,
    bytes: String,
    expect: Expect,
    host: Option<String>,
    port: Option<u16>,
    code: Option<String>,
    status: Option<u16>,
    target: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Expect {
    Accepted,
    Refused,
}

impl Vector {
    fn all(text: &str) -> Vec<Self> {
        serde_json::from_str(text).unwrap()
    }

    /// The bytes that are meant: `\r`, `\n`, `\t`, `\\` and `\xNN` stand for one; other characters for one each, or
    /// for those of UTF-8 where the carrier is the API.
    fn raw(&self) -> Vec<u8> {
        let (mut bytes, mut chars) = (Vec::new(), self.bytes.chars());
        while let Some(c) = chars.next() {
            if c != '\\' {
                match u8::try_from(u32::from(c)).ok().filter(|_| self.carrier != "api") {
                    Some(byte) => bytes.push(byte),
                    None => bytes.extend(c.to_string().as_bytes()),
                }
                continue;
            }
            bytes.push(match chars.next().unwrap() {
                'r' => b'\r',
                'n' => b'\n',
                't' => b'\t',
                '\\' => b'\\',
                'x' => u8::from_str_radix(&chars.by_ref().take(2).collect::<String>(), 16).unwrap(),
                other => panic!("\\{other} in {}", self.name),
            });
        }
        bytes
    }

    /// Where an accepted one leads: the address, or the public one of all names.
    fn address(&self) -> IpAddr {
        self.host.as_ref().unwrap().parse().unwrap_or_else(|_| GOOD.parse().unwrap())
    }

    fn is_forbidden(&self) -> bool {
        self.address() != GOOD.parse::<IpAddr>().unwrap()
    }

    fn place(&self) -> SocketAddr {
        SocketAddr::new(self.address(), self.port.unwrap())
    }
}

/// What every name resolves to here.
const GOOD: &str = "45.79.3.1";

fn bed() -> Bed {
    let bed = Bed::make(ANYWHERE);
    bed.world.names.otherwise(Resolved::of(&[GOOD]).ttl(0));
    bed
}

fn count(refused: usize, accepted: usize, at_least: usize, what: &str) {
    println!("{what}: {refused} tricks refused, {accepted} honest ones passed");
    assert!(refused >= at_least && accepted > 0);
}

/// What comes back on a connection, as far as something does.
fn read(mut stream: TcpStream, method: &str) -> Option<Answer> {
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    Answer::read_after(&mut stream, method).ok()
}

/// A request as it is, but with a credential behind its first line.
fn with_credential(bytes: &[u8], line: &str) -> Vec<u8> {
    let own = b"Proxy-Authorization: Basic eDp5\r\n";
    let start = bytes.iter().take_while(|&&b| b == b'\r' || b == b'\n').count();
    if let Some(at) = bytes.windows(own.len()).position(|window| window == own) {
        return [&bytes[..at], line.as_bytes(), &bytes[at + own.len()..]].concat();
    }
    match bytes[start..].windows(2).position(|window| window == b"\r\n") {
        Some(at) => [&bytes[..start + at + 2], line.as_bytes(), &bytes[start + at + 2..]].concat(),
        None => bytes.to_vec(),
    }
}

/// Faults of a body behind its first chunk size: the head may have left when they show.
const LATE: [&str; 3] = ["chunk data", "chunk last", "chunk trailer"];

fn http(text: &str, at_least: usize, connect: bool) {
    let bed = bed();
    let (mut refused, mut accepted) = (0, 0);
    for vector in Vector::all(text) {
        let late = vector.expect == Expect::Refused && LATE.iter().any(|late| vector.name.starts_with(late));
        if late {
            // The one before may still be arriving.
            std::thread::sleep(Duration::from_millis(100));
        }
        let (name, since, arrived) = (&vector.name, Since::now(&bed), bed.world.arrived.mark());
        let before = bed.newest()["egress_request_id"].clone();
        let mut bytes = with_credential(&vector.raw(), &bed.way.credential());
        if vector.name == "128 fields" {
            // The credential is one of them.
            bytes = String::from_utf8(bytes).unwrap().replacen("X-0: a\r\n", "", 1).into_bytes();
        }
        let mut stream = bed.way.open();
        // It may be refused, and closed, before all of it is sent.
        let _sent = stream.write_all(&bytes);
        let answer = read(stream, if connect { "CONNECT" } else { "GET" });
        let status = answer.as_ref().map_or(0, |answer| answer.status);
        let code = answer.as_ref().map(Answer::code).unwrap_or_default();
        let what = format!("{name}: {status} {code}");
        match vector.expect {
            Expect::Accepted if vector.is_forbidden() => {
                assert_eq!((status, code.as_str()), (403, "destination_denied"), "{what}");
                since.assert_nothing(&what);
                refused += 1;
            }
            Expect::Accepted => {
                if connect {
                    // A tunnel to port 80 is plain HTTP, and goes out with its first request.
                    let sent = if vector.port == Some(80) { vec![] } else { vec![vector.place()] };
                    assert_eq!(since.sent(), sent, "{what}");
                    assert!(status == 200 || !crate::origin::PORTS.contains(&vector.port.unwrap()), "{what}");
                } else {
                    assert!(since.sent().iter().all(|sent| *sent == vector.place()), "{what}: {:?}", since.sent());
                    assert!(matches!(status, 200 | 101), "{what}");
                    let requests = bed.world.arrived.requests(arrived);
                    let (at, request) = requests.last().unwrap();
                    assert_eq!(*at, vector.place(), "{what}");
                    assert_eq!(request.header("host"), [vector.host.as_deref().unwrap()], "{what}");
                    assert!(request.header("proxy-authorization").is_empty(), "{what}: {request:?}");
                }
                accepted += 1;
            }
            Expect::Refused if late => {
                // The answer to a cut request may be the origin's own complaint about half a body, never a success.
                assert!(status != 200 && (status == 0 || status >= 400), "{what}");
                let requests = bed.world.arrived.requests(arrived);
                assert!(requests.len() <= 1, "{what}: one request, and nothing smuggled behind it: {requests:?}");
                refused += 1;
            }
            Expect::Refused => {
                assert_eq!(Some(code), vector.code, "{what}");
                assert_eq!(Some(status), vector.status, "{what}");
                assert_eq!(bed.newest()["egress_request_id"], before, "{what}: what cannot be read asks for nothing");
                since.assert_nothing(&what);
                refused += 1;
            }
        }
    }
    count(refused, accepted, at_least, if connect { "CONNECT" } else { "plain" });
}

#[test]
fn plain_requests() {
    inside(module_path!(), "plain_requests", || http(include_str!("../../../../wire/vectors/http.json"), 300, false));
}

#[test]
fn connect_requests() {
    inside(module_path!(), "connect_requests", || {
        http(include_str!("../../../../wire/vectors/connect.json"), 120, true);
    });
}

#[test]
fn socks_requests() {
    inside(module_path!(), "socks_requests", || {
        let bed = bed();
        let (mut refused, mut accepted) = (0, 0);
        for vector in Vector::all(include_str!("../../../../wire/vectors/socks.json")) {
            let (since, login) = (Since::now(&bed), bed.way.socks_login());
            let bytes = vector.raw();
            // The tables were written for a reader that asks nobody who he is.
            let bytes = match bytes.strip_prefix(&[5, 1, 0]) {
                Some(rest) if bytes.len() > 3 => [&[5, 1, 2], login.as_slice(), rest].concat(),
                _ => replace(&bytes, b"\x03key", &login[3..]),
            };
            let mut stream = bed.way.open();
            stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            let _sent = stream.write_all(&bytes);
            let mut said = [0; 4];
            let login = stream.read_exact(&mut said);
            let reply = login.ok().filter(|()| said == [5, 2, 1, 0]).and_then(|()| read_socks_reply(&mut stream).ok());
            let what = format!("{}: {reply:?} {said:?}", vector.name);
            match vector.expect {
                Expect::Accepted if vector.is_forbidden() => {
                    assert_eq!(reply, Some(2), "{what}");
                    since.assert_nothing(&what);
                    refused += 1;
                }
                Expect::Accepted => {
                    assert!(since.sent().contains(&vector.place()), "{what}: {:?}", since.sent());
                    let want = if vector.port == Some(443) { 0 } else { 5 };
                    assert_eq!(reply, Some(want), "{what}");
                    accepted += 1;
                }
                Expect::Refused => {
                    assert!(reply != Some(0), "{what}");
                    since.assert_nothing(&what);
                    refused += 1;
                }
            }
        }
        count(refused, accepted, 42, "SOCKS");
    });
}

fn replace(bytes: &[u8], what: &[u8], with: &[u8]) -> Vec<u8> {
    match bytes.windows(what.len()).position(|window| window == what) {
        Some(at) => [&bytes[..at], with, &bytes[at + what.len()..]].concat(),
        None => bytes.to_vec(),
    }
}

/// Plain HTTP inside a tunnel to port 80: read as strictly, and bound to the target of the tunnel.
#[test]
fn requests_inside_tunnels() {
    inside(module_path!(), "requests_inside_tunnels", || {
        let bed = bed();
        let (mut refused, mut accepted) = (0, 0);
        for vector in Vector::all(include_str!("../../../../wire/vectors/tunnel.json")) {
            let arrived = bed.world.arrived.mark();
            let mut tunnel = bed.way.connect("origin.test:80").unwrap();
            let _sent = tunnel.write_all(&vector.raw());
            let answer = read(tunnel, "GET");
            let status = answer.as_ref().map_or(0, |answer| answer.status);
            let (what, requests) = (format!("{}: {status}", vector.name), bed.world.arrived.requests(arrived));
            if vector.expect == Expect::Accepted && vector.host.as_deref() == Some("origin.test") {
                assert!(matches!(status, 200 | 101), "{what}");
                assert_eq!(requests.len(), 1, "{what}");
                assert_eq!(requests[0].1.header("host"), ["origin.test"], "{what}");
                accepted += 1;
            } else {
                assert!(requests.is_empty(), "{what}: {requests:?}");
                assert!(status == 0 || (400..500).contains(&status), "{what}");
                refused += 1;
            }
        }
        count(refused, accepted, 18, "inside tunnels");
    });
}

#[test]
fn first_flights() {
    inside(module_path!(), "first_flights", || {
        let bed = bed();
        let (mut refused, mut accepted) = (0, 0);
        for vector in Vector::all(include_str!("../../../../wire/vectors/tls.json")) {
            // The tables use addresses for documentation, which are forbidden here.
            let target = vector.target.as_ref().unwrap();
            let target = target.replace("192.0.2.1", GOOD).replace("[2001:db8::1]", "[2600:3c00::3]");
            let arrived = bed.world.arrived.mark();
            let mut tunnel = match bed.way.connect(&target) {
                Ok(tunnel) => tunnel,
                Err(NoTunnel::Http(answer)) => panic!("{}: {} {}", vector.name, answer.status, answer.text()),
                Err(other) => panic!("{}: {other:?}", vector.name),
            };
            let _sent = tunnel.write_all(&vector.raw());
            tunnel.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
            let came = |arrived| {
                let all = bed.world.arrived.since(arrived);
                all.into_iter().filter(|each| !matches!(each.what, What::Connected)).collect::<Vec<_>>()
            };
            if vector.expect == Expect::Accepted {
                // The origin judges it too, by rules of its own.
                let _answered = tunnel.read(&mut [0; 16]);
                let deadline = Instant::now() + Duration::from_secs(5);
                while came(arrived).is_empty() {
                    assert!(Instant::now() < deadline, "{} arrives", vector.name);
                    std::thread::sleep(Duration::from_millis(10));
                }
                accepted += 1;
                continue;
            }
            assert_cut(tunnel, &vector.name);
            assert!(came(arrived).is_empty(), "{}: {:?}", vector.name, came(arrived));
            let code = if vector.code.as_deref() == Some("sni_mismatch") { "sni_mismatch" } else { "not_tls" };
            assert_ended(&bed, "cut", Some(code), &vector.name);
            refused += 1;
        }
        count(refused, accepted, 60, "first flights");
    });
}

/// The API reads a target as strictly as the proxy does.
#[test]
fn targets_of_the_api() {
    inside(module_path!(), "targets_of_the_api", || {
        let bed = bed();
        let (mut refused, mut accepted) = (0, 0);
        let mut asker = bed.asker();
        for vector in Vector::all(include_str!("../../../../wire/vectors/api.json")) {
            let since = Since::now(&bed);
            let target = String::from_utf8(vector.raw()).unwrap();
            let body = json!({"target_url": target, "action": "external.read", "method": "GET"});
            let answer = asker.post("/v1/egress/requests", &body).unwrap();
            let json = answer.json().unwrap();
            let what = format!("{}: {json}", vector.name);
            match vector.expect {
                Expect::Refused => {
                    assert_eq!(answer.status, 400, "{what}");
                    refused += 1;
                }
                Expect::Accepted if vector.is_forbidden() => {
                    assert_eq!(
                        (&json["decision"], &json["reason_code"]),
                        (&json!("deny"), &json!("destination_denied"))
                    );
                    refused += 1;
                }
                Expect::Accepted => {
                    assert_eq!(json["decision"], "allow", "{what}");
                    assert_eq!(json["target_domain"].as_str(), vector.host.as_deref(), "{what}");
                    accepted += 1;
                }
            }
            since.assert_nothing(&what);
        }
        count(refused, accepted, 114, "the API");
    });
}
