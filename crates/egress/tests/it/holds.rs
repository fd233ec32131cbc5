//! Requests that wait for a human.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::bed::Plan;
use crate::origin::Origin;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

async fn asking(hold: Duration) -> (Origin, crate::bed::Bed) {
    let origin = Origin::answering(OK).await;
    let mut plan = Plan::new("").name("asks.test", 80, origin.address);
    plan.config.hold = hold;
    (origin, plan.start().await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_decision_lets_all_pass_that_wait_for_it() {
    let (origin, bed) = asking(Duration::from_secs(30)).await;
    let mut waiting = Vec::new();
    for _ in 0..50 {
        let mut client = bed.client().await;
        client.send(bed.get("asks.test")).await;
        waiting.push(client);
    }
    let id = bed.pending().await.remove(0);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(bed.pending().await, std::slice::from_ref(&id), "all wait for the one");
    assert_eq!(origin.connections(), 0);
    bed.decide(&id, "approve", None).await;
    for mut client in waiting {
        let answer = client.answer().await;
        assert_eq!(answer.status(), 200, "{} {}", answer.head, answer.text());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_decides_is_refused_in_time_and_passes_later() {
    let (origin, bed) = asking(Duration::from_millis(300)).await;
    let mut client = bed.client().await;
    let began = Instant::now();
    let answer = client.ask(bed.get("asks.test")).await;
    assert!(began.elapsed() >= Duration::from_millis(290), "{:?}", began.elapsed());
    assert_eq!((answer.status(), answer.field("retry-after").is_some()), (403, true));
    let id = answer.field("exeat-approval").unwrap().to_owned();
    assert_eq!(origin.connections(), 0);
    bed.decide(&id, "approve", None).await;
    assert_eq!(client.ask(bed.get("asks.test")).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_no_is_final_and_an_approval_for_one_use_lets_one_pass() {
    let (_origin, bed) = asking(Duration::from_secs(30)).await;
    let mut client = bed.client().await;
    client.send(bed.get("asks.test")).await;
    let id = bed.pending().await.remove(0);
    bed.decide(&id, "deny", None).await;
    let answer = client.answer().await;
    assert_eq!((answer.status(), answer.field("retry-after")), (403, None), "{}", answer.head);

    let mut clients = Vec::new();
    for _ in 0..4 {
        let mut client = bed.client().await;
        client.send(bed.get("asks.test")).await;
        clients.push(client);
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let ids = bed.pending().await;
    assert_eq!(ids.len(), 2, "the second one: {ids:?}");
    bed.decide(&ids[1], "approve", Some(json!("once"))).await;
    let mut statuses = Vec::new();
    for client in &mut clients {
        let answer = client.answer().await;
        assert!(answer.status() == 200 || answer.field("retry-after").is_some(), "{}", answer.head);
        statuses.push(answer.status());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 403, 403, 403]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_goes_away_is_not_waited_for() {
    let (origin, bed) = asking(Duration::from_secs(30)).await;
    let mut client = bed.client().await;
    client.send(bed.get("asks.test")).await;
    let id = bed.pending().await.remove(0);
    drop(client);
    tokio::time::sleep(Duration::from_millis(200)).await;
    bed.decide(&id, "approve", None).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(origin.connections(), 0, "nobody was there any more");
    // The control: who asks now passes.
    assert_eq!(bed.client().await.ask(bed.get("asks.test")).await.status(), 200);
}
