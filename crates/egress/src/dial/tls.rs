//! Whom the requests that we encrypt ourselves trust: what the rest of this machine trusts, and what
//! the operator adds. Tunnels are not touched by it; there the client decides.

use std::path::Path;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls_platform_verifier::Verifier;
use thiserror::Error;

/// Nobody could be trusted.
#[derive(Debug, Error)]
pub enum TrustError {
    /// The file of added authorities cannot be read, or holds none.
    #[error("the file of certificate authorities holds none that can be read")]
    File(#[source] Option<rustls::pki_types::pem::Error>),
    /// This machine has no authorities, or an added one is not one.
    #[error("no certificate authorities to trust")]
    Roots(#[source] rustls::Error),
}

/// The client side of TLS for requests of our own: HTTP/1.1 only, the authorities of this machine, and
/// those of `also`, a PEM file.
///
/// # Errors
/// [`TrustError`]; reading the machine's authorities touches the disk, so do it once.
pub fn client_config(also: Option<&Path>) -> Result<Arc<ClientConfig>, TrustError> {
    let added = also.map(read).transpose()?.unwrap_or_default();
    let provider: Arc<CryptoProvider> = Arc::new(ring::default_provider());
    let verifier = Verifier::new_with_extra_roots(added, Arc::clone(&provider)).map_err(TrustError::Roots)?;
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().map_err(TrustError::Roots)?;
    let verified = builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = verified.with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn read(path: &Path) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    match found {
        Ok(found) if found.is_empty() => Err(TrustError::File(None)),
        Ok(found) => Ok(found),
        Err(error) => Err(TrustError::File(Some(error))),
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
    use rustls::ServerConfig;
    use rustls::pki_types::{PrivateKeyDer, ServerName};
    use tokio_rustls::{TlsAcceptor, TlsConnector};

    use super::*;

    fn server(issuer: &CertifiedIssuer<'_, KeyPair>) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["here.test".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, issuer).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let mut config = builder.with_single_cert(vec![certificate.der().clone()], key).unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        TlsAcceptor::from(Arc::new(config))
    }

    async fn shake(config: Arc<ClientConfig>, acceptor: &TlsAcceptor, name: &'static str) -> Result<Vec<u8>, String> {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let accepted = async { acceptor.accept(theirs).await.map(drop) };
        let name = ServerName::try_from(name).unwrap();
        let (_, connected) = tokio::join!(accepted, TlsConnector::from(config).connect(name, ours));
        let stream = connected.map_err(|error| error.to_string())?;
        Ok(stream.get_ref().1.alpn_protocol().unwrap_or_default().to_vec())
    }

    #[tokio::test]
    async fn an_added_authority_is_trusted_for_its_names_only() {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        std::fs::write(&path, issuer.pem()).unwrap();
        let acceptor = server(&issuer);
        let config = client_config(Some(&path)).unwrap();
        assert_eq!(shake(Arc::clone(&config), &acceptor, "here.test").await.unwrap(), b"http/1.1");
        assert!(shake(config, &acceptor, "elsewhere.test").await.is_err());
        // Without the file nobody vouches for it, whatever this machine trusts.
        if let Ok(plain) = client_config(None) {
            assert!(shake(plain, &acceptor, "here.test").await.is_err());
        }
        std::fs::write(&path, "no certificate").unwrap();
        assert!(matches!(client_config(Some(&path)), Err(TrustError::File(None))));
    }
}
