//! SOCKS, HTTP/2, WebSocket: other ways to bring the same ask.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::bed::{Bed, Plan, allow};
use crate::origin::{Client, Origin};
use crate::tunnels::hello;

/// A SOCKS conversation up to the reply; its code.
pub(crate) async fn socks(bed: &Bed, host: &str, port: u16, password: &str) -> (Client, Option<u8>) {
    let mut client = bed.client().await;
    client.send([5, 1, 2]).await;
    assert_eq!(client.exactly(2).await, [5, 2]);
    let length = |text: &str| u8::try_from(text.len()).unwrap();
    client.send([&[1, 1, b'x', length(password)], password.as_bytes()].concat()).await;
    if client.exactly(2).await != [1, 0] {
        return (client, None);
    }
    let target = [&[5, 1, 0, 3, length(host)], host.as_bytes(), &port.to_be_bytes()].concat();
    client.send(target).await;
    let reply = client.exactly(10).await;
    (client, Some(reply[1]))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn socks_leads_where_connect_does() {
    let origin = Origin::echoing().await;
    let bed = Plan::new(&allow("open.test", ""))
        .name("open.test", 443, origin.address)
        .name("shut.test", 443, origin.address)
        .start()
        .await;
    let (mut client, reply) = socks(&bed, "open.test", 443, &bed.key).await;
    assert_eq!(reply, Some(0));
    let hello = hello("open.test");
    client.send(&hello).await;
    assert_eq!(client.exactly(hello.len()).await, hello);
    assert_eq!(socks(&bed, "shut.test", 443, &bed.key).await.1, Some(2), "not allowed");
    assert_eq!(socks(&bed, "open.test", 443, "nobody").await.1, None, "not let in");
    // A name that leads nowhere, allowed: the host is unreachable.
    bed.publish(&(allow("open.test", "") + &allow("gone.invalid", ""))).await;
    assert_ne!(socks(&bed, "gone.invalid", 443, &bed.key).await.1, Some(2));
    let mut anonymous = bed.client().await;
    anonymous.send([5, 1, 0]).await;
    assert_eq!(anonymous.exactly(2).await, [5, 0xff], "who asks must be said");
    let mut old = bed.client().await;
    old.send([4, 1, 0, 80, 1, 2, 3, 4, 0]).await;
    assert_eq!(old.exactly(2).await, [0, 91]);
    assert_eq!(origin.connections(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn socks_to_port_80_is_read_as_http() {
    let origin = Origin::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
    let bed = Plan::new(&allow("open.test", "")).name("open.test", 80, origin.address).start().await;
    let (mut client, reply) = socks(&bed, "open.test", 80, &bed.key).await;
    assert_eq!(reply, Some(0));
    let answer = client.ask("GET /a HTTP/1.1\r\nHost: open.test\r\n\r\n").await;
    assert_eq!((answer.status(), answer.text().as_str()), (200, "ok"));
    assert_eq!(bed.egress_events().await[..2], ["egress.requested", "egress.allowed"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn websocket_passes_and_is_a_write() {
    let origin = Origin::serving(|mut peer| async move {
        let head = peer.head().await.unwrap();
        assert!(head.contains("upgrade: websocket") && head.contains("connection: upgrade"), "{head}");
        peer.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhi").await;
        while let Some(bytes) = peer.some().await {
            peer.send(bytes).await;
        }
    })
    .await;
    let bed = Plan::new(&allow("open.test", "")).name("open.test", 80, origin.address).start().await;
    let mut client = bed.client().await;
    let request = format!(
        "GET http://open.test/ws HTTP/1.1\r\nHost: open.test\r\n{}Connection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\nearly",
        bed.authorization()
    );
    client.send(request).await;
    let head = client.head().await;
    assert!(head.starts_with("HTTP/1.1 101 ") && head.to_lowercase().contains("upgrade: websocket"), "{head}");
    assert_eq!(client.exactly(7).await, b"hiearly");
    client.send("ping").await;
    assert_eq!(client.exactly(4).await, b"ping");
    drop(client);
    let outcome = bed.outcome(0).await;
    assert_eq!((&outcome["bytes_up"], &outcome["bytes_down"]), (&json!(9), &json!(11)), "{outcome}");
    let events = bed.events().await;
    let requested = events.iter().find(|event| event.event_type == "egress.requested").unwrap().data.to_value();
    assert_eq!(requested["action"], json!("external.write"), "{requested}");
}

type Sender<B> = hyper::client::conn::http2::SendRequest<B>;

pub(crate) async fn http2<B>(bed: &Bed) -> Sender<B>
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let stream = TcpStream::connect(bed.address).await.unwrap();
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http2_streams_are_asked_for_one_by_one() {
    let origin = Origin::serving(|mut peer| async move {
        while let Some(head) = peer.head().await {
            if head.starts_with("POST") {
                peer.until(b"body").await;
            }
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: x-gone\r\nX-Gone: 1\r\n\r\nok").await;
        }
    })
    .await;
    let bed = Plan::new(&allow("open.test", ""))
        .name("open.test", 80, origin.address)
        .name("shut.test", 80, origin.address)
        .start()
        .await;
    let mut sender: Sender<Full<Bytes>> = http2(&bed).await;
    let bearer = format!("Bearer {}", bed.key);
    let request = |uri: &str, method: &str, body: &'static str| {
        http::Request::builder()
            .method(method)
            .uri(uri)
            .header("proxy-authorization", &bearer)
            .header("te", "trailers")
            .body(Full::from(body))
            .unwrap()
    };
    let answer = sender.send_request(request("http://open.test/a", "GET", "")).await.unwrap();
    assert_eq!((answer.status(), answer.headers().get("x-gone")), (http::StatusCode::OK, None));
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "ok");
    let answer = sender.send_request(request("http://open.test/a", "POST", "body")).await.unwrap();
    assert_eq!(answer.status(), 200);
    let denied = sender.send_request(request("http://shut.test/", "GET", "")).await.unwrap();
    assert_eq!(denied.status(), 403);
    let id = denied.headers()["exeat-decision"].to_str().unwrap().to_owned();
    let body = denied.into_body().collect().await.unwrap().to_bytes();
    let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(problem["decision_id"], json!(id));
    for (uri, code) in [
        ("https://open.test/", "https_absolute_form"),
        ("http://user@open.test/", "userinfo"),
        ("http://open.test:0/", "port_invalid"),
    ] {
        let answer = sender.send_request(request(uri, "GET", "")).await.unwrap();
        assert_eq!(answer.status(), 400, "{uri}");
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert!(String::from_utf8_lossy(&body).contains(code), "{uri}: {body:?}");
    }
    let nobody = http::Request::get("http://open.test/").body(Full::default()).unwrap();
    assert_eq!(sender.send_request(nobody).await.unwrap().status(), 407);
    assert!(!origin.got().contains("proxy-authorization") && !origin.got().contains("shut.test"));
    assert_eq!(bed.outcome(1).await["bytes_up"], json!(4));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http2_carries_tunnels() {
    let origin = Origin::echoing().await;
    let bed = Plan::new(&allow("open.test", "")).name("open.test", 443, origin.address).start().await;
    let mut sender: Sender<Empty<Bytes>> = http2(&bed).await;
    let connect = |to: &str| {
        http::Request::builder()
            .method("CONNECT")
            .uri(to)
            .header("proxy-authorization", format!("Bearer {}", bed.key))
            .body(Empty::new())
            .unwrap()
    };
    let refused = sender.send_request(connect("shut.test:443")).await.unwrap();
    assert_eq!(refused.status(), 403);
    let answer = sender.send_request(connect("open.test:443")).await.unwrap();
    assert_eq!(answer.status(), 200);
    let mut tunnel = TokioIo::new(hyper::upgrade::on(answer).await.unwrap());
    let hello = hello("open.test");
    tunnel.write_all(&hello).await.unwrap();
    let mut back = vec![0; hello.len()];
    tunnel.read_exact(&mut back).await.unwrap();
    assert_eq!(back, hello);
    let answer = sender.send_request(connect("open.test:443")).await.unwrap();
    let mut tunnel = TokioIo::new(hyper::upgrade::on(answer).await.unwrap());
    tunnel.write_all(&crate::tunnels::hello("other.test")).await.unwrap();
    let mut back = Vec::new();
    let _ = tunnel.read_to_end(&mut back).await;
    assert!(back.len() <= 7, "{back:?}");
    assert_eq!(bed.outcome(0).await["error_code"], json!("sni_mismatch"));
}
