//! Every setting there is: its name in a file, its variable, its default. The only list.

use super::Places;

/// One setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// The store.
    DatabaseUrl,
    /// Where files are kept.
    DataDir,
    /// The API's address.
    Listen,
    /// The proxy's address.
    ProxyListen,
    /// The enforcement mode.
    Mode,
    /// The kill switch for `external.write`.
    KillSwitch,
    /// The hourly quota.
    EgressMaxRequestsPerHour,
    /// The longest wait of a proxied request.
    EgressHoldSeconds,
    /// The worker loop inside the server.
    WorkerEmbedded,
    /// Its fallback poll.
    WorkerPollMs,
    /// Its batch.
    WorkerBatchLimit,
    /// Its workspace.
    WorkerWorkspaceId,
    /// How many runs it drives at once.
    WorkerConcurrency,
    /// How long a run stays its own without a sign of life.
    WorkerLeaseSeconds,
    /// The folder with a workspace's policies.
    PoliciesDir,
    /// Whose they are.
    PoliciesWorkspace,
    /// How long the decision log is kept.
    DecisionLogDays,
    /// The install secret's file.
    HmacKeyFile,
    /// What is logged.
    LogFilter,
    /// How it is logged.
    LogFormat,
    /// The server a client talks to.
    ClientUrl,
    /// The workspace a client names.
    ClientWorkspace,
    /// The longest wait of a client.
    ClientTimeout,
    /// The file with a client's key.
    ClientKeyFile,
}

impl Key {
    /// All of them, in the order they are shown.
    pub const ALL: &'static [Self] = &[
        Self::DatabaseUrl,
        Self::DataDir,
        Self::Listen,
        Self::ProxyListen,
        Self::Mode,
        Self::KillSwitch,
        Self::EgressMaxRequestsPerHour,
        Self::EgressHoldSeconds,
        Self::WorkerEmbedded,
        Self::WorkerPollMs,
        Self::WorkerBatchLimit,
        Self::WorkerWorkspaceId,
        Self::WorkerConcurrency,
        Self::WorkerLeaseSeconds,
        Self::PoliciesDir,
        Self::PoliciesWorkspace,
        Self::DecisionLogDays,
        Self::HmacKeyFile,
        Self::LogFilter,
        Self::LogFormat,
        Self::ClientUrl,
        Self::ClientWorkspace,
        Self::ClientTimeout,
        Self::ClientKeyFile,
    ];

    /// Its name in a file, with its table.
    #[must_use]
    pub const fn path(self) -> &'static str {
        self.names().0
    }

    /// Its variable.
    #[must_use]
    pub const fn variable(self) -> &'static str {
        self.names().1
    }

    const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::DatabaseUrl => ("database_url", "DATABASE_URL"),
            Self::DataDir => ("data_dir", "EXEAT_DATA_DIR"),
            Self::Listen => ("listen", "EXEAT_LISTEN"),
            Self::ProxyListen => ("proxy_listen", "EXEAT_PROXY_LISTEN"),
            Self::Mode => ("mode", "POLICY_ENFORCEMENT_MODE"),
            Self::KillSwitch => ("kill_switch_external_write", "POLICY_KILL_SWITCH_EXTERNAL_WRITE"),
            Self::EgressMaxRequestsPerHour => ("egress.max_requests_per_hour", "EGRESS_MAX_REQUESTS_PER_HOUR"),
            Self::EgressHoldSeconds => ("egress.hold_seconds", "EXEAT_EGRESS_HOLD_SECONDS"),
            Self::WorkerEmbedded => ("worker.embedded", "RUN_WORKER_EMBEDDED"),
            Self::WorkerPollMs => ("worker.poll_ms", "RUN_WORKER_POLL_MS"),
            Self::WorkerBatchLimit => ("worker.batch_limit", "RUN_WORKER_BATCH_LIMIT"),
            Self::WorkerWorkspaceId => ("worker.workspace_id", "RUN_WORKER_WORKSPACE_ID"),
            Self::WorkerConcurrency => ("worker.concurrency", "RUN_WORKER_CONCURRENCY"),
            Self::WorkerLeaseSeconds => ("worker.lease_seconds", "RUN_WORKER_LEASE_SECONDS"),
            Self::PoliciesDir => ("policies.dir", "EXEAT_POLICIES"),
            Self::PoliciesWorkspace => ("policies.workspace", "EXEAT_POLICIES_WORKSPACE"),
            Self::DecisionLogDays => ("decision_log.days", "EXEAT_DECISION_LOG_DAYS"),
            Self::HmacKeyFile => ("hmac_key_file", "EXEAT_HMAC_KEY_FILE"),
            Self::LogFilter => ("log.filter", "EXEAT_LOG"),
            Self::LogFormat => ("log.format", "EXEAT_LOG_FORMAT"),
            Self::ClientUrl => ("client.url", "EXEAT_URL"),
            Self::ClientWorkspace => ("client.workspace", "EXEAT_WORKSPACE"),
            Self::ClientTimeout => ("client.timeout", "EXEAT_TIMEOUT"),
            Self::ClientKeyFile => ("client.key_file", "EXEAT_KEY_FILE"),
        }
    }

    /// Whether `./exeat.toml` may set it.
    #[must_use]
    pub const fn allowed_in_project(self) -> bool {
        !matches!(self, Self::ClientUrl | Self::ClientKeyFile)
    }

    /// The value without anybody's word. `None`: there is none, or it hangs on the data directory,
    /// which is filled in later.
    pub(super) fn default_text(self, places: &Places) -> Option<String> {
        let text = match self {
            Self::DataDir => return places.data_dir().map(|dir| dir.display().to_string()),
            Self::Listen => "127.0.0.1:7070",
            Self::ProxyListen => "127.0.0.1:7071",
            Self::Mode => "shadow",
            Self::KillSwitch => "false",
            Self::EgressMaxRequestsPerHour => "0",
            Self::EgressHoldSeconds => "8",
            Self::WorkerEmbedded => "true",
            Self::WorkerPollMs => "1000",
            Self::WorkerBatchLimit => "100",
            Self::WorkerConcurrency => "64",
            Self::WorkerLeaseSeconds => "30",
            Self::PoliciesWorkspace => "ws_dev",
            Self::DecisionLogDays => "30",
            Self::LogFilter => "info",
            Self::LogFormat => "auto",
            Self::ClientTimeout => "30s",
            Self::DatabaseUrl
            | Self::HmacKeyFile
            | Self::PoliciesDir
            | Self::WorkerWorkspaceId
            | Self::ClientUrl
            | Self::ClientWorkspace
            | Self::ClientKeyFile => return None,
        };
        Some(text.to_owned())
    }
}
