//! Runs, their steps and tool calls: where each stands.

use crate::text_enum::text_enum;

text_enum! {
    /// Where a run stands.
    pub enum RunStatus {
        /// Waiting for a worker.
        Queued = "queued",
        /// A worker has it, or somebody started it.
        Running = "running",
        /// Parked until a human has decided.
        WaitingApproval = "waiting_approval",
        /// Ended well.
        Succeeded = "succeeded",
        /// Ended badly.
        Failed = "failed",
        /// Called off.
        Cancelled = "cancelled",
    }
}

impl RunStatus {
    /// Whether nothing more happens to it.
    #[must_use]
    pub const fn is_ended(self) -> bool {
        match self {
            Self::Succeeded | Self::Failed | Self::Cancelled => true,
            Self::Queued | Self::Running | Self::WaitingApproval => false,
        }
    }
}

text_enum! {
    /// Where a step stands.
    pub enum StepStatus {
        /// No tool was called yet.
        Queued = "queued",
        /// A tool runs.
        Running = "running",
        /// Its last tool call, or its run, ended well.
        Succeeded = "succeeded",
        /// Its last tool call, or its run, ended badly.
        Failed = "failed",
    }
}

impl StepStatus {
    /// Whether something may still happen in it.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Queued | Self::Running)
    }
}

text_enum! {
    /// Where a tool call stands.
    pub enum ToolCallStatus {
        /// It runs.
        Running = "running",
        /// It ended well.
        Succeeded = "succeeded",
        /// It ended badly, or was not let.
        Failed = "failed",
    }
}

text_enum! {
    /// Why a worker no longer has a run.
    pub enum ReleaseReason {
        /// The run succeeded.
        Completed = "completed",
        /// The run failed.
        Failed = "failed",
        /// The run was called off.
        Cancelled = "cancelled",
        /// The run's time was over.
        TimedOut = "timed_out",
        /// The run waits for a human.
        Waiting = "waiting",
        /// The worker gave it back.
        Released = "released",
        /// The worker gave it back because it could not do it.
        Errored = "errored",
        /// The worker was not heard of.
        Expired = "expired",
    }
}
