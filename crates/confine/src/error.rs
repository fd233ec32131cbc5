//! Why a command was not run confined.

use gate::GateError;
use guard::{LaunchError, Layer};

/// Why a command was not run, or did not end as one.
#[derive(Debug, thiserror::Error)]
pub enum ConfineError {
    /// No rung that would do is proven live: nothing was started.
    #[error("isolation is not available: {}: {reason}", layer.as_str())]
    IsolationUnavailable {
        /// The layer that does not hold.
        layer: Layer,
        /// Why.
        reason: String,
        /// What to do about it, where something can be done.
        fix: Option<String>,
    },
    /// What it is to see or be given cannot be.
    #[error("{0}")]
    Plan(String),
    /// The command could not be executed.
    #[error("{command}: {error}")]
    Command {
        /// The program.
        command: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// What it tried, or asked, could not be recorded: all of it was killed.
    #[error("the event log cannot be written; the command was killed")]
    EventLog,
    /// The gate refused before anything was started.
    #[error(transparent)]
    Gate(#[from] GateError),
}

impl ConfineError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::IsolationUnavailable { .. } => "isolation_unavailable",
            Self::Plan(_) => "invalid_plan",
            Self::Command { .. } => "command_not_executable",
            Self::EventLog => "event_log_failure",
            Self::Gate(error) => match error {
                GateError::Refused(refusal) => refusal.code,
                GateError::Unauthenticated => "unauthenticated",
                GateError::KeyReused => "idempotency_key_reused",
                GateError::Unavailable(_) | GateError::Failed(_) => "event_log_failure",
            },
        }
    }

    /// What a shell would exit with: 125 for isolation and the log, 126 and 127 for a command that is not
    /// executable or not there.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Command { error, .. } if error.kind() == std::io::ErrorKind::NotFound => 127,
            Self::Command { .. } => 126,
            _ => 125,
        }
    }
}

impl From<LaunchError> for ConfineError {
    fn from(error: LaunchError) -> Self {
        match error {
            LaunchError::Layer { layer, what, error } => {
                Self::IsolationUnavailable { layer, reason: format!("{what}: {error}"), fix: None }
            }
            LaunchError::Plan(what) => Self::Plan(what),
            LaunchError::Command { command, error } => Self::Command { command, error },
            LaunchError::Gone => Self::IsolationUnavailable {
                layer: Layer::Spawner,
                reason: "the process that starts calls is gone".to_owned(),
                fix: Some("try again: a new one is started".to_owned()),
            },
        }
    }
}
