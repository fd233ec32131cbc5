//! Plain requests.

use serde_json::json;

use crate::bed::{Plan, allow};
use crate::origin::Origin;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Origin: yes\r\n\r\nhello";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_allowed_request_goes_out_and_is_recorded() {
    let origin = Origin::answering(OK).await;
    let bed = Plan::new(&allow("open.test", "")).name("open.test", 80, origin.address).start().await;
    let mut client = bed.client().await;
    let auth = bed.authorization();
    for n in 0..3 {
        let request = format!(
            "GET http://open.test/a?b={n} HTTP/1.1\r\nHost: other.test\r\n{auth}Connection: x-hop\r\nX-Hop: 1\r\n\
             X-Kept: 2\r\n\r\n"
        );
        let answer = client.ask(request).await;
        assert_eq!((answer.status(), answer.text().as_str()), (200, "hello"), "{}", answer.head);
        assert_eq!(answer.field("x-origin"), Some("yes"));
        assert!(answer.field("via").is_some_and(|via| via.starts_with("1.1 exeat")), "{}", answer.head);
    }
    assert_eq!(origin.connections(), 1, "one connection is used again");
    let got = origin.got();
    assert!(got.starts_with("GET /a?b=0 HTTP/1.1\r\nhost: open.test\r\n"), "{got}");
    assert!(got.contains("x-kept: 2") && got.contains("via: 1.1 exeat"), "{got}");
    for gone in ["proxy-authorization", "x-hop", "other.test", "Basic"] {
        assert!(!got.contains(gone), "{gone} went out: {got}");
    }
    let outcome = bed.outcome(2).await;
    assert_eq!(
        (&outcome["outcome"], &outcome["status"], &outcome["bytes_down"], &outcome["peer_ip"]),
        (&json!("completed"), &json!(200), &json!(5), &json!("127.0.0.1"))
    );
    let events = bed.egress_events().await;
    let count = |kind: &str| events.iter().filter(|each| *each == kind).count();
    assert_eq!(
        (count("egress.requested"), count("egress.allowed"), count("egress.completed")),
        (3, 3, 3),
        "{events:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_allowed_does_not_go_out_and_the_refusal_says_why() {
    let origin = Origin::answering(OK).await;
    let rules = allow("open.test", "") + "[[deny]]\nid = \"never\"\nhost = \"shut.test\"\n";
    let bed = Plan::new(&rules)
        .name("open.test", 80, origin.address)
        .name("shut.test", 80, origin.address)
        .name("asks.test", 80, origin.address)
        .start()
        .await;
    let mut client = bed.client().await;
    let auth = bed.authorization();
    let denied = client.ask(format!("GET http://shut.test/ HTTP/1.1\r\nHost: shut.test\r\n{auth}\r\n")).await;
    let problem = denied.json();
    let id = problem["decision_id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("egr_"), "{problem}");
    assert!(denied.head.starts_with(&format!("HTTP/1.1 403 Blocked by exeat {id}\r\n")), "{}", denied.head);
    let status = format!("exeat; error=http_request_denied; details=\"policy_denies {id}\"");
    assert_eq!(denied.field("proxy-status"), Some(status.as_str()));
    assert_eq!(denied.field("exeat-decision"), Some(id.as_str()));
    assert_eq!((denied.field("retry-after"), denied.field("exeat-approval")), (None, None));
    assert_eq!(denied.field("content-type"), Some("application/problem+json"));
    assert_eq!((&problem["reason_code"], &problem["retryable"]), (&json!("policy_denies"), &json!(false)));
    assert_eq!(problem["why"], json!(format!("exeat why {id}")));

    let asks = client
        .ask(format!("POST http://asks.test/ HTTP/1.1\r\nHost: asks.test\r\n{auth}Content-Length: 4\r\n\r\nbody"))
        .await;
    let problem = asks.json();
    let approval = problem["approval_id"].as_str().unwrap();
    assert_eq!(asks.status(), 403);
    assert_eq!(asks.field("exeat-approval"), Some(approval));
    assert!(asks.field("retry-after").is_some());
    assert_eq!(problem["next"], json!(format!("exeat approvals approve {approval}")));

    let page = client
        .ask(format!("GET http://shut.test/ HTTP/1.1\r\nHost: shut.test\r\n{auth}Accept: text/html\r\n\r\n"))
        .await;
    assert!(page.field("content-type").unwrap().starts_with("text/html"), "{}", page.head);
    assert!(page.text().contains("exeat why egr_"), "{}", page.text());
    assert_eq!(origin.connections(), 0, "nothing went out");

    // The control, on the same connection: refusals keep it open.
    let allowed = client.ask(format!("GET http://open.test/ HTTP/1.1\r\nHost: open.test\r\n{auth}\r\n")).await;
    assert_eq!((allowed.status(), origin.connections()), (200, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_say_who_it_is_is_asked_and_stays_connected() {
    let origin = Origin::answering(OK).await;
    let bed = Plan::new(&allow("open.test", "")).name("open.test", 80, origin.address).start().await;
    let mut client = bed.client().await;
    for authorization in ["", "Proxy-Authorization: Bearer nobody\r\n", "Proxy-Authorization: Basic eDp5\r\n"] {
        let request = format!(
            "POST http://open.test/ HTTP/1.1\r\nHost: open.test\r\n{authorization}Content-Length: 3\r\n\r\nabc"
        );
        let answer = client.ask(request).await;
        assert_eq!(answer.status(), 407, "{authorization}");
        assert_eq!(answer.field("proxy-authenticate"), Some("Basic realm=\"exeat\""));
        assert_eq!(answer.json()["error"], json!("proxy_authentication_required"));
    }
    assert!(bed.egress_events().await.is_empty());
    assert_eq!(origin.connections(), 0);
    let bearer = format!("Proxy-Authorization: Bearer {}\r\n", bed.key);
    let answer = client.ask(format!("GET http://open.test/ HTTP/1.1\r\nHost: open.test\r\n{bearer}\r\n")).await;
    assert_eq!(answer.status(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_and_answers_of_every_framing_pass() {
    let origin = Origin::serving(|mut peer| async move {
        while let Some(head) = peer.head().await {
            if head.contains("transfer-encoding: chunked") {
                let body = peer.until(b"x-up: u\r\n\r\n").await.unwrap();
                assert!(!body.contains("x=y"), "extensions end here: {body}");
                peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n").await;
                peer.send("3\r\ntwo\r\n0\r\nX-Trailer: t\r\n\r\n").await;
            } else if head.starts_with("HEAD") {
                peer.send("HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n").await;
            } else if head.contains("/close") {
                peer.send("HTTP/1.1 200 OK\r\n\r\nuntil the end").await;
                return;
            } else {
                peer.send("HTTP/1.1 204 No Content\r\n\r\n").await;
            }
        }
    })
    .await;
    let bed = Plan::new(&allow("open.test", "")).name("open.test", 80, origin.address).start().await;
    let mut client = bed.client().await;
    let head = format!("HTTP/1.1\r\nHost: open.test\r\n{}", bed.authorization());
    let answer = client
        .ask(format!(
            "POST http://open.test/ {head}Trailer: X-Up\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n3\r\ndef\r\n0\r\nX-Up: u\r\n\r\n"
        ))
        .await;
    assert_eq!(answer.status(), 200, "{}", answer.head);
    let text = answer.text();
    assert!(text.contains("one") && text.contains("two") && text.contains("x-trailer: t"), "{text}");
    client.send(format!("HEAD http://open.test/ {head}\r\n")).await;
    let answer = client.head().await;
    assert!(answer.contains("content-length: 77"), "{answer}");
    let answer = client.ask(format!("GET http://open.test/ {head}\r\n")).await;
    assert_eq!(answer.status(), 204);
    let answer = client.ask(format!("GET http://open.test/close {head}\r\n")).await;
    assert!(answer.text().contains("until the end"), "{}", answer.text());
    // HTTP/1.0 gets no chunks, and no second request unless it asks.
    let mut old = bed.client().await;
    let answer = old.ask(format!("GET http://open.test/close HTTP/1.0\r\n{}\r\n", bed.authorization())).await;
    assert_eq!(answer.text(), "until the end", "{}", answer.head);
}
