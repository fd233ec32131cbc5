//! TLS servers that want the ClientHello again: the second one is bound to the name like the first.

use std::sync::Arc;

use rustls::crypto::ring::{default_provider, kx_group};
use rustls::{ClientConfig, RootCertStore, ServerConfig, ServerConnection};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::bed::{Plan, allow};
use crate::origin::Origin;
use crate::tunnels::hello;

/// A server that takes a group which clients offer and send no share for, and a client that trusts it.
fn retrying(name: &str) -> (Arc<ServerConfig>, Arc<ClientConfig>) {
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let mut provider = default_provider();
    provider.kx_groups = vec![kx_group::SECP384R1];
    let server = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key.into())
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let client = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (Arc::new(server), Arc::new(client))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handshake_that_is_retried_passes() {
    let (server, client) = retrying("open.test");
    let origin = Origin::serving(move |peer| {
        let acceptor = TlsAcceptor::from(Arc::clone(&server));
        async move {
            let mut stream = acceptor.accept(peer.stream).await.unwrap();
            let mut bytes = [0; 4];
            stream.read_exact(&mut bytes).await.unwrap();
            stream.write_all(&bytes).await.unwrap();
            stream.shutdown().await.unwrap();
        }
    })
    .await;
    let bed = Plan::new(&allow("open.test", "")).name("open.test", 443, origin.address).start().await;
    let (tunnel, _) = bed.connect("open.test:443").await;
    let name = rustls::pki_types::ServerName::try_from("open.test").unwrap();
    let mut stream = TlsConnector::from(client).connect(name, tunnel.stream).await.unwrap();
    assert_eq!(stream.get_ref().1.handshake_kind(), Some(rustls::HandshakeKind::FullWithHelloRetryRequest));
    stream.write_all(b"ping").await.unwrap();
    let mut back = [0; 4];
    stream.read_exact(&mut back).await.unwrap();
    assert_eq!(&back, b"ping");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_hello_with_another_name_does_not_pass() {
    let (server, _) = retrying("open.test");
    let origin = Origin::serving(move |mut peer| {
        let server = Arc::clone(&server);
        async move {
            let first = peer.some().await.unwrap();
            let mut connection = ServerConnection::new(server).unwrap();
            connection.read_tls(&mut &first[..]).unwrap();
            connection.process_new_packets().unwrap();
            let mut retry = Vec::new();
            while connection.wants_write() {
                connection.write_tls(&mut retry).unwrap();
            }
            peer.send(&retry).await;
            while peer.some().await.is_some() {}
        }
    })
    .await;
    let bed = Plan::new(&allow("open.test", "")).name("open.test", 443, origin.address).start().await;
    let (mut tunnel, _) = bed.connect("open.test:443").await;
    let first = hello("open.test");
    tunnel.send(&first).await;
    // The retry has come once a whole record is there.
    tunnel.exactly(60).await;
    let second = hello("other.test");
    for piece in second.chunks(50) {
        if tokio::io::AsyncWriteExt::write_all(&mut tunnel.stream, piece).await.is_err() {
            break;
        }
    }
    let outcome = bed.outcome(0).await;
    assert_eq!((&outcome["outcome"], &outcome["error_code"]), (&json!("cut"), &json!("sni_mismatch")), "{outcome}");
    assert_eq!(outcome["bytes_up"], json!(first.len()), "nothing of the second went up");
    assert_eq!(origin.got().len(), String::from_utf8_lossy(&first).len());
}
