//! One ask, one decision, whichever way it is put.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::bed::Bed;
use crate::carrier::{Answer, NoTunnel};
use crate::dns::Answer as Resolved;
use crate::network::inside;

/// A way to put an ask; those of one family put the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Carrier {
    Plain,
    Http2,
    Upgrade,
    InsideConnect,
    InsideSocks,
    Run,
    Api,
    Connect,
    Socks,
    Http2Connect,
    TunnelOfTheApi,
}

use Carrier::{
    Api, Connect, Http2, Http2Connect, InsideConnect, InsideSocks, Plain, Run, Socks, TunnelOfTheApi, Upgrade,
};

/// Requests that everybody can read, to port 80.
const REQUESTS: [Carrier; 7] = [Plain, Http2, Upgrade, InsideConnect, InsideSocks, Run, Api];
/// Tunnels.
const TUNNELS: [Carrier; 4] = [Connect, Socks, Http2Connect, TunnelOfTheApi];

/// What was decided, and on what.
#[derive(Debug, Clone, PartialEq)]
struct Verdict {
    decision: Value,
    reason_code: Value,
    blocked: Value,
    action: Value,
    method: Value,
    target_domain: Value,
    target_url: Value,
}

impl Verdict {
    fn of(record: &Value) -> Self {
        Self {
            decision: record["policy_decision"].clone(),
            reason_code: record["policy_reason_code"].clone(),
            blocked: record["blocked"].clone(),
            action: record["action"].clone(),
            method: record["method"].clone(),
            target_domain: record["target_domain"].clone(),
            target_url: record["target_url"].clone(),
        }
    }
}

