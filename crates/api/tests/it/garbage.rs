//! Whatever is sent: no 5xx, no panic, and the log stays whole.

use api::routes::ROUTES;
use model::Role;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::json;

use crate::app::App;

const QUICK: usize = 20_000;
const SLOW: usize = 100_000;
/// Set it to send all that the slow form sends.
const SLOW_VARIABLE: &str = "EXEAT_SLOW_TESTS";

#[derive(Debug, Clone)]
struct Request {
    method: &'static str,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        Just("unknown".to_owned()),
        Just("\u{0}".to_owned()),
        Just("../../etc/passwd".to_owned()),
        Just("' OR 1=1 --".to_owned()),
        Just("https://example.com/".to_owned()),
        Just("http://[::ffff:7f00:1]/".to_owned()),
        Just("external.write".to_owned()),
        Just("room_01ARZ3NDEKTSV4RRFFQ69G5FAV".to_owned()),
        Just("9".repeat(400)),
        Just("2026-13-45T99:99:99Z".to_owned()),
        "\\PC{0,40}",
        "[ -~]{0,300}",
    ]
}

fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("1e400".to_owned()),
        Just("-0".to_owned()),
        Just("9007199254740993".to_owned()),
        Just("99999999999999999999999999999999999999".to_owned()),
        Just("\"\\ud800\"".to_owned()),
        Just("\"a\\u0000b\"".to_owned()),
        any::<i64>().prop_map(|n| n.to_string()),
        any::<f64>().prop_map(|n| n.to_string()),
        text().prop_map(|t| json!(t).to_string()),
        (1..200_usize).prop_map(|n| format!("{}{}", "[".repeat(n), "]".repeat(n))),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec((member(), inner), 0..4).prop_map(object),
        ]
    })
}

fn object(members: Vec<(String, String)>) -> String {
    let members: Vec<String> = members.into_iter().map(|(name, value)| format!("{}:{value}", json!(name))).collect();
    format!("{{{}}}", members.join(","))
}

fn member() -> impl Strategy<Value = String> {
    let known = [
        "action",
        "actor_id",
        "actor_type",
        "active",
        "capability_token_id",
        "category",
        "context",
        "correlation_id",
        "decision",
        "display_name",
        "expires_at",
        "granted_by_principal_id",
        "issued_to_principal_id",
        "label",
        "method",
        "mode",
        "parent_token_id",
        "principal_id",
        "principal_type",
        "purpose_tags",
        "reason",
        "request",
        "required_approvals",
        "resource_id",
        "resource_type",
        "room_id",
        "run_id",
        "scope",
        "scopes",
        "step_id",
        "target_url",
        "title",
        "topic",
        "valid_until",
        "zone",
        "reversible",
        "zone_required",
        "default_decision",
        "egress_max_requests_per_hour",
        "token_id",
        "kind",
        "tool_name",
        "claim_token",
        "limit",
        "lease_seconds",
        "input",
        "output",
        "message",
        "error",
        "summary",
        "goal",
        "tags",
        "thread_id",
    ];
    prop_oneof![8 => prop::sample::select(known.to_vec()).prop_map(str::to_owned), 1 => text()]
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        10 => prop::collection::vec((member(), value()), 0..6).prop_map(|m| object(m).into_bytes()),
        2 => value().prop_map(String::into_bytes),
        2 => prop::collection::vec(any::<u8>(), 0..200),
        1 => Just(Vec::new()),
    ]
}

