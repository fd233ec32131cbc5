//! The same ask gets the same decision, whatever it comes in by.

use bytes::Bytes;
use gate::EgressInput;
use http_body_util::Empty;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use crate::bed::{Bed, Plan};
use crate::carriers::{http2, socks};
use crate::origin::Origin;

const HOSTS: [&str; 3] = ["a.test", "b.a.test", "c.test"];
const POLICIES: usize = 12;

/// One rule; what it says is chosen at random.
fn rule() -> impl Strategy<Value = String> {
    let effect = prop_oneof![3 => Just("allow"), 1 => Just("deny"), 1 => Just("ask")];
    let host = prop_oneof![Just("a.test"), Just("*.a.test"), Just("b.a.test"), Just("c.test")];
    let more = prop_oneof![
        3 => Just(""),
        1 => Just("method = \"GET\"\n"),
        1 => Just("method = \"CONNECT\"\n"),
        1 => Just("port = 443\n"),
        1 => Just("port = 80\n"),
        1 => Just("path = \"/p\"\n"),
        1 => Just("scheme = \"http\"\n"),
        1 => Just("action = \"external.read\"\n"),
    ];
    (effect, host, more).prop_map(|(effect, host, more)| format!("[[{effect}]]\nhost = \"{host}\"\n{more}"))
}

fn policy() -> impl Strategy<Value = String> {
    prop::collection::vec(rule(), 1..6).prop_map(|rules| {
        let numbered =
            rules.iter().enumerate().map(|(n, rule)| rule.replacen("]]\n", &format!("]]\nid = \"r{n}\"\n"), 1));
        numbered.collect()
    })
}

/// What the last ask was decided as.
async fn last(bed: &Bed) -> String {
    let events = bed.events().await;
    let decided = events.iter().rev().find(|e| ["egress.allowed", "egress.blocked"].contains(&e.event_type.as_str()));
    let decided = decided.expect("a decision");
    let data = decided.data.to_value();
    let reason = data["reason_code"].as_str().unwrap_or_else(|| panic!("no reason: {data}"));
    format!("{} {reason}", decided.event_type)
}

async fn api(bed: &Bed, url: &str, method: &str, action: &str) -> String {
    let caller = bed.gate.authenticate(&bed.key, None, "req_2").await.unwrap();
    let input = EgressInput {
        target_url: Some(url.to_owned()),
        method: Some(method.to_owned()),
        action: Some(action.to_owned()),
        ..EgressInput::default()
    };
    bed.gate.request_egress(&caller, input, None).await.unwrap();
    last(bed).await
}

fn plain(host: &str, line: &str, more: &str) -> String {
    format!("{line} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n")
}

async fn by_http2(bed: &Bed, method: &str, uri: String) -> String {
    let request = http::Request::builder()
        .method(method)
        .uri(uri)
        .header("proxy-authorization", format!("Bearer {}", bed.key))
        .body(Empty::<Bytes>::new())
        .unwrap();
    let _answer = http2(bed).await.send_request(request).await.unwrap();
    last(bed).await
}

/// A plain request by every carrier.
async fn requests(bed: &Bed, host: &str) -> Vec<(&'static str, String)> {
    let url = format!("http://{host}/p");
    let mut all = vec![("api", api(bed, &url, "GET", "external.read").await)];
    let mut client = bed.client().await;
    client.ask(plain(host, &format!("GET {url}"), &bed.authorization())).await;
    all.push(("absolute", last(bed).await));
    let (mut client, _) = bed.connect(&format!("{host}:80")).await;
    client.ask(plain(host, "GET /p", "")).await;
    all.push(("inside connect", last(bed).await));
    let (mut client, _) = socks(bed, host, 80, &bed.key).await;
    client.ask(plain(host, "GET /p", "")).await;
    all.push(("inside socks", last(bed).await));
    all.push(("http/2", by_http2(bed, "GET", url).await));
    all
}

/// A WebSocket by every carrier.
async fn sockets(bed: &Bed, host: &str) -> Vec<(&'static str, String)> {
    let url = format!("http://{host}/p");
    let upgrade = "Connection: upgrade\r\nUpgrade: websocket\r\n";
    let mut all = vec![("api", api(bed, &url, "GET", "external.write").await)];
    let mut client = bed.client().await;
    client.ask(plain(host, &format!("GET {url}"), &(bed.authorization() + upgrade))).await;
    all.push(("absolute", last(bed).await));
    let (mut client, _) = bed.connect(&format!("{host}:80")).await;
    client.ask(plain(host, "GET /p", upgrade)).await;
    all.push(("inside connect", last(bed).await));
    all
}

/// A tunnel by every carrier.
async fn tunnels(bed: &Bed, host: &str) -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    let _open = bed.connect(&format!("{host}:443")).await;
    all.push(("connect", last(bed).await));
    let _open = socks(bed, host, 443, &bed.key).await;
    all.push(("socks", last(bed).await));
    all.push(("http/2", by_http2(bed, "CONNECT", format!("{host}:443")).await));
    all.push(("api", api(bed, &format!("https://{host}/"), "CONNECT", "external.write").await));
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_ask_gets_the_same_decision_on_every_carrier() {
    let http = Origin::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
    let any = Origin::echoing().await;
    let mut plan = Plan::new("");
    for host in HOSTS {
        plan = plan.name(host, 80, http.address).name(host, 443, any.address);
    }
    let bed = plan.start().await;
    let mut runner = TestRunner::deterministic();
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..POLICIES {
        let text = policy().new_tree(&mut runner).unwrap().current();
        bed.publish(&text).await;
        let host = prop::sample::select(&HOSTS[..]).new_tree(&mut runner).unwrap().current();
        for answers in [requests(&bed, host).await, sockets(&bed, host).await, tunnels(&bed, host).await] {
            let (_, first) = &answers[0];
            assert!(answers.iter().all(|(_, each)| each == first), "{host}\n{answers:#?}\n{text}");
            seen.insert(first.clone());
        }
    }
    assert!(seen.len() >= 3, "the policies say different things: {seen:?}");
}
