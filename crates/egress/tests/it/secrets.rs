//! Credentials on their way out.

use serde_json::json;

use crate::bed::{Bed, Plan, allow};
use crate::origin::Origin;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

fn token() -> String {
    ["ghp_", "aB3dE5fG7hJ9kL1m", "N3pQ5rS7tU9vW1xY3zA5"].concat()
}

async fn plan(origin: &Origin) -> Plan {
    let rules = allow("one.test", "") + &allow("api.github.com", "");
    Plan::new(&rules).name("one.test", 80, origin.address).name("api.github.com", 80, origin.address)
}

fn requests(bed: &Bed, host: &str) -> [String; 4] {
    let (secret, auth) = (token(), bed.authorization());
    let head = format!("HTTP/1.1\r\nHost: {host}\r\n{auth}");
    let body = format!("{}{secret}&more=1", "a=b&".repeat(100));
    [
        format!("GET http://{host}/?token={secret} {head}\r\n"),
        format!("GET http://{host}/ {head}Authorization: Bearer {secret}\r\n\r\n"),
        format!("POST http://{host}/ {head}Content-Length: {}\r\n\r\n{body}", body.len()),
        format!(
            "POST http://{host}/ {head}Transfer-Encoding: chunked\r\n\r\n5\r\nx={}\r\n{:x}\r\n{}\r\n0\r\n\r\n",
            &secret[..3],
            secret.len() - 3,
            &secret[3..]
        ),
    ]
}

/// Answers whatever the body is once it is there.
async fn origin() -> Origin {
    Origin::serving(|mut peer| async move {
        while let Some(head) = peer.head().await {
            if head.contains("transfer-encoding") {
                if peer.until(b"0\r\n\r\n").await.is_none() {
                    return;
                }
            } else if head.starts_with("POST") && peer.until(b"&more=1").await.is_none() {
                return;
            }
            peer.send(OK).await;
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_credential_leaves_only_for_its_home() {
    let origin = origin().await;
    let bed = plan(&origin).await.start().await;
    for (n, request) in requests(&bed, "one.test").into_iter().enumerate() {
        let answer = bed.client().await.ask(&request).await;
        assert_eq!((answer.status(), &answer.json()["error"]), (403, &json!("dlp_secret_detected")), "{n}");
        assert!(!answer.text().contains(&token()), "{n}");
    }
    assert!(!origin.got().contains(&token()[4..12]), "nothing of it left: {}", origin.got());
    let cut = bed.outcome(0).await;
    assert_eq!((&cut["outcome"], &cut["error_code"]), (&json!("cut"), &json!("dlp_secret_detected")), "{cut}");
    // The control: at home it may be.
    for request in requests(&bed, "api.github.com") {
        assert_eq!(bed.client().await.ask(&request).await.status(), 200, "{request}");
    }
    assert!(origin.got().contains(&token()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_shadow_a_credential_is_only_noted() {
    let origin = origin().await;
    let bed = plan(&origin).await.shadow().start().await;
    for (n, request) in requests(&bed, "one.test").into_iter().enumerate() {
        assert_eq!(bed.client().await.ask(&request).await.status(), 200, "{n}");
    }
    let noted = bed.outcome(3).await;
    assert_eq!(
        (&noted["outcome"], &noted["error_code"]),
        (&json!("completed"), &json!("dlp_secret_detected")),
        "{noted}"
    );
}
