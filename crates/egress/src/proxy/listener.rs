//! Where clients come in.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

/// A listener of the proxy.
pub enum Listener {
    /// TCP.
    Tcp(TcpListener),
    /// TLS over TCP. Give it `h2` and `http/1.1` as its application protocols.
    Tls(TcpListener, Arc<rustls::ServerConfig>),
    /// A socket in the file system.
    Unix(UnixListener),
}

/// A connection that came in.
pub(super) enum Arrived {
    Tcp(TcpStream, SocketAddr),
    Tls(TcpStream, SocketAddr, Arc<rustls::ServerConfig>),
    Unix(UnixStream, Option<u32>),
    /// A connection that believes to have reached this address.
    Captured(TcpStream, SocketAddr),
}

impl Arrived {
    /// Where it believes to be.
    pub(super) fn captured(&self) -> Option<SocketAddr> {
        match self {
            Self::Captured(_, to) => Some(*to),
            Self::Tcp(..) | Self::Tls(..) | Self::Unix(..) => None,
        }
    }
}

impl Listener {
    /// The address, of TCP.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener) | Self::Tls(listener, _) => listener.local_addr().ok(),
            Self::Unix(_) => None,
        }
    }

    pub(super) async fn accept(&self) -> io::Result<Arrived> {
        match self {
            Self::Tcp(listener) => listener.accept().await.map(|(stream, peer)| Arrived::Tcp(stream, peer)),
            Self::Tls(listener, config) => {
                let (stream, peer) = listener.accept().await?;
                Ok(Arrived::Tls(stream, peer, Arc::clone(config)))
            }
            Self::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                let uid = stream.peer_cred().ok().map(|peer| peer.uid());
                Ok(Arrived::Unix(stream, uid))
            }
        }
    }
}
