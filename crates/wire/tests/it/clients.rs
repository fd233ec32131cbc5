//! Hellos and handshakes of real TLS implementations, with and without a retry.

use std::sync::Arc;

use rustls::crypto::ring::{default_provider, kx_group, sign};
use rustls::crypto::{CryptoProvider, SupportedKxGroup};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, SupportedProtocolVersion};
use wire::hello::{HelloReader, Sni, Status, TlsWatch, Verdict};

/// A key that anybody may know, for a certificate that nobody gets to check.
#[derive(Debug)]
struct AnyKey(Arc<CertifiedKey>);

impl AnyKey {
    fn new() -> Self {
        // PKCS #8 around an Ed25519 seed.
        let mut key = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20".to_vec();
        key.extend([7; 32]);
        let key = sign::any_supported_type(&PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key))).unwrap();
        Self(Arc::new(CertifiedKey::new(vec![CertificateDer::from(vec![0; 64])], key)))
    }
}

impl ResolvesServerCert for AnyKey {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

fn provider(groups: &[&'static dyn SupportedKxGroup]) -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider { kx_groups: groups.to_vec(), ..default_provider() })
}

fn client(versions: &[&'static SupportedProtocolVersion]) -> ClientConnection {
    let mut config = ClientConfig::builder_with_provider(provider(&[kx_group::X25519, kx_group::SECP256R1]))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    ClientConnection::new(Arc::new(config), "Origin.test".try_into().unwrap()).unwrap()
}

fn server(group: &'static dyn SupportedKxGroup) -> ServerConnection {
    let config = ServerConfig::builder_with_provider(provider(&[group]))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(AnyKey::new()));
    ServerConnection::new(Arc::new(config)).unwrap()
}

fn sent(write: impl FnOnce(&mut Vec<u8>) -> std::io::Result<usize>) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(&mut bytes).unwrap();
    bytes
}

/// What the watch says of each flight of the client behind its first hello, until it is done.
fn verdicts(versions: &[&'static SupportedProtocolVersion], group: &'static dyn SupportedKxGroup) -> Vec<Verdict> {
    let (mut client, mut server) = (client(versions), server(group));
    let hello = sent(|bytes| client.write_tls(bytes));
    let Ok(Status::Hello { hello: first, taken }) = HelloReader::new().push(&hello) else { panic!("no hello") };
    assert_eq!(*first.sni(), Sni::Name("origin.test".into()));
    assert_eq!(first.alpn().collect::<Vec<_>>(), [&b"h2"[..], b"http/1.1"]);
    assert_eq!(taken, hello.len());

    let mut watch = TlsWatch::new();
    let mut flight = hello;
    let mut verdicts = Vec::new();
    while !watch.is_done() {
        server.read_tls(&mut &flight[..]).unwrap();
        server.process_new_packets().unwrap();
        let answer = sent(|bytes| server.write_tls(bytes));
        watch.server(&answer);
        client.read_tls(&mut &answer[..]).unwrap();
        // The certificate is refused in the end; what was said before has been said.
        let accepted = client.process_new_packets().is_ok();
        flight = sent(|bytes| client.write_tls(bytes));
        verdicts.push(watch.client(&flight).unwrap());
        assert!(accepted || watch.is_done());
    }
    verdicts
}

#[test]
fn a_retry_brings_a_second_hello_that_is_seen() {
    let verdicts = verdicts(&[&rustls::version::TLS13], kx_group::SECP256R1);
    let [Verdict::Hello(second)] = verdicts.as_slice() else { panic!("{verdicts:?}") };
    assert_eq!(*second.sni(), Sni::Name("origin.test".into()));
}

#[test]
fn without_a_retry_the_watch_ends_at_once() {
    assert_eq!(verdicts(&[&rustls::version::TLS13], kx_group::X25519), [Verdict::Done]);
    assert_eq!(verdicts(&[&rustls::version::TLS12], kx_group::X25519), [Verdict::Done]);
}

#[test]
fn hellos_of_openssl_are_read() {
    for (bytes, want) in [
        (&include_bytes!("../../corpus/hello/openssl")[..], Sni::Name("origin.test".into())),
        (include_bytes!("../../corpus/hello/openssl-tls-1-2"), Sni::Name("origin.test".into())),
        (include_bytes!("../../corpus/hello/openssl-without-name"), Sni::Absent),
    ] {
        let Ok(Status::Hello { hello, taken }) = HelloReader::new().push(bytes) else { panic!("no hello") };
        assert_eq!((hello.sni(), taken), (&want, bytes.len()));
    }
}