/// Puts the ask and returns its record, and whether the client was let through.
fn put(bed: &Bed, carrier: Carrier, method: &str, host: &str, port: u16) -> (Value, bool) {
    let before = bed.newest()["egress_request_id"].clone();
    let url = if port == 80 { format!("http://{host}/once") } else { format!("http://{host}:{port}/once") };
    let inner = format!("{method} /once HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let answered = |answer: Answer| answer.status < 400;
    let tunnelled = |tunnel: Result<std::net::TcpStream, NoTunnel>| match tunnel {
        Ok(_) => true,
        Err(NoTunnel::Http(answer)) if answer.status == 403 => false,
        Err(NoTunnel::Socks(2)) => false,
        Err(other) => panic!("{carrier:?} to {host}:{port}: {other:?}"),
    };
    let passed = match carrier {
        Plain => answered(bed.way.send(method, &url, "", b"").unwrap()),
        Http2 => bed.way.http2(bed.world.runtime(), method, &url).status < 400,
        Upgrade => {
            let fields = "Connection: Upgrade\r\nUpgrade: echo\r\n";
            answered(bed.way.send(method, &url, fields, b"").unwrap())
        }
        InsideConnect | InsideSocks => {
            let tunnel = match carrier {
                InsideConnect => bed.way.connect(&format!("{host}:{port}")),
                _ => bed.way.socks(host, port),
            };
            let mut tunnel = tunnel.unwrap();
            tunnel.write_all(inner.as_bytes()).unwrap();
            answered(Answer::read_after(&mut tunnel, method).unwrap())
        }
        Run => run(bed, method, &url),
        Api | TunnelOfTheApi => {
            let (url, method) = match carrier {
                Api => (url.clone(), method),
                _ => (format!("https://{host}:{port}/"), "CONNECT"),
            };
            let action = if ["GET", "HEAD", "OPTIONS"].contains(&method) { "external.read" } else { "external.write" };
            let body = json!({"target_url": url, "action": action, "method": method});
            let answer = bed.asker().post("/v1/egress/requests", &body).unwrap().expect(201).unwrap();
            answer["decision"] == "allow"
        }
        Connect => tunnelled(bed.way.connect(&format!("{host}:{port}"))),
        Socks => tunnelled(bed.way.socks(host, port)),
        Http2Connect => bed.way.http2(bed.world.runtime(), "CONNECT", &format!("{host}:{port}")).status < 400,
    };
    let record = bed.newest();
    assert_ne!(record["egress_request_id"], before, "{carrier:?}: {method} {url} leaves a record");
    (record, passed)
}

/// The ask of a run, with its tool that sends requests; returns whether it went through.
fn run(bed: &Bed, method: &str, url: &str) -> bool {
    let mut owner = bed.owner();
    let principal = bed.asker_principal();
    let input = json!({"runtime": {"http": {"url": url, "method": method}, "policy": {"principal_id": principal}}});
    let made = owner.post("/v1/runs", &json!({"input": input})).unwrap().expect(201).unwrap();
    let path = format!("/v1/runs/{}", made["run_id"].as_str().unwrap());
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let run = owner.get(&path).unwrap().expect(200).unwrap()["run"].clone();
        match run["status"].as_str() {
            Some("succeeded") => return true,
            Some("failed") => return false,
            _ => assert!(Instant::now() < deadline, "the run ends: {run}"),
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Numbers that look random and are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

const HOSTS: [&str; 5] = ["a.test", "b.test", "x.a.test", "c.test", "45.79.6.9"];
const METHODS: [&str; 4] = ["GET", "HEAD", "POST", "DELETE"];

/// A handful of rules about hosts, methods, ports, schemes, paths and actions.
fn rules(numbers: &mut Numbers) -> String {
    let mut text = String::new();
    for id in 0..2 + numbers.below(5) {
        let effect = numbers.pick(&["allow", "allow", "deny", "ask"]);
        text.push_str(&format!("[[{effect}]]\nid = \"r{id}\"\n"));
        let host = numbers.pick(&["a.test", "*.a.test", "b.test", "*", "*.test", "45.79.6.9"]);
        text.push_str(&format!("host = \"{host}\"\n"));
        let mut sometimes = |line: &str| {
            if numbers.below(4) == 0 {
                text.push_str(line);
            }
        };
        sometimes("method = [\"GET\", \"CONNECT\"]\n");
        sometimes("scheme = \"http\"\n");
        sometimes("action = \"external.read\"\n");
        sometimes("port = [80, 443]\n");
        sometimes("path = \"/once\"\n");
    }
    text
}

const SETS: usize = 14;

#[test]
fn the_same_ask_gets_the_same_decision_on_every_carrier() {
    inside(module_path!(), "the_same_ask_gets_the_same_decision_on_every_carrier", || {
        let bed = Bed::make("");
        bed.world.names.otherwise(Resolved::of(&["45.79.6.9"]));
        let (mut numbers, mut compared, mut seen) = (Numbers(7), 0, BTreeMap::<String, usize>::new());
        for _ in 0..SETS {
            let rules = rules(&mut numbers);
            bed.publish(&rules);
            for _ in 0..3 {
                let (host, method) = (numbers.pick(&HOSTS), numbers.pick(&METHODS));
                for (family, method, port) in [(&REQUESTS[..], method, 80), (&TUNNELS[..], "CONNECT", 443)] {
                    let (first, first_passed) = put(&bed, family[0], method, host, port);
                    let want = Verdict::of(&first);
                    *seen.entry(want.reason_code.to_string()).or_default() += 1;
                    assert_eq!(first_passed, want.decision == "allow", "{:?}: {first}", family[0]);
                    for &carrier in &family[1..] {
                        let (record, passed) = put(&bed, carrier, method, host, port);
                        let what = format!("{method} {host}:{port} by {carrier:?} under\n{rules}");
                        assert_eq!(Verdict::of(&record), want, "{what}");
                        assert_eq!(passed, first_passed, "{what}");
                        compared += 1;
                    }
                }
            }
        }
        println!("{compared} asks decided alike: {seen:?}");
        assert_eq!(compared, SETS * 3 * (REQUESTS.len() + TUNNELS.len() - 2));
        assert!(seen.len() >= 4, "asks of many kinds: {seen:?}");
    });
}
