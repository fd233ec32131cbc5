//! The worker: takes runs and drives them, many at once.
//!
//! One claimer per process takes as many runs as there is room for, and while they end quickly as
//! many again; each is then driven by a task of its own, and what they record shares transactions. One task keeps the leases of all of them. A
//! run that is no longer this worker's is dropped where it stands: whoever has it now goes on.

mod advance;
mod carry;
mod claimer;
mod drive;
mod pool;
mod process;

use std::time::Duration;

use egress::fetch::Fetcher;
use model::{Actor, ActorType, WorkspaceId, Zone};
use serde::Serialize;
use serde_json::Value;

use crate::Runs;
use crate::attempt::Holder;
use crate::plan::Plan;
use crate::process::Processes;
use crate::record::Author;

/// The name under which the worker acts.
pub(crate) const ACTOR: &str = "run_worker";

/// How a worker works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerConfig {
    /// Only runs of this workspace.
    pub workspace_id: Option<WorkspaceId>,
    /// How many runs it drives at once, at least 1.
    pub concurrency: usize,
    /// How many runs it takes at once, at least 1.
    pub batch: usize,
    /// How long a run stays its own without a sign of life.
    pub lease: Duration,
    /// How often it looks when nothing wakes it.
    pub poll: Duration,
}

impl Default for WorkerConfig {
    fn default() -> Self {
        Self {
            workspace_id: None,
            concurrency: 64,
            batch: 100,
            lease: Duration::from_secs(30),
            poll: Duration::from_secs(1),
        }
    }
}

/// What one cycle of a worker came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Cycle {
    /// Runs that were looked at.
    pub scanned: u64,
    /// Runs that were taken.
    pub claimed: u64,
    /// Of those, how many succeeded.
    pub completed: u64,
    /// Runs that failed, also while they were taken.
    pub failed: u64,
    /// Runs that now wait for a human.
    pub waiting: u64,
    /// Runs that were taken and then lost, given back or called off.
    pub skipped: u64,
}

/// How the driving of one run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Completed,
    Failed,
    Waiting,
    /// It is no longer this worker's.
    Lost,
}

impl Ending {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Waiting => "waiting",
            Self::Lost => "lost",
        }
    }
}

impl Cycle {
    fn count(&mut self, ending: Ending) {
        match ending {
            Ending::Completed => self.completed += 1,
            Ending::Failed => self.failed += 1,
            Ending::Waiting => self.waiting += 1,
            Ending::Lost => self.skipped += 1,
        }
    }
}

/// A worker of this process. Cloning gives another handle to the same one.
#[derive(Clone)]
pub struct Worker {
    runs: Runs,
    config: WorkerConfig,
    fetcher: Option<Fetcher>,
    processes: Option<Processes>,
}

impl Worker {
    /// A worker that has not begun, has no way out and starts no processes: its `http.request` and
    /// `process.exec` fail.
    #[must_use]
    pub fn new(runs: Runs, config: WorkerConfig) -> Self {
        Self { runs, config, fetcher: None, processes: None }
    }

    /// The same with a way out for `http.request`.
    #[must_use]
    pub fn with_way_out(self, fetcher: Fetcher) -> Self {
        Self { fetcher: Some(fetcher), ..self }
    }

    /// The same with tools that are processes.
    #[must_use]
    pub fn with_processes(self, processes: Processes) -> Self {
        Self { processes: Some(processes), ..self }
    }

    /// What a run's input asks for, with the tools there are here.
    fn plan(&self, input: &Value) -> Plan {
        match &self.processes {
            Some(processes) => Plan::with_tools(input, &|name| processes.config().tools.tool(name)),
            None => Plan::read(input),
        }
    }

    fn author() -> Author {
        Author { actor: Actor::new(ActorType::Service, ACTOR), principal_id: None, zone: Zone::Sandbox }
    }

    fn holder(&self) -> Holder {
        Holder { author: Self::author(), lease: self.config.lease }
    }
}
