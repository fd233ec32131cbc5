//! Every trick, against the binary: nothing arrives where it must not, the client is told why, the record says so, and
//! an honest sibling of each trick arrives.

mod bytes;
mod hello;
mod literals;
mod names;
mod unasked;

use std::io::{ErrorKind, Read as _};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};

use crate::bed::Bed;
use crate::carrier::{Answer, NoTunnel};
use crate::watch::{Kind, Sent};

/// How an ask is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    Plain,
    Http2,
    Connect,
    Socks,
    Api,
}

pub const ALL: [Carrier; 5] = [Carrier::Plain, Carrier::Http2, Carrier::Connect, Carrier::Socks, Carrier::Api];
/// Those that really send something.
pub const SENDING: [Carrier; 4] = [Carrier::Plain, Carrier::Http2, Carrier::Connect, Carrier::Socks];

impl Carrier {
    /// The port that this carrier goes to by itself.
    pub fn port(self) -> u16 {
        if matches!(self, Self::Plain | Self::Http2 | Self::Api) { 80 } else { 443 }
    }
}

/// What a client was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// The origin answered, from this address.
    Arrived(SocketAddr),
    /// Allowed by the API, which sends nothing.
    Allowed,
    /// Refused: the status of HTTP or the reply of SOCKS, and the code where the carrier shows one.
    Refused { status: u16, code: String },
    /// Closed without a word.
    Cut(String),
}

/// Puts an ask and carries it through: one request on a connection of its own, over TLS where the port is 443.
pub fn ask(bed: &Bed, carrier: Carrier, host: &str, name: &str) -> Told {
    let port = carrier.port();
    let tunnel = match carrier {
        Carrier::Plain => {
            return match bed.way.get(&format!("http://{host}/once")) {
                Ok(answer) if answer.status == 200 => arrived(&answer.text()),
                Ok(answer) => refused(bed, &answer),
                Err(error) => Told::Cut(error.to_string()),
            };
        }
        Carrier::Http2 => {
            let answer = bed.way.http2(bed.world.runtime(), "GET", &format!("http://{host}/once"));
            return if answer.status == 200 { arrived(&answer.text()) } else { refused(bed, &answer) };
        }
        Carrier::Api => {
            let body = json!({"target_url": format!("http://{host}/once"), "action": "external.read", "method": "GET"});
            let answer = bed.asker().post("/v1/egress/requests", &body).unwrap();
            let json = answer.json().unwrap();
            return match (answer.status, json["decision"].as_str()) {
                (201, Some("allow")) => Told::Allowed,
                (201, Some(_)) => Told::Refused { status: 403, code: text(&json["reason_code"]) },
                (status, _) => Told::Refused { status, code: text(&json["error"]) },
            };
        }
        Carrier::Connect => bed.way.connect(&format!("{host}:{port}")),
        Carrier::Socks => match host.trim_matches(['[', ']']).parse::<Ipv6Addr>() {
            Ok(address) => bed.way.socks_address(address.into(), port),
            Err(_) => bed.way.socks(host, port),
        },
    };
    match tunnel.map(|tunnel| bed.tls.get(tunnel, name, "/once")) {
        Ok(Ok(answer)) if answer.status == 200 => arrived(&answer.text()),
        Ok(Ok(answer)) => panic!("an origin that answers {}", answer.status),
        Ok(Err(error)) => Told::Cut(error.to_string()),
        Err(NoTunnel::Http(answer)) => refused(bed, &answer),
        Err(NoTunnel::Socks(code)) => Told::Refused { status: code.into(), code: String::new() },
        Err(NoTunnel::Broken(error)) => Told::Cut(error.to_string()),
    }
}

