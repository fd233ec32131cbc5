//! Clients and origins that do not do what is expected of them.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::bed::{Plan, allow};
use crate::origin::{Client, Origin};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_heads_end_and_others_do_not_notice() {
    let origin = Origin::answering(OK).await;
    let mut plan =
        Plan::new(&allow("one.test", "")).name("one.test", 80, origin.address).name("one.test", 443, origin.address);
    plan.config.timeouts.head = Duration::from_millis(400);
    plan.config.timeouts.first_flight = Duration::from_millis(400);
    plan.config.timeouts.keep_alive = Duration::from_millis(600);
    let bed = plan.start().await;
    let began = Instant::now();
    let mut slow = Vec::new();
    for first in ["", "G", "GET http://one.test/ HTTP/1.1\r\nHo", "PRI * HT", "\u{5}", "\u{5}\u{1}\u{2}"] {
        let mut client = bed.client().await;
        client.send(first).await;
        slow.push(client);
    }
    let (tunnel, _) = bed.connect("one.test:443").await;
    slow.push(tunnel);
    let mut good = bed.client().await;
    assert_eq!(good.ask(bed.get("one.test")).await.status(), 200, "others are served");
    for mut client in slow {
        client.rest().await;
    }
    assert!(good.rest().await.is_empty(), "nothing more was asked on it");
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
    assert_eq!(bed.outcome(1).await["error_code"], json!("not_tls"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_origin_that_does_not_answer_or_answers_nonsense_is_told_about() {
    let origin = Origin::serving(|mut peer| async move {
        let head = peer.head().await.unwrap();
        match head.split(' ').nth(1).unwrap() {
            "/silent" => drop(peer.some().await),
            "/closes" => {}
            "/nonsense" => peer.send("220 mail.test ESMTP\r\n\r\n").await,
            "/unasked" => {
                peer.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n").await;
            }
            _ => peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nbroken").await,
        }
    })
    .await;
    let mut plan = Plan::new(&allow("one.test", "")).name("one.test", 80, origin.address);
    plan.config.timeouts.answer = Duration::from_millis(500);
    let bed = plan.start().await;
    for (n, (path, status, error)) in [
        ("/silent", 504, "response_timeout"),
        ("/closes", 502, "no_answer"),
        ("/nonsense", 502, "invalid_response"),
        ("/unasked", 502, "invalid_response"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut client = bed.client().await;
        let answer = client.ask(bed.get("one.test").replace("one.test/", &format!("one.test{path}"))).await;
        assert_eq!((answer.status(), &answer.json()["error"]), (status, &json!(error)), "{path}");
        assert!(answer.json()["decision_id"].as_str().unwrap().starts_with("egr_"), "{path}");
        assert_eq!(bed.outcome(n).await["error_code"], json!(error), "{path}");
    }
    let mut client = bed.client().await;
    client.send(bed.get("one.test")).await;
    assert!(client.head().await.starts_with("HTTP/1.1 200"));
    assert_eq!(client.rest().await, b"broken", "cut short, so that the client sees it");
    assert_eq!(bed.outcome(4).await["error_code"], json!("response_broken"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_never_reads_holds_the_origin_back() {
    let origin = Origin::serving(|mut peer| async move {
        peer.head().await;
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n").await;
        let mut sent = 0_usize;
        while sent < 64 * 1024 * 1024 {
            let part = tokio::time::timeout(Duration::from_secs(1), peer.send(vec![b'x'; 65_536])).await;
            if part.is_err() {
                // Held back: this is what the test waits for.
                return std::future::pending().await;
            }
            sent += 65_536;
        }
        panic!("everything was taken although nobody read it");
    })
    .await;
    let bed = Plan::new(&allow("one.test", "")).name("one.test", 80, origin.address).start().await;
    let mut client = bed.client().await;
    client.send(bed.get("one.test")).await;
    assert!(client.head().await.starts_with("HTTP/1.1 200"));
    tokio::time::sleep(Duration::from_secs(2)).await;
    drop(client);
    let outcome = bed.outcome(0).await;
    assert!(outcome["bytes_down"].as_u64().unwrap() < 48 * 1024 * 1024, "{outcome}");
    assert_eq!(outcome["outcome"], json!("failed"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pipelined_requests_are_answered_in_order() {
    let origin = Origin::serving(|mut peer| async move {
        while let Some(head) = peer.head().await {
            let path = head.split(' ').nth(1).unwrap();
            peer.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{path}", path.len())).await;
        }
    })
    .await;
    let bed = Plan::new(&allow("one.test", "path = \"/ok\"\n")).name("one.test", 80, origin.address).start().await;
    let mut client = bed.client().await;
    let head = format!("HTTP/1.1\r\nHost: one.test\r\n{}", bed.authorization());
    let all: String = ["/ok/1", "/no/2", "/ok/3"].map(|path| format!("GET http://one.test{path} {head}\r\n")).concat();
    client.send(all + &format!("POST http://one.test/ok/4 {head}Content-Length: 1\r\n\r\nx")).await;
    for want in [Some("/ok/1"), None, Some("/ok/3")] {
        let answer = client.answer().await;
        match want {
            Some(path) => assert_eq!((answer.status(), answer.text().as_str()), (200, path)),
            None => assert_eq!(answer.status(), 403),
        }
    }
    assert_eq!(client.answer().await.text(), "/ok/4");
    assert!(!origin.got().contains("/no/2"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expectations_reach_the_origin_and_its_word_the_client() {
    let origin = Origin::serving(|mut peer| async move {
        while let Some(head) = peer.head().await {
            assert!(head.contains("expect: 100-continue"), "{head}");
            if head.contains("/unwanted") {
                peer.send("HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n").await;
                continue;
            }
            peer.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n").await;
            peer.until(b"body").await;
            peer.send(OK).await;
        }
    })
    .await;
    let bed = Plan::new(&allow("one.test", "")).name("one.test", 80, origin.address).start().await;
    let head = format!("Host: one.test\r\n{}Content-Length: 4\r\nExpect: 100-continue\r\n\r\n", bed.authorization());
    let mut client = bed.client().await;
    client.send(format!("POST http://one.test/ HTTP/1.1\r\n{head}")).await;
    assert!(client.head().await.starts_with("HTTP/1.1 103 "));
    assert!(client.head().await.starts_with("HTTP/1.1 100 "));
    client.send("body").await;
    assert_eq!(client.answer().await.text(), "ok");
    // The same connection goes on.
    client.send(format!("POST http://one.test/unwanted HTTP/1.1\r\n{head}")).await;
    let answer = client.answer().await;
    assert_eq!((answer.status(), answer.field("connection")), (417, Some("close")));
    // A refusal never asks for the body.
    let mut client = bed.client().await;
    let answer = client.ask(format!("POST http://shut.test/ HTTP/1.1\r\n{head}")).await;
    assert_eq!((answer.status(), answer.field("connection")), (403, Some("close")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_connections_cost_nobody_else_anything() {
    let origin = Origin::answering(OK).await;
    let bed = Plan::new(&allow("one.test", "")).name("one.test", 80, origin.address).start().await;
    let mut silent: Vec<Client> = Vec::new();
    for _ in 0..300 {
        silent.push(bed.client().await);
    }
    let mut client = bed.client().await;
    for _ in 0..20 {
        assert_eq!(client.ask(bed.get("one.test")).await.status(), 200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_in_the_middle_of_a_body_cuts_both_sides() {
    let origin = Origin::serving(|mut peer| async move {
        peer.head().await;
        while peer.some().await.is_some() {}
    })
    .await;
    let bed = Plan::new(&allow("one.test", "")).name("one.test", 80, origin.address).start().await;
    let mut client = bed.client().await;
    let head = format!("POST http://one.test/ HTTP/1.1\r\nHost: x\r\n{}", bed.authorization());
    client.send(format!("{head}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    client.send("zz\r\n").await;
    let answer = client.answer().await;
    assert_eq!((answer.status(), &answer.json()["error"]), (400, &json!("chunk_size")));
    assert!(client.rest().await.is_empty());
    let outcome = bed.outcome(0).await;
    assert_eq!((&outcome["outcome"], &outcome["error_code"]), (&json!("failed"), &json!("chunk_size")));
    assert!(!origin.got().ends_with("0\r\n\r\n"), "the origin was not told that this was all: {}", origin.got());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_recorded_does_not_go_out() {
    let origin = Origin::answering(OK).await;
    let bed = Plan::new(&allow("one.test", ""))
        .name("one.test", 80, origin.address)
        .name("one.test", 443, origin.address)
        .start()
        .await;
    assert_eq!(bed.client().await.ask(bed.get("one.test")).await.status(), 200, "the control");
    bed.gate.close_gateway().await;
    let answer = bed.client().await.ask(bed.get("one.test")).await;
    assert_eq!((answer.status(), &answer.json()["error"]), (503, &json!("event_log_failure")));
    assert!(answer.field("retry-after").is_some());
    let (_, tunnel) = bed.connect("one.test:443").await;
    assert_eq!(tunnel.status(), 503);
    assert_eq!(origin.connections(), 1);
}
