//! The proxy beside the API: its listeners, bound before anything begins, and its end.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use api::ProxyHealth;
use egress::proxy::{Identity, Limits, Listener, Peer, Proxy, ProxyConfig};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, EgressConfig, TlsFiles, UnixConfig};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::server;

/// The proxy's listeners, before it serves.
pub(crate) struct Listeners {
    address: SocketAddr,
    tls: bool,
    tcp: Listener,
    unix: Option<(Socket, Listener, Identity)>,
}

/// A socket in the file system that is gone with this.
struct Socket(PathBuf);

impl Drop for Socket {
    // One unlink; nothing is waited for.
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).ok();
    }
}

impl Listeners {
    /// Binds them.
    ///
    /// # Errors
    /// An address that cannot be listened on, a certificate that cannot be used, or others could reach
    /// the proxy without TLS and nobody said that they may.
    pub(crate) async fn bind(address: SocketAddr, config: &EgressConfig) -> Result<Self, Failure> {
        let tls = config.tls.as_ref().map(listener_tls).transpose()?;
        if tls.is_none() && !address.ip().is_loopback() {
            if !config.danger_plain_non_loopback {
                return Err(Failure::usage(format!("EXEAT_PROXY_LISTEN: others can reach {address}, and there is no TLS"))
                    .why("keys and requests would cross the network in the clear")
                    .next("set EXEAT_PROXY_TLS_CERT and EXEAT_PROXY_TLS_KEY, or, where the network is trusted, EXEAT_PROXY_DANGER_PLAIN_NON_LOOPBACK=true"));
            }
            tracing::warn!(%address, "the proxy can be reached by others without TLS, as configured");
        }
        let listener = server::bind(address, "--proxy-listen or EXEAT_PROXY_LISTEN").await?;
        let address = listener.local_addr()?;
        let unix = config.unix.as_ref();
        let unix = match unix {
            Some(unix) => Some(socket(unix).await?),
            None => None,
        };
        let has_tls = tls.is_some();
        let tcp = match tls {
            Some(config) => Listener::Tls(listener, config),
            None => Listener::Tcp(listener),
        };
        Ok(Self { address, tls: has_tls, tcp, unix })
    }

    /// The proxy's address as programs are told it.
    pub(crate) fn url(&self) -> String {
        format!("{}://{}", if self.tls { "https" } else { "http" }, self.address)
    }

    /// Serves on all of them until `stop`, then until what was going on has ended.
    pub(crate) fn serve(self, proxy: &Proxy, stop: &CancellationToken) -> (ProxyHealth, Vec<JoinHandle<()>>) {
        let health = ProxyHealth::serving();
        let task = |listener: Listener, identity: Identity, socket: Option<Socket>| {
            let (proxy, stop, health) = (proxy.clone(), stop.clone(), health.clone());
            tokio::spawn(async move {
                let served = proxy.serve(listener, identity, stop.clone()).await;
                if !stop.is_cancelled() {
                    health.ended();
                    tracing::error!(error = served.err().map(tracing::field::display), "the proxy has ended");
                }
                drop(socket);
            })
        };
        let mut tasks = vec![task(self.tcp, Identity::Credential, None)];
        tasks.extend(self.unix.map(|(socket, listener, identity)| task(listener, identity, Some(socket))));
        (health, tasks)
    }
}

/// What the proxy is told of the configuration.
pub(crate) fn settings(config: &Config) -> ProxyConfig {
    let limits = config.egress.limits;
    ProxyConfig {
        hold: config.egress_hold,
        limits: Limits {
            connections_max: limits.connections_max,
            tunnels_max: limits.tunnels_per_principal_max,
            tunnels_per_second: limits.tunnels_per_second,
            bytes_per_hour: limits.bytes_per_hour,
            ..Limits::default()
        },
        credential_homes: config.egress.credential_homes.clone(),
        ..ProxyConfig::default()
    }
}

/// Makes the socket; one that a dead process left is taken away first.
async fn socket(config: &UnixConfig) -> Result<(Socket, Listener, Identity), Failure> {
    let path = &config.path;
    let cannot = |error: io::Error| {
        Failure::new(Exit::Failure, "cannot_listen", format!("cannot listen on `{}`", path.display()))
            .why(error.to_string())
            .next("choose another place with EXEAT_PROXY_UNIX")
    };
    if is_left_over(path).await {
        std::fs::remove_file(path).map_err(cannot)?;
    }
    let listener = UnixListener::bind(path).map_err(cannot)?;
    let socket = Socket(path.clone());
    // Who connects is asked of the system; the file lets everybody knock.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666)).map_err(cannot)?;
    let peer = |peer: &crate::config::PeerConfig| {
        let known = Peer { workspace_id: peer.workspace_id.clone(), principal_id: peer.principal_id.clone() };
        (peer.uid, known)
    };
    let peers: HashMap<u32, Peer> = config.peers.iter().map(peer).collect();
    Ok((socket, Listener::Unix(listener), Identity::Peer(peers)))
}

/// Whether a socket is there that nobody listens on.
async fn is_left_over(path: &Path) -> bool {
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
    let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    is_socket && UnixStream::connect(path).await.err().is_some_and(refused)
}

/// What the proxy's listener shows its clients.
///
/// # Errors
/// A file that cannot be read, or a key that does not fit the certificate. The variable is named.
fn listener_tls(files: &TlsFiles) -> Result<Arc<rustls::ServerConfig>, Failure> {
    let unusable = |variable: &str, path: &Path, why: String| {
        Failure::usage(format!("{variable}: `{}` cannot be used", path.display())).why(why)
    };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&files.cert)
        .and_then(Iterator::collect)
        .map_err(|error| unusable("EXEAT_PROXY_TLS_CERT", &files.cert, error.to_string()))?;
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| unusable("EXEAT_PROXY_TLS_KEY", &files.key, error.to_string()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|error| unusable("EXEAT_PROXY_TLS_KEY", &files.key, error.to_string()))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
