//! What goes on for longer than a moment.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::bed::{Plan, allow};
use crate::origin::Origin;
use crate::tunnels::hello;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_longer_allowed_is_cut_within_a_second() {
    let tls = Origin::echoing().await;
    let slow = Origin::serving(|mut peer| async move {
        peer.head().await;
        peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n").await;
        let _ = peer.some().await;
    })
    .await;
    let rules = allow("one.test", "") + &allow("two.test", "");
    let bed = Plan::new(&rules)
        .name("one.test", 443, tls.address)
        .name("two.test", 443, tls.address)
        .name("one.test", 80, slow.address)
        .start()
        .await;
    let (mut one, _) = bed.connect("one.test:443").await;
    let (mut two, _) = bed.connect("two.test:443").await;
    for (client, name) in [(&mut one, "one.test"), (&mut two, "two.test")] {
        let hello = hello(name);
        client.send(&hello).await;
        assert_eq!(client.exactly(hello.len()).await, hello);
    }
    let mut stream = bed.client().await;
    stream.send(bed.get("one.test")).await;
    assert!(stream.head().await.starts_with("HTTP/1.1 200"));
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    bed.publish(&allow("two.test", "")).await;
    let began = Instant::now();
    assert!(one.rest().await.is_empty());
    assert!(!stream.rest().await.ends_with(b"0\r\n\r\n"), "cut, not ended");
    assert!(began.elapsed() < Duration::from_millis(1_500), "{:?}", began.elapsed());
    for n in 0..2 {
        let outcome = bed.outcome(n).await;
        assert_eq!((&outcome["outcome"], &outcome["error_code"]), (&json!("cut"), &json!("policy_changed")));
    }
    // The control: what is still allowed goes on.
    two.send("more").await;
    assert_eq!(two.exactly(4).await, b"more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopping_ends_what_rests_at_once_and_cuts_what_lasts_too_long() {
    let tls = Origin::echoing().await;
    let slow = Origin::serving(|mut peer| async move {
        peer.head().await;
        tokio::time::sleep(Duration::from_millis(400)).await;
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
        let _ = peer.some().await;
    })
    .await;
    let mut plan =
        Plan::new(&allow("one.test", "")).name("one.test", 443, tls.address).name("one.test", 80, slow.address);
    plan.config.drain = Duration::from_millis(800);
    let bed = plan.start().await;
    let mut idle = bed.client().await;
    let (mut tunnel, _) = bed.connect("one.test:443").await;
    let hello = hello("one.test");
    tunnel.send(&hello).await;
    assert_eq!(tunnel.exactly(hello.len()).await, hello);
    let mut request = bed.client().await;
    request.send(bed.get("one.test")).await;
    tokio::time::sleep(Duration::from_millis(150)).await;
    bed.stop.cancel();
    let began = Instant::now();
    assert!(idle.rest().await.is_empty());
    assert!(began.elapsed() < Duration::from_millis(500));
    let answer = request.answer().await;
    assert_eq!((answer.status(), answer.text().as_str()), (200, "ok"), "what was asked is answered");
    assert!(tunnel.rest().await.is_empty());
    bed.served.await.unwrap().unwrap();
    assert!(tokio::net::TcpStream::connect(bed.address).await.is_err(), "nobody listens any more");
    bed.gate.close_gateway().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_download_larger_than_any_buffer_arrives_whole_and_an_upload_too() {
    const SIZE: usize = 24 * 1024 * 1024;
    let origin = Origin::serving(|mut peer| async move {
        while let Some(head) = peer.head().await {
            if head.starts_with("POST") {
                let mut got = 0;
                while got < SIZE {
                    got += peer.some().await.unwrap().len();
                }
                peer.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{got}", got.to_string().len())).await;
            } else {
                peer.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n")).await;
                for _ in 0..SIZE / 65_536 {
                    peer.send(vec![b'd'; 65_536]).await;
                }
            }
        }
    })
    .await;
    let bed = Plan::new(&allow("one.test", "")).name("one.test", 80, origin.address).start().await;
    let mut client = bed.client().await;
    let answer = client.ask(bed.get("one.test")).await;
    assert_eq!(answer.body.len(), SIZE);
    let mut client = bed.client().await;
    let head = format!("POST http://one.test/ HTTP/1.1\r\nHost: x\r\n{}", bed.authorization());
    client.send(format!("{head}Content-Length: {SIZE}\r\nExpect: 100-continue\r\n\r\n")).await;
    client.send(vec![b'u'; SIZE]).await;
    let answer = client.answer().await;
    assert_eq!(answer.text(), SIZE.to_string());
    let outcome = bed.outcome(1).await;
    assert_eq!(outcome["bytes_up"], json!(SIZE), "{outcome}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_on_a_connection_that_the_origin_has_closed_is_sent_on_another() {
    let origin = Origin::serving(|mut peer| async move {
        peer.head().await;
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
        // It promised to go on and does not.
        peer.head().await;
    })
    .await;
    let bed = Plan::new(&allow("one.test", "")).name("one.test", 80, origin.address).start().await;
    let mut client = bed.client().await;
    for _ in 0..4 {
        assert_eq!(client.ask(bed.get("one.test")).await.status(), 200);
    }
    assert!(origin.connections() >= 4 - 1, "{}", origin.connections());
    assert_eq!(bed.outcome(3).await["outcome"], json!("completed"));
}
