//! Ways to know who asks.

use std::collections::HashMap;
use std::sync::Arc;

use egress::proxy::{Identity, Listener, Peer, Run};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio_rustls::TlsConnector;

use crate::bed::{Plan, allow, workspace};
use crate::origin::{Client, Origin};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
const ASK: &str = "GET http://one.test/ HTTP/1.1\r\nHost: one.test\r\nConnection: close\r\n\r\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_unix_socket_knows_its_users() {
    let origin = Origin::answering(OK).await;
    let bed = Plan::new(&allow("one.test", "")).name("one.test", 80, origin.address).start().await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("proxy.sock");
    let me = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(dir.path()).unwrap());
    let agent = bed.gate.authenticate(&bed.key, None, "t").await.unwrap();
    let peer = Peer { workspace_id: workspace(), principal_id: agent.principal_id };
    for (users, status) in [(HashMap::from([(me, peer.clone())]), "200"), (HashMap::from([(me + 1, peer)]), "403")] {
        let _ = std::fs::remove_file(&path);
        let listener = Listener::Unix(UnixListener::bind(&path).unwrap());
        let (proxy, stop) = (bed.proxy.clone(), bed.stop.clone());
        tokio::spawn(async move { proxy.serve(listener, Identity::Peer(users), stop).await });
        let mut stream = UnixStream::connect(&path).await.unwrap();
        stream.write_all(ASK.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_of_a_run_needs_no_word_and_is_always_enforced() {
    let origin = Origin::answering(OK).await;
    let bed = Plan::new(&allow("one.test", ""))
        .name("one.test", 80, origin.address)
        .name("shut.test", 80, origin.address)
        .shadow()
        .start()
        .await;
    // The control: in shadow everybody else passes.
    assert_eq!(bed.client().await.ask(bed.get("shut.test")).await.status(), 200);
    let caller = bed.gate.authenticate(&bed.key, None, "t").await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let run = Identity::Run(Box::new(Run::new(caller, gate::Place::default())));
    let (proxy, stop) = (bed.proxy.clone(), bed.stop.clone());
    tokio::spawn(async move { proxy.serve(Listener::Tcp(listener), run, stop).await });
    let mut client = Client::connect(address).await;
    assert_eq!(client.ask(ASK.replace("Connection: close\r\n", "")).await.status(), 200);
    let answer = client.ask("GET http://shut.test/ HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(answer.status(), 403, "{}", answer.head);
    let mut socks = Client::connect(address).await;
    socks.send([5, 1, 0]).await;
    assert_eq!(socks.exactly(2).await, [5, 0], "nothing need be said");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tls_listener_speaks_both_versions() {
    let origin = Origin::answering(OK).await;
    let bed = Plan::new(&allow("one.test", "")).name("one.test", 80, origin.address).start().await;
    let made = rcgen::generate_simple_self_signed(vec!["proxy.test".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut server = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key.into())
        .unwrap();
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (proxy, stop) = (bed.proxy.clone(), bed.stop.clone());
    let listener = Listener::Tls(listener, Arc::new(server));
    tokio::spawn(async move { proxy.serve(listener, Identity::Credential, stop).await });
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate).unwrap();
    for protocol in ["http/1.1", "h2"] {
        let mut config = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots.clone())
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let name = rustls::pki_types::ServerName::try_from("proxy.test").unwrap();
        let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
        if protocol == "h2" {
            let io = hyper_util::rt::TokioIo::new(stream);
            let executor = hyper_util::rt::TokioExecutor::new();
            let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
            tokio::spawn(connection);
            let request = http::Request::get("http://one.test/")
                .header("proxy-authorization", format!("Bearer {}", bed.key))
                .body(http_body_util::Empty::<bytes::Bytes>::new())
                .unwrap();
            assert_eq!(sender.send_request(request).await.unwrap().status(), 200);
        } else {
            let request = ASK.replace("\r\n\r\n", &format!("\r\n{}\r\n", bed.authorization()));
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
            assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer));
        }
    }
    assert_eq!(bed.outcome(1).await["outcome"], json!("completed"));
}
