//! Runs: queued work that is driven step by step, every tool call through the gate.
//!
//! ```text
//! create ─▶ queued ─claim▶ running ─▶ succeeded · failed
//!             ▲               │  ▲
//!             │ lease over    │  │ approved
//!             └───────────────┘  │
//!                       waiting_approval ─▶ failed (denied, expired)
//! ```
//!
//! What it deliberately lacks: decisions of its own (the gate makes them), SQL, HTTP.
//!
//! Invariants kept here: a run ends exactly once; only who holds its lease writes into it; no tool
//! call is left running by a run that has ended; what a worker records for a run follows from
//! [`machine::step`], a pure function.
//!
//! Start with [`Runs`], then [`machine`], then [`worker`].

mod attempt;
mod cancel;
mod claim;
mod create;
mod error;
mod execute;
mod finish;
mod http;
mod lease;
pub mod machine;
pub mod plan;
mod process;
mod record;
mod start;
mod steps;
mod tool_calls;
pub mod worker;

use gate::Gate;

pub use cancel::CancelRunInput;
pub use claim::{ClaimRunsInput, ClaimRunsOutput, ClaimedRun};
pub use create::{CreateRunInput, CreateRunOutput};
pub use execute::{ExecuteError, ExecuteToolCallInput};
pub use finish::{CompleteRunInput, FailRunInput};
pub use lease::{HeartbeatInput, HeartbeatOutput, ReleaseInput};
pub use process::{
    Confined, GuardLayer, GuardReport, ProcessConfig, Processes, TOOL_CODES, ToolFileError, Toolbox, tool_code,
};
pub use record::RunOutput;
pub use steps::{CreateStepInput, CreateStepOutput};
pub use tool_calls::{FailToolCallInput, SucceedToolCallInput, ToolCallInput, ToolCallOutput, ToolCallRowOutput};
pub use worker::{Cycle, Worker, WorkerConfig};

/// Runs and what is done with them. Cloning gives another handle to the same ones.
#[derive(Clone)]
pub struct Runs {
    gate: Gate,
}

impl Runs {
    /// The runs of the gate's store.
    #[must_use]
    pub fn new(gate: Gate) -> Self {
        Self { gate }
    }

    /// The gate that every tool call passes.
    #[must_use]
    pub fn gate(&self) -> &Gate {
        &self.gate
    }
}
