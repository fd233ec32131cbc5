//! What the routes stand on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gate::Gate;
use metrics_exporter_prometheus::PrometheusHandle;
use runs::{Processes, Runs};
use tokio_util::sync::CancellationToken;

/// Which build this is, as `/version` and the OpenAPI document say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Build {
    /// The version, as in `Cargo.toml`.
    pub version: &'static str,
    /// The commit it was made from, where known.
    pub commit: Option<&'static str>,
}

/// Whether the proxy of this process takes connections. Cloning gives another handle to the same one.
#[derive(Debug, Clone)]
pub struct ProxyHealth(Arc<AtomicBool>);

impl ProxyHealth {
    /// Of a proxy that takes connections.
    #[must_use]
    pub fn serving() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }

    /// It takes none any more.
    pub fn ended(&self) {
        self.0.store(false, Ordering::Release);
    }

    pub(crate) fn is_serving(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// The API: what every route needs. Cloning gives another handle to the same one.
#[derive(Clone)]
pub struct Api {
    inner: Arc<Inner>,
}

#[derive(Clone)]
struct Inner {
    runs: Runs,
    build: Build,
    metrics: Option<PrometheusHandle>,
    proxy: Option<ProxyHealth>,
    processes: Option<Processes>,
    closing: CancellationToken,
}

impl Api {
    /// The API of `gate`. `metrics` renders `/metrics`; without it that route answers 404.
    #[must_use]
    pub fn new(gate: Gate, build: Build, metrics: Option<PrometheusHandle>) -> Self {
        let runs = Runs::new(gate);
        let closing = CancellationToken::new();
        Self { inner: Arc::new(Inner { runs, build, metrics, proxy: None, processes: None, closing }) }
    }

    /// The same beside a proxy, whose health `/readyz` tells.
    #[must_use]
    pub fn beside_proxy(self, proxy: ProxyHealth) -> Self {
        Self { inner: Arc::new(Inner { proxy: Some(proxy), ..(*self.inner).clone() }) }
    }

    /// The same with tools that are processes, whose guard `/readyz` tells.
    #[must_use]
    pub fn with_processes(self, processes: Processes) -> Self {
        Self { inner: Arc::new(Inner { processes: Some(processes), ..(*self.inner).clone() }) }
    }

    /// Ends the open event streams and turns `/readyz` to 503, so that nothing new is sent here.
    pub fn close(&self) {
        self.inner.closing.cancel();
    }

    pub(crate) fn gate(&self) -> &Gate {
        self.inner.runs.gate()
    }

    pub(crate) fn runs(&self) -> &Runs {
        &self.inner.runs
    }

    pub(crate) fn build(&self) -> &Build {
        &self.inner.build
    }

    pub(crate) fn metrics(&self) -> Option<&PrometheusHandle> {
        self.inner.metrics.as_ref()
    }

    pub(crate) fn proxy(&self) -> Option<&ProxyHealth> {
        self.inner.proxy.as_ref()
    }

    pub(crate) fn processes(&self) -> Option<&Processes> {
        self.inner.processes.as_ref()
    }

    pub(crate) fn closing(&self) -> &CancellationToken {
        &self.inner.closing
    }
}
