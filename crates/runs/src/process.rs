//! Tools that are processes: what they are asked for, what they get, what is kept of what they say.
//!
//! ```text
//! input ─read▶ Wanted ─┐
//! tools file ─load▶ Toolbox ─┴▶ launch ─▶ the guard ─▶ Ended ─▶ told ─▶ what the tool gave
//! ```
//!
//! Nothing here starts a process: the guard does, or nobody. There is no setting, variable or input that
//! goes without it, and a guard that is not proven live starts nothing.

mod captured;
mod codes;
mod folder;
mod launch;
mod size;
mod told;
mod tools;
mod wanted;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use confine::{Call, ConfineError, Confiner, Ended, Finding, GuardState, Held};
use futures::future::BoxFuture;
use gate::Gate;
use serde_json::Value;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::machine::Failure;
use crate::plan::{Flaw, Tool};

pub use codes::{TOOL_CODES, tool_code};
pub(crate) use launch::{Errand, LaunchError};
pub(crate) use told::{Outcome, event, failed, uncertain};
pub use tools::{ToolFileError, Toolbox};
pub(crate) use wanted::Wanted;

/// How long what a self-test found missing is taken for missing.
const RETEST: Duration = Duration::from_secs(30);

/// Whoever runs commands confined: the guard, and in tests somebody who only says so.
pub trait Confined: Send + Sync {
    /// Runs a command to its end; `stop` kills its whole tree, as does dropping the future.
    fn run(&self, call: Call, stop: CancellationToken) -> BoxFuture<'_, Result<Ended, ConfineError>>;
    /// Proves what holds commands, and keeps what was found.
    fn self_test(&self) -> BoxFuture<'_, Arc<GuardState>>;
    /// What the last self-test found.
    fn state(&self) -> Arc<GuardState>;
    /// How many commands were started.
    fn spawned(&self) -> u64;
}

impl Confined for Confiner {
    fn run(&self, call: Call, stop: CancellationToken) -> BoxFuture<'_, Result<Ended, ConfineError>> {
        Box::pin(Self::run(self, call, stop))
    }

    fn self_test(&self) -> BoxFuture<'_, Arc<GuardState>> {
        Box::pin(Self::self_test(self))
    }

    fn state(&self) -> Arc<GuardState> {
        Self::state(self)
    }

    fn spawned(&self) -> u64 {
        Self::spawned(self)
    }
}

/// What the tools of this process that are processes get.
#[derive(Debug, Clone)]
pub struct ProcessConfig {
    /// The tools of the operator's tools file.
    pub tools: Toolbox,
    /// Where each run has a folder of its own; made when it is not there.
    pub work_dir: PathBuf,
    /// How long that folder is kept after the run has ended.
    pub kept_for: Duration,
    /// What no tool ever sees: this program's own store, configuration and keys.
    pub masked: Vec<PathBuf>,
    /// Where programs are looked for: the tools' `PATH`.
    pub path: String,
}

impl ProcessConfig {
    /// No tools but `process.exec`, folders kept for an hour, the system's programs.
    #[must_use]
    pub fn new(work_dir: PathBuf) -> Self {
        Self {
            tools: Toolbox::default(),
            work_dir,
            kept_for: Duration::from_secs(3_600),
            masked: Vec::new(),
            path: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
        }
    }
}

/// What of the guard is proven live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardReport {
    /// Whether commands are run at all.
    pub ready: bool,
    /// The rungs that are wholly live, strongest first.
    pub rungs: Vec<&'static str>,
    /// Every layer that was probed.
    pub layers: Vec<GuardLayer>,
    /// What may leave without a rule that lets it: nothing.
    pub allowlist: Vec<String>,
    /// How many commands were started in this process.
    pub spawned: u64,
    /// What the layers come to.
    pub digest: String,
    /// The tools of the tools file.
    pub tools: Vec<String>,
}

/// A layer of the guard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardLayer {
    /// In which rung.
    pub rung: &'static str,
    /// Its name.
    pub layer: &'static str,
    /// `live`, `missing` or `broken`.
    pub state: &'static str,
    /// Why it is not live.
    pub reason: Option<String>,
    /// What to do about that.
    pub fix: Option<String>,
}

/// The tools of this process that are processes. Cloning gives another handle to the same ones.
#[derive(Clone)]
pub struct Processes {
    inner: Arc<Inner>,
}

struct Inner {
    confined: Box<dyn Confined>,
    config: ProcessConfig,
    /// When the guard was tested last.
    tested: Mutex<Option<Instant>>,
}

impl Processes {
    /// Tools held by `confined`.
    #[must_use]
    pub fn new(confined: impl Confined + 'static, config: ProcessConfig) -> Self {
        Self { inner: Arc::new(Inner { confined: Box::new(confined), config, tested: Mutex::new(None) }) }
    }

    /// The guard as it was found: tested at the first call, and again after a while when it was not live.
    pub async fn tested(&self) -> Arc<GuardState> {
        let mut tested = self.inner.tested.lock().await;
        let state = self.inner.confined.state();
        let old = tested.is_none_or(|at| !state.is_ready() && at.elapsed() >= RETEST);
        if !old {
            return state;
        }
        let state = self.inner.confined.self_test().await;
        *tested = Some(Instant::now());
        if let Some(missing) = state.failing().filter(|_| !state.is_ready()) {
            let reason = missing.reason.as_deref().unwrap_or_default();
            tracing::error!(layer = missing.layer.as_str(), reason, "isolation is not available: no process tool runs");
        }
        state
    }

    /// The guard as it was found, in words.
    pub async fn report(&self) -> GuardReport {
        let state = self.tested().await;
        let layer = |finding: &Finding| GuardLayer {
            rung: finding.rung.as_str(),
            layer: finding.layer.as_str(),
            state: match finding.state {
                Held::Live => "live",
                Held::Missing => "missing",
                Held::Broken => "broken",
            },
            reason: finding.reason.clone(),
            fix: finding.fix.clone(),
        };
        GuardReport {
            ready: state.is_ready(),
            rungs: state.rungs.iter().map(|rung| rung.as_str()).collect(),
            layers: state.findings.iter().map(layer).collect(),
            allowlist: state.allowlist.clone(),
            spawned: self.spawned(),
            digest: state.digest.clone(),
            tools: self.config().tools.names().map(str::to_owned).collect(),
        }
    }

    /// How many commands were started in this process.
    #[must_use]
    pub fn spawned(&self) -> u64 {
        self.inner.confined.spawned()
    }

    pub(crate) fn config(&self) -> &ProcessConfig {
        &self.inner.config
    }

    pub(crate) fn confined(&self) -> &dyn Confined {
        &*self.inner.confined
    }
}

impl Processes {
    /// What a process tool is to run.
    pub(crate) fn wanted(&self, tool: &Tool, input: &Value) -> Result<Wanted, Failure> {
        let unknown = || {
            let (code, message) = Flaw::UnknownTool.told();
            Failure::coded("plan", code, message, tool.name())
        };
        match tool {
            Tool::ProcessExec => Wanted::exec(input),
            Tool::Registered(name) => Wanted::registered(self.config().tools.get(name).ok_or_else(unknown)?, input),
            Tool::Noop | Tool::EgressRequest | Tool::HttpRequest => Err(unknown()),
        }
    }
}

/// The keyed digest of a tool's input.
pub(crate) fn input_hmac(gate: &Gate, input: &Value) -> String {
    gate.input_hmac(input)
}