fn request() -> impl Strategy<Value = Request> {
    let methods = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE", "BREW"];
    let kinds =
        ["application/json", "text/plain", "application/x-www-form-urlencoded", "", "application/json; charset=x"];
    let names = [
        "limit",
        "cursor",
        "room_id",
        "event_type",
        "from_seq",
        "before",
        "status",
        "decision",
        "stream_id",
        "run_id",
        "step_id",
        "x",
    ];
    let escaped = text().prop_map(|t| url::form_urlencoded::byte_serialize(t.as_bytes()).collect::<String>());
    let raw = prop_oneof![8 => escaped, 1 => Just("%ff%00".to_owned()), 1 => Just("%".to_owned())].boxed();
    let pair = (prop::sample::select(names.to_vec()), raw.clone()).prop_map(|(name, value)| format!("{name}={value}"));
    (
        0..ROUTES.len(),
        prop_oneof![12 => Just(None), 1 => prop::sample::select(methods.to_vec()).prop_map(Some)],
        raw,
        prop::collection::vec(pair, 0..3),
        prop::sample::select(kinds.to_vec()),
        prop::option::weighted(0.1, "[ -~]{0,300}"),
        body(),
    )
        .prop_map(|(place, method, id, query, kind, header, body)| {
            let route = &ROUTES[place];
            let path = match route.path.split_once('{') {
                Some((before, rest)) => format!("{before}{id}{}", rest.split_once('}').unwrap().1),
                None => route.path.to_owned(),
            };
            let path = if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) };
            let mut headers = vec![("content-type", kind.to_owned())];
            if let Some(value) = header {
                headers.push(("idempotency-key", value.clone()));
                headers.push(("last-event-id", value.clone()));
                headers.push(("x-request-id", value));
            }
            let method = method.unwrap_or(if route.method == http::Method::GET {
                "GET"
            } else if route.method == http::Method::PUT {
                "PUT"
            } else {
                "POST"
            });
            Request { method, path, headers, body }
        })
}

#[test]
fn survives_garbage_requests() {
    let wanted = if std::env::var_os(SLOW_VARIABLE).is_some() { SLOW } else { QUICK };
    let app = App::start();
    let key = app.secret(Role::Owner);
    let mut control = app.client(Role::Owner);
    let mut good = |title: &str| control.post("/v1/rooms", &json!({ "title": title })).unwrap().status;
    assert_eq!(good("before"), 201);
    let workers: Vec<_> = (0..4_u8)
        .map(|seed| {
            let (key, address) = (key.clone(), app.address);
            std::thread::spawn(move || storm(seed, wanted / 4, &key, address))
        })
        .collect();
    let statuses = workers.into_iter().map(|worker| worker.join().unwrap()).fold([0_usize; 6], |mut all, one| {
        all.iter_mut().zip(one).for_each(|(sum, n)| *sum += n);
        all
    });
    println!("answers by class: {statuses:?}");
    assert_eq!(statuses[5], 0);
    assert_eq!(statuses.iter().sum::<usize>(), wanted / 4 * 4);
    // The storm got past the door and into the handlers, or it would prove nothing.
    assert!(statuses[2] > wanted / 50, "{statuses:?}");
    assert_eq!(good("after"), 201);
    assert!(app.log_is_whole());
}

/// Sends requests one after the other; gives how many answers of each class came.
fn storm(seed: u8, count: usize, key: &str, address: std::net::SocketAddr) -> [usize; 6] {
    let rng = proptest::test_runner::TestRng::from_seed(proptest::test_runner::RngAlgorithm::ChaCha, &[seed; 32]);
    let mut runner = TestRunner::new_with_rng(proptest::test_runner::Config::default(), rng);
    let strategy = request();
    let connect = || testkit::http::Client::new(address).bearer(key);
    let (mut client, mut classes) = (connect(), [0; 6]);
    for n in 0..count {
        let mut request = strategy.new_tree(&mut runner).unwrap().current();
        if n % 2_500 == 1_000 {
            request.body = vec![b' '; 2 << 20];
        }
        let headers: Vec<(&str, &str)> = request.headers.iter().map(|(n, v)| (*n, v.trim())).collect();
        let streams = request.path.starts_with("/v1/streams") && request.method == "GET";
        let status = if streams {
            // An open stream has no end to wait for; a refusal is an answer like any other.
            match connect().events(&request.path, &headers) {
                Ok(_open) => 200,
                Err(error) => refused_status(&format!("{error:#}")),
            }
        } else {
            let answer = client.send(request.method, &request.path, &headers, &request.body);
            answer.unwrap_or_else(|error| panic!("{request:?}: {error:#}")).status
        };
        assert!((200..500).contains(&status), "{status}: {request:?}");
        classes[usize::from(status / 100)] += 1;
    }
    classes
}

fn refused_status(message: &str) -> u16 {
    let digits = message.split("status ").nth(1).and_then(|rest| rest.get(..3)).unwrap_or_default();
    digits.parse().unwrap_or_else(|_| panic!("{message}"))
}
