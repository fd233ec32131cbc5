//! The forward proxy: the one place where requests of others come in to go out.
//!
//! The path of a request is that of the folders: [`listener`] → [`connection`] (what is spoken) → [`http1`]
//! and the others (one carrier each) → [`admit`] (decided, recorded, held, dialed: the same for all) →
//! [`exchange`] (a plain request and its answer) or [`tunnel`] (bytes).
//!
//! What it deliberately lacks: an opinion on what may go out, a cache, TLS of the client's, and a parser of
//! its own for anything that `wire` reads.
//!
//! # Invariants
//! 1. Nothing goes out but by [`admit`].
//! 2. No byte of a request leaves before its record is durable: the way in takes the permit.
//! 3. What is open is asked about again, and ends when it is no longer allowed ([`live`]).

mod admit;
mod captured;
mod config;
mod confined;
mod connection;
mod exchange;
mod http1;
mod http2;
mod identity;
mod limits;
mod listener;
mod live;
mod meters;
mod refusal;
pub(crate) mod scan;
mod socks;
mod stream;
mod tunnel;
mod via;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gate::Gate;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::dial::Dialer;
use crate::dial::pool::{Pool, PoolConfig};

pub use config::{Approvers, Limits, ProxyConfig, Timeouts};
pub use confined::{Names, Naming, Ruling, Witness};
pub use identity::{Identity, Peer, Run};
pub use listener::Listener;

/// How long is waited for what was cut.
const AFTER_CUT: Duration = Duration::from_secs(3);
/// How long accepting pauses when the process has no file descriptor left.
const EXHAUSTED: Duration = Duration::from_millis(50);

/// What a connection that was accepted elsewhere wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// It speaks to a proxy.
    Proxy,
    /// It believes to have reached this address, which may stand for a name.
    Captured(SocketAddr),
}

/// The proxy. Cloning gives another handle to the same one; it may serve many listeners.
#[derive(Clone)]
pub struct Proxy {
    inner: Arc<Inner>,
}

struct Inner {
    gate: Gate,
    dialer: Dialer,
    pool: Pool<Box<exchange::Carrier>>,
    config: ProxyConfig,
    live: live::Registry,
    accounts: limits::Accounts,
    strangers: limits::Strangers,
    via: via::Via,
    homes: scan::Homes,
    meters: meters::Meters,
    connections: AtomicUsize,
    watching: std::sync::Once,
}

impl Proxy {
    /// A proxy that asks `gate` and goes out by `dialer`.
    #[must_use]
    pub fn new(gate: Gate, dialer: Dialer, config: ProxyConfig) -> Self {
        let instance = format!("{:016x}", rand_instance());
        Self {
            inner: Arc::new(Inner {
                pool: Pool::new(dialer.guard().clone(), PoolConfig::default()),
                live: live::Registry::default(),
                accounts: limits::Accounts::new(config.limits),
                strangers: limits::Strangers::new(&config.limits),
                via: via::Via::new(&instance),
                homes: scan::Homes::new(&config.credential_homes),
                meters: meters::Meters::default(),
                connections: AtomicUsize::new(0),
                watching: std::sync::Once::new(),
                gate,
                dialer,
                config,
            }),
        }
    }

    /// Serves a listener until `stop`, then until what was going on has ended: for
    /// as long as the configuration says; what is then still open is cut.
    ///
    /// The listener's own address becomes one that nothing can be asked to go to.
    ///
    /// # Errors
    /// When nothing can be accepted any more.
    ///
    /// # Cancel safety
    /// When the future is dropped nothing more is accepted; what was going on goes on.
    pub async fn serve(&self, listener: Listener, identity: Identity, stop: CancellationToken) -> io::Result<()> {
        if let Some(address) = listener.address() {
            self.inner.dialer.guard().register_listener(address);
        }
        self.watch();
        let identity = Arc::new(identity);
        let tasks = TaskTracker::new();
        let served = self.accept(&listener, &identity, &stop, &tasks).await;
        drop(listener);
        tasks.close();
        if tokio::time::timeout(self.inner.config.drain, tasks.wait()).await.is_err() {
            self.inner.live.cut_all();
            let _ = tokio::time::timeout(AFTER_CUT, tasks.wait()).await;
        }
        served
    }

    /// Serves one connection that was accepted elsewhere, to its end. With a `stop` that is cancelled it ends
    /// as soon as nothing is going on.
    ///
    /// # Cancel safety
    /// When the future is dropped the connection is closed; what was let out on it is recorded as cut.
    pub async fn serve_one(&self, stream: TcpStream, how: Entry, identity: Arc<Identity>, stop: CancellationToken) {
        self.watch();
        let Some(place) = Connected::new(&self.inner) else { return };
        let arrived = match (how, stream.peer_addr()) {
            (Entry::Captured(to), _) => listener::Arrived::Captured(stream, to),
            (Entry::Proxy, Ok(peer)) => listener::Arrived::Tcp(stream, peer),
            (Entry::Proxy, Err(_)) => return,
        };
        connection::serve(Arc::clone(&self.inner), arrived, identity, stop).await;
        drop(place);
    }

    /// Begins to look at what is open, once.
    fn watch(&self) {
        self.inner.watching.call_once(|| {
            tokio::spawn(live::watch(Arc::downgrade(&self.inner)));
        });
    }

    async fn accept(
        &self,
        listener: &Listener,
        identity: &Arc<Identity>,
        stop: &CancellationToken,
        tasks: &TaskTracker,
    ) -> io::Result<()> {
        loop {
            let accepted = tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                accepted = listener.accept() => accepted,
            };
            let arrived = match accepted {
                Ok(arrived) => arrived,
                Err(error) if is_passing(&error) => continue,
                Err(error) => {
                    tracing::warn!(%error, "the proxy cannot accept connections for a moment");
                    tokio::time::sleep(EXHAUSTED).await;
                    continue;
                }
            };
            let Some(place) = Connected::new(&self.inner) else { continue };
            let inner = Arc::clone(&self.inner);
            let (identity, stop) = (Arc::clone(identity), stop.clone());
            tasks.spawn(async move {
                connection::serve(inner, arrived, identity, stop).await;
                drop(place);
            });
        }
    }
}

/// One of the connections that there may be.
struct Connected(Arc<Inner>);

impl Connected {
    fn new(inner: &Arc<Inner>) -> Option<Self> {
        if inner.connections.fetch_add(1, Ordering::AcqRel) < inner.config.limits.connections_max {
            return Some(Self(Arc::clone(inner)));
        }
        inner.connections.fetch_sub(1, Ordering::AcqRel);
        inner.meters.turned_away("connection_limit");
        None
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Whether only the one connection is at fault.
fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// Something that no other instance has.
fn rand_instance() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(std::process::id())
}
