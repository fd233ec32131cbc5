//! Tunnels.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use crate::bed::{Plan, allow};
use crate::origin::Origin;

/// The first flight of a TLS client that wants `name`.
pub(crate) fn hello(name: &str) -> Vec<u8> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let name = rustls::pki_types::ServerName::try_from(name.to_owned()).unwrap();
    let mut connection = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let mut bytes = Vec::new();
    connection.write_tls(&mut bytes).unwrap();
    bytes
}

async fn plan(origin: &Origin) -> Plan {
    let rules = allow("open.test", "port = [443, 2222]\n") + &allow("any.test", "port = 22\ntunnel = \"opaque\"\n");
    Plan::new(&rules).name("open.test", 443, origin.address).name("any.test", 22, origin.address).name(
        "shut.test",
        443,
        origin.address,
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tunnel_carries_tls_to_the_name_it_was_asked_for() {
    let origin = Origin::echoing().await;
    let bed = plan(&origin).await.start().await;
    let (mut client, answer) = bed.connect("open.test:443").await;
    assert!(answer.head.starts_with("HTTP/1.1 200 "), "{}", answer.head);
    let hello = hello("open.test");
    // In pieces, as networks deliver.
    for piece in hello.chunks(7) {
        client.send(piece).await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(client.exactly(hello.len()).await, hello, "byte for byte");
    tokio::io::AsyncWriteExt::shutdown(&mut client.stream).await.unwrap();
    assert!(client.rest().await.is_empty());
    let outcome = bed.outcome(0).await;
    assert_eq!((&outcome["outcome"], &outcome["sni"]), (&json!("completed"), &json!("match")), "{outcome}");
    assert_eq!(outcome["bytes_up"], json!(hello.len()));
    assert_eq!(bed.egress_events().await, ["egress.requested", "egress.allowed", "egress.completed"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tunnel_with_another_name_or_without_tls_carries_nothing() {
    let origin = Origin::echoing().await;
    let bed = plan(&origin).await.start().await;
    for (n, (bytes, code, sni)) in [
        (hello("other.test"), "sni_mismatch", json!("other")),
        (hello("127.0.0.1"), "sni_mismatch", json!("absent")),
        (b"GET / HTTP/1.1\r\nHost: open.test\r\n\r\n".to_vec(), "not_tls", json!(null)),
        (b"SSH-2.0-x\r\n".to_vec(), "not_tls", json!(null)),
    ]
    .into_iter()
    .enumerate()
    {
        let (mut client, answer) = bed.connect("open.test:443").await;
        assert!(answer.head.starts_with("HTTP/1.1 200 "), "{}", answer.head);
        client.send(&bytes).await;
        let back = client.rest().await;
        assert!(back.len() <= 7, "an alert at most: {back:?}");
        let outcome = bed.outcome(n).await;
        assert_eq!((&outcome["outcome"], &outcome["error_code"]), (&json!("cut"), &json!(code)), "{outcome}");
        assert_eq!((&outcome["sni"], &outcome["bytes_up"]), (&sni, &json!(0)), "{outcome}");
    }
    assert_eq!(origin.got(), "", "no byte went up");
    // The control: the same tunnel with the right name.
    let (mut client, _) = bed.connect("open.test:443").await;
    let hello = hello("open.test");
    client.send(&hello).await;
    assert_eq!(client.exactly(hello.len()).await, hello);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_a_rule_that_says_so_lets_anything_through_and_the_server_speak_first() {
    let origin = Origin::serving(|mut peer| async move {
        peer.send("SSH-2.0-server\r\n").await;
        while let Some(bytes) = peer.some().await {
            peer.send(bytes).await;
        }
    })
    .await;
    let bed = plan(&origin).await.start().await;
    let (mut client, answer) = bed.connect("any.test:22").await;
    assert!(answer.head.starts_with("HTTP/1.1 200 "), "{}", answer.head);
    assert_eq!(client.exactly(16).await, b"SSH-2.0-server\r\n");
    client.send("SSH-2.0-client\r\n").await;
    assert_eq!(client.exactly(16).await, b"SSH-2.0-client\r\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_tunnel_says_why_and_leaves_the_connection_open() {
    let origin = Origin::echoing().await;
    let bed = plan(&origin).await.start().await;
    let mut client = bed.client().await;
    let auth = bed.authorization();
    let answer = client.ask("CONNECT open.test:443 HTTP/1.1\r\nHost: open.test:443\r\n\r\n").await;
    assert_eq!(answer.status(), 407);
    let answer = client.ask(format!("CONNECT shut.test:443 HTTP/1.1\r\nHost: shut.test:443\r\n{auth}\r\n")).await;
    assert_eq!(answer.status(), 403);
    assert!(answer.head.starts_with("HTTP/1.1 403 Blocked by exeat egr_"), "{}", answer.head);
    assert_eq!(origin.connections(), 0);
    let answer = client.ask(format!("CONNECT 10.1.2.3:443 HTTP/1.1\r\nHost: x\r\n{auth}\r\n")).await;
    assert_eq!((answer.status(), &answer.json()["reason_code"]), (403, &json!("destination_denied")));
    client.send(format!("CONNECT open.test:443 HTTP/1.1\r\nHost: open.test:443\r\n{auth}\r\n")).await;
    assert!(client.head().await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_shadow_nothing_is_broken_and_all_is_noted() {
    let origin = Origin::serving(|mut peer| async move {
        peer.send("first word\r\n").await;
        while let Some(bytes) = peer.some().await {
            peer.send(bytes).await;
        }
    })
    .await;
    let bed = plan(&origin).await.shadow().start().await;
    // No rule lets it pass, so shadow only notes: the server may even speak first.
    let (mut client, _) = bed.connect("shut.test:443").await;
    assert_eq!(client.exactly(12).await, b"first word\r\n");
    let hello = hello("other.test");
    client.send(&hello).await;
    assert_eq!(client.exactly(hello.len()).await, hello);
    drop(client);
    let outcome = bed.outcome(0).await;
    assert_eq!(outcome["sni"], json!("other"), "{outcome}");
    // What a rule lets pass is bound to its name in shadow too.
    let (mut client, _) = bed.connect("open.test:443").await;
    client.send(&hello).await;
    let outcome = bed.outcome(1).await;
    assert_eq!((&outcome["outcome"], &outcome["error_code"]), (&json!("cut"), &json!("sni_mismatch")), "{outcome}");
    assert!(client.rest().await.len() <= 7);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tunnel_to_port_80_is_read_as_http() {
    let origin = Origin::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
    let rules = allow("open.test", "path = \"/yes\"\n");
    let bed = Plan::new(&rules).name("open.test", 80, origin.address).start().await;
    let (mut client, answer) = bed.connect("open.test:80").await;
    assert!(answer.head.starts_with("HTTP/1.1 200 "), "{}", answer.head);
    assert!(bed.egress_events().await.is_empty(), "nothing was asked yet");
    for (path, status) in [("/yes", 200), ("/no", 403), ("/yes", 200)] {
        let answer = client.ask(format!("GET {path} HTTP/1.1\r\nHost: open.test\r\n\r\n")).await;
        assert_eq!(answer.status(), status, "{path}: {}", answer.head);
    }
    let other = client.ask("GET /yes HTTP/1.1\r\nHost: other.test\r\n\r\n").await;
    assert_eq!((other.status(), &other.json()["error"]), (400, &json!("host_differs")));
    let (mut client, _) = bed.connect("open.test:80").await;
    let answer = client.ask("\x16\x03\x01\x02\x00\x01\x00\r\n\r\n").await;
    assert_eq!(answer.status(), 400, "{}", answer.head);
    assert!(!origin.got().contains("/no"));
}
