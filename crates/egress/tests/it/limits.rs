//! Too much of something.

use std::time::Duration;

use serde_json::json;

use crate::bed::{Plan, allow};
use crate::origin::Origin;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tunnels_are_counted_and_given_back() {
    let origin = Origin::echoing().await;
    let mut plan = Plan::new(&allow("one.test", "")).name("one.test", 443, origin.address);
    plan.config.limits.tunnels_max = 2;
    let bed = plan.start().await;
    let first = bed.connect("one.test:443").await;
    let _second = bed.connect("one.test:443").await;
    let (mut third, answer) = bed.connect("one.test:443").await;
    assert_eq!((answer.status(), answer.field("retry-after")), (429, Some("1")), "{}", answer.head);
    assert_eq!(bed.egress_events().await.iter().filter(|kind| *kind == "egress.requested").count(), 2);
    drop(first);
    bed.outcome(0).await;
    third.answer_body(&answer).await;
    third.send(format!("CONNECT one.test:443 HTTP/1.1\r\nHost: x\r\n{}\r\n", bed.authorization())).await;
    assert!(third.head().await.starts_with("HTTP/1.1 200"), "the control");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_of_an_hour_end() {
    let origin = Origin::serving(|mut peer| async move {
        peer.head().await;
        peer.send(format!("HTTP/1.1 200 OK\r\nContent-Length: 4096\r\n\r\n{}", "x".repeat(4096))).await;
        peer.head().await;
    })
    .await;
    let mut plan = Plan::new(&allow("one.test", "")).name("one.test", 80, origin.address);
    plan.config.limits.bytes_per_hour = 6_000;
    let bed = plan.start().await;
    let mut client = bed.client().await;
    for status in [200, 200, 429] {
        let answer = client.ask(bed.get("one.test")).await;
        assert_eq!(answer.status(), status, "{}", answer.head);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_guesses_is_slowed_down_and_who_knows_is_not() {
    let origin = Origin::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
    let mut plan = Plan::new(&allow("one.test", "")).name("one.test", 80, origin.address);
    plan.config.limits.failed_logins_per_minute = 3;
    let bed = plan.start().await;
    let mut statuses = Vec::new();
    for _ in 0..5 {
        let mut client = bed.client().await;
        let guess = "GET http://one.test/ HTTP/1.1\r\nHost: x\r\nProxy-Authorization: Bearer guess\r\n\r\n";
        statuses.push(client.ask(guess).await.status());
    }
    assert_eq!(statuses, [407, 407, 407, 429, 429]);
    assert_eq!(bed.client().await.ask(bed.get("one.test")).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_beyond_the_limit_are_closed() {
    let origin = Origin::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
    let mut plan = Plan::new(&allow("one.test", "")).name("one.test", 80, origin.address);
    plan.config.limits.connections_max = 3;
    let bed = plan.start().await;
    let mut silent = Vec::new();
    for _ in 0..3 {
        silent.push(bed.client().await);
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut fourth = bed.client().await;
    assert!(fourth.rest().await.is_empty());
    silent.pop();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(bed.client().await.ask(bed.get("one.test")).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_ambiguous_is_refused_and_nothing_goes_out() {
    let origin = Origin::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
    let bed = Plan::new(&allow("one.test", "")).name("one.test", 80, origin.address).start().await;
    let auth = bed.authorization();
    for (request, code) in [
        ("GET http://one.test/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n", "host_field_twice"),
        (
            "POST http://one.test/ HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n",
            "two_framings",
        ),
        ("GET https://one.test/ HTTP/1.1\r\nHost: a\r\n", "https_absolute_form"),
        ("GET http://u@one.test/ HTTP/1.1\r\nHost: a\r\n", "userinfo"),
        ("GET / HTTP/1.1\r\nHost: one.test\r\n", "origin_form"),
        ("GET http://one.test/ HTTP/1.1\r\nHost: a\r\nX : 1\r\n", "space_before_colon"),
        ("CONNECT one.test HTTP/1.1\r\nHost: a\r\n", "port_missing"),
    ] {
        let mut client = bed.client().await;
        let answer = client.ask(format!("{request}{auth}\r\n")).await;
        assert_eq!((answer.status(), &answer.json()["error"]), (400, &json!(code)), "{request}");
        assert!(client.rest().await.is_empty(), "closed");
    }
    let mut client = bed.client().await;
    let chunk = format!("POST http://one.test/ HTTP/1.1\r\nHost: a\r\n{auth}Transfer-Encoding: chunked\r\n\r\nxyz\r\n");
    assert_eq!(client.ask(chunk).await.json()["error"], json!("chunk_size"));
    let looped =
        format!("GET http://one.test/ HTTP/1.1\r\nHost: a\r\n{auth}Via: {}\r\n\r\n", ["1.1 exeat"; 9].join(","));
    let answer = bed.client().await.ask(looped).await;
    assert_eq!((answer.status(), &answer.json()["error"]), (502, &json!("proxy_loop_detected")));
    assert_eq!((origin.connections(), bed.egress_events().await.len()), (0, 0));
    assert_eq!(bed.client().await.ask(bed.get("one.test")).await.status(), 200, "the control");
}