/// Every refusal of a decision names its record, also where clients show nothing but the reason phrase.
fn refused(bed: &Bed, answer: &Answer) -> Told {
    if answer.status == 403 {
        let id = answer.id().unwrap();
        // HTTP/2 has no reason phrase.
        assert!(answer.phrase == format!("Blocked by exeat {id}") || answer.phrase.is_empty());
        assert_eq!(bed.newest()["egress_request_id"], id);
        assert!(answer.header("proxy-status").is_some_and(|value| value.starts_with("exeat; error=")));
    }
    Told::Refused { status: answer.status, code: answer.code() }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The origin says where it was reached.
fn arrived(said: &str) -> Told {
    let at = said.strip_prefix("arrived at ").and_then(|rest| rest.split(' ').next());
    Told::Arrived(at.and_then(|at| at.parse().ok()).unwrap_or_else(|| panic!("no origin says {said:?}")))
}

/// What a refusal of a decision looks like on each carrier.
pub fn denied(carrier: Carrier, code: &str) -> Told {
    match carrier {
        Carrier::Socks => Told::Refused { status: 2, code: String::new() },
        _ => Told::Refused { status: 403, code: code.to_owned() },
    }
}

/// Reads a tunnel to its end; fails when it does not end. What was said is nothing, or an alert of TLS that says why.
pub fn assert_cut(mut tunnel: TcpStream, what: &str) {
    tunnel.set_read_timeout(Some(Duration::from_secs(12))).unwrap();
    let mut said = Vec::new();
    let ended = tunnel.read_to_end(&mut said);
    let timed_out = matches!(&ended, Err(error) if error.kind() == ErrorKind::WouldBlock);
    assert!(!timed_out, "{what} is cut");
    assert!(matches!(said.as_slice(), [] | [0x15, 3, _, 0, 2, 2, _]), "{what}: {said:?} came back");
}

/// A moment, to see what was sent since.
pub struct Since<'a> {
    bed: &'a Bed,
    watched: usize,
    intruded: usize,
    questions: usize,
}

impl<'a> Since<'a> {
    pub fn now(bed: &'a Bed) -> Self {
        let world = &bed.world;
        let (watched, intruded) = (world.watch.mark(), world.intruded.mark());
        Self { bed, watched, intruded, questions: world.names.questions().len() }
    }

    /// Where connections and datagrams were sent that are neither the test's own to exeat nor questions for names.
    pub fn sent(&self) -> Vec<SocketAddr> {
        let own = [self.bed.way.proxy, self.bed.server.address()];
        let all = self.bed.world.watch.since(self.watched).into_iter();
        all.filter(|sent| {
            !(sent.kind == Kind::Tcp && own.contains(&sent.to) || sent.to == self.bed.world.name_server())
        })
        .map(|Sent { to, .. }| SocketAddr::new(to.ip().to_canonical(), to.port()))
        .collect()
    }

    /// How many questions were asked for names.
    pub fn asked(&self) -> usize {
        self.bed.world.names.questions().len() - self.questions
    }

    /// Nothing at all went anywhere, and nobody was asked for a name.
    pub fn assert_nothing(&self, what: &str) {
        self.assert_nothing_sent(what);
        assert_eq!(self.asked(), 0, "{what}: a name server was asked");
    }

    /// Nothing went anywhere but to the name server.
    pub fn assert_nothing_sent(&self, what: &str) {
        assert_eq!(self.sent(), [], "{what}: something was sent");
        assert!(self.bed.world.intruded.since(self.intruded).is_empty(), "{what}: it reached the machine itself");
    }

    /// Everything that was sent went to this address.
    pub fn assert_only(&self, to: IpAddr, what: &str) {
        let sent = self.sent();
        assert!(!sent.is_empty() && sent.iter().all(|sent| sent.ip() == to), "{what}: sent to {sent:?}");
    }
}

/// The record of the newest request says that it was blocked, and why; its events say so too.
pub fn assert_blocked(bed: &Bed, code: &str, what: &str) {
    let record = bed.newest();
    assert_eq!(record["policy_reason_code"], code, "{what}: {record}");
    assert_eq!(record["blocked"], true, "{what}: {record}");
    let events = bed.events(&record);
    let kinds: Vec<&str> = events.iter().filter_map(|event| event["event_type"].as_str()).collect();
    assert!(kinds.contains(&"egress.requested") && kinds.contains(&"egress.blocked"), "{what}: {kinds:?}");
    assert!(!kinds.contains(&"egress.allowed") && !kinds.contains(&"egress.completed"), "{what}: {kinds:?}");
    let blocked = events.iter().find(|event| event["event_type"] == "egress.blocked").unwrap();
    assert_eq!(blocked["data"]["reason_code"], code, "{what}");
}

/// The newest request was allowed, and its end says this.
pub fn assert_ended(bed: &Bed, outcome: &str, code: Option<&str>, what: &str) {
    let record = bed.newest();
    assert_eq!(record["policy_decision"], "allow", "{what}: {record}");
    let end = bed.completed(&record);
    assert_eq!(end["outcome"], outcome, "{what}: {end}");
    assert_eq!(end["error_code"].as_str(), code, "{what}: {end}");
}
