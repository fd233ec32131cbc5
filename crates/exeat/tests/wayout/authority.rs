//! A certificate authority that vouches for any name, in a second.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// What a hello without a name is for: one of the addresses that tests reach without a name.
const UNNAMED: &str = "unnamed";
const ADDRESSES: [&str; 2] = ["45.79.0.7", "2600:3c00::7"];

/// Shared by origins (as their certificates) and clients (as what they trust).
#[derive(Debug)]
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    /// One key for all leaves: making one is what takes time.
    key: KeyPair,
    made: Mutex<HashMap<String, Arc<CertifiedKey>>>,
}

impl Authority {
    pub fn make() -> Arc<Self> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        params.distinguished_name.push(DnType::CommonName, "Test authority");
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Arc::new(Self { issuer, key: KeyPair::generate().unwrap(), made: Mutex::default() })
    }

    /// What clients need to trust, as PEM.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// What a client of this authority trusts.
    pub fn roots(&self) -> rustls::RootCertStore {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        roots
    }

    fn leaf(&self, name: &str) -> rcgen::Certificate {
        let names = if name == UNNAMED { ADDRESSES.map(str::to_owned).to_vec() } else { vec![name.to_owned()] };
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.use_authority_key_identifier_extension = true;
        params.signed_by(&self.key, &self.issuer).unwrap()
    }

    fn certified(&self, name: &str) -> Arc<CertifiedKey> {
        let mut made = self.made.lock().unwrap();
        let certified = made.entry(name.to_owned()).or_insert_with(|| {
            let chain: Vec<CertificateDer<'static>> = vec![self.leaf(name).der().clone(), self.issuer.der().clone()];
            let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(self.key.serialize_der()));
            let provider = rustls::crypto::ring::default_provider();
            Arc::new(CertifiedKey::from_der(chain, key, &provider).unwrap())
        });
        certified.clone()
    }
}

impl ResolvesServerCert for Authority {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.certified(hello.server_name().unwrap_or(UNNAMED)))
    }
}
