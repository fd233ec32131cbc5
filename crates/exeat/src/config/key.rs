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
    /// The certificate of the proxy's listener.
    ProxyTlsCert,
    /// Its key.
    ProxyTlsKey,
    /// Whether others may reach the proxy without TLS.
    ProxyDangerPlainNonLoopback,
    /// The proxy's unix socket.
    ProxyUnix,
    /// Who may use that socket.
    ProxyPeers,
    /// How many connections clients may have.
    ProxyMaxConnections,
    /// How many tunnels a principal may have open.
    ProxyTunnelsPerPrincipal,
    /// How many it may open in a second.
    ProxyTunnelsPerSecond,
    /// How many bytes it may move in an hour.
    ProxyBytesPerHour,
    /// Exceptions from the check for forbidden addresses.
    TrustedUpstreams,
    /// Names with an address of their own.
    Hosts,
    /// Who is asked for names.
    Dns,
    /// Prefixes of this network's NAT64.
    Nat64Prefixes,
    /// The proxy that everything goes through.
    UpstreamProxy,
    /// Who looks at addresses then.
    UpstreamProxyVetting,
    /// What is reached without it.
    NoProxy,
    /// Where kinds of credentials are at home besides.
    CredentialHomes,
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
    /// The file with the tools that are processes.
    ToolsFile,
    /// Where each run has a folder of its own.
    WorkDir,
    /// How long that is kept after the run.
    WorkKeptMinutes,
    /// Where the tools' programs are looked for.
    ExecPath,
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
        Self::ProxyTlsCert,
        Self::ProxyTlsKey,
        Self::ProxyDangerPlainNonLoopback,
        Self::ProxyUnix,
        Self::ProxyPeers,
        Self::ProxyMaxConnections,
        Self::ProxyTunnelsPerPrincipal,
        Self::ProxyTunnelsPerSecond,
        Self::ProxyBytesPerHour,
        Self::TrustedUpstreams,
        Self::Hosts,
        Self::Dns,
        Self::Nat64Prefixes,
        Self::UpstreamProxy,
        Self::UpstreamProxyVetting,
        Self::NoProxy,
        Self::CredentialHomes,
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
        Self::ToolsFile,
        Self::WorkDir,
        Self::WorkKeptMinutes,
        Self::ExecPath,
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
            Self::ProxyTlsCert => ("proxy.tls_cert", "EXEAT_PROXY_TLS_CERT"),
            Self::ProxyTlsKey => ("proxy.tls_key", "EXEAT_PROXY_TLS_KEY"),
            Self::ProxyDangerPlainNonLoopback => {
                ("proxy.danger_plain_non_loopback", "EXEAT_PROXY_DANGER_PLAIN_NON_LOOPBACK")
            }
            Self::ProxyUnix => ("proxy.unix", "EXEAT_PROXY_UNIX"),
            Self::ProxyPeers => ("proxy.peers", "EXEAT_PROXY_PEERS"),
            Self::ProxyMaxConnections => ("proxy.max_connections", "EXEAT_PROXY_MAX_CONNECTIONS"),
            Self::ProxyTunnelsPerPrincipal => ("proxy.tunnels_per_principal", "EXEAT_PROXY_TUNNELS_PER_PRINCIPAL"),
            Self::ProxyTunnelsPerSecond => ("proxy.tunnels_per_second", "EXEAT_PROXY_TUNNELS_PER_SECOND"),
            Self::ProxyBytesPerHour => ("proxy.bytes_per_hour", "EXEAT_PROXY_BYTES_PER_HOUR"),
            Self::TrustedUpstreams => ("trusted_upstreams", "EXEAT_TRUSTED_UPSTREAMS"),
            Self::Hosts => ("hosts", "EXEAT_HOSTS"),
            Self::Dns => ("dns", "EXEAT_DNS"),
            Self::Nat64Prefixes => ("nat64_prefixes", "EXEAT_NAT64_PREFIXES"),
            Self::UpstreamProxy => ("upstream_proxy.url", "EXEAT_UPSTREAM_PROXY"),
            Self::UpstreamProxyVetting => ("upstream_proxy.vetting", "EXEAT_UPSTREAM_PROXY_VETTING"),
            Self::NoProxy => ("upstream_proxy.no_proxy", "EXEAT_NO_PROXY"),
            Self::CredentialHomes => ("egress.credential_homes", "EXEAT_CREDENTIAL_HOMES"),
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
            Self::ToolsFile => ("exec.tools_file", "EXEAT_TOOLS_FILE"),
            Self::WorkDir => ("exec.work_dir", "EXEAT_WORK_DIR"),
            Self::WorkKeptMinutes => ("exec.work_kept_minutes", "EXEAT_EXEC_WORK_KEPT_MINUTES"),
            Self::ExecPath => ("exec.path", "EXEAT_EXEC_PATH"),
            Self::LogFilter => ("log.filter", "EXEAT_LOG"),
            Self::LogFormat => ("log.format", "EXEAT_LOG_FORMAT"),
            Self::ClientUrl => ("client.url", "EXEAT_URL"),
            Self::ClientWorkspace => ("client.workspace", "EXEAT_WORKSPACE"),
            Self::ClientTimeout => ("client.timeout", "EXEAT_TIMEOUT"),
            Self::ClientKeyFile => ("client.key_file", "EXEAT_KEY_FILE"),
        }
    }

    /// Whether it is a list, which a file may write as one.
    pub(super) const fn is_list(self) -> bool {
        matches!(
            self,
            Self::ProxyPeers
                | Self::TrustedUpstreams
                | Self::Hosts
                | Self::Dns
                | Self::Nat64Prefixes
                | Self::NoProxy
                | Self::CredentialHomes
        )
    }

    /// The variable that names a file with the value, where that may be a secret.
    pub(super) const fn file_variable(self) -> Option<&'static str> {
        match self {
            Self::DatabaseUrl => Some("DATABASE_URL_FILE"),
            Self::UpstreamProxy => Some("EXEAT_UPSTREAM_PROXY_FILE"),
            _ => None,
        }
    }

    /// Whether `./exeat.toml` may set it.
    #[must_use]
    pub const fn allowed_in_project(self) -> bool {
        // The last ones say what programs run: not for a folder that such a program may have written.
        !matches!(self, Self::ClientUrl | Self::ClientKeyFile | Self::ToolsFile | Self::ExecPath)
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
            Self::ProxyDangerPlainNonLoopback => "false",
            Self::ProxyMaxConnections => "20000",
            Self::ProxyTunnelsPerPrincipal => "1000",
            Self::ProxyTunnelsPerSecond => "0",
            Self::ProxyBytesPerHour => "0",
            Self::UpstreamProxyVetting => "own",
            Self::WorkerEmbedded => "true",
            Self::WorkerPollMs => "1000",
            Self::WorkerBatchLimit => "100",
            Self::WorkerConcurrency => "64",
            Self::WorkerLeaseSeconds => "30",
            Self::PoliciesWorkspace => "ws_dev",
            Self::DecisionLogDays => "30",
            Self::WorkKeptMinutes => "60",
            Self::ExecPath => "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            Self::LogFilter => "info",
            Self::LogFormat => "auto",
            Self::ClientTimeout => "30s",
            Self::DatabaseUrl
            | Self::HmacKeyFile
            | Self::ToolsFile
            | Self::WorkDir
            | Self::PoliciesDir
            | Self::CredentialHomes
            | Self::ProxyTlsCert
            | Self::ProxyTlsKey
            | Self::ProxyUnix
            | Self::ProxyPeers
            | Self::TrustedUpstreams
            | Self::Hosts
            | Self::Dns
            | Self::Nat64Prefixes
            | Self::UpstreamProxy
            | Self::NoProxy
            | Self::WorkerWorkspaceId
            | Self::ClientUrl
            | Self::ClientWorkspace
            | Self::ClientKeyFile => return None,
        };
        Some(text.to_owned())
    }
}
