//! Configuration: flag > environment > `./exeat.toml` > the user's file > `/etc/exeat` > default.
//!
//! Every value knows where it came from. An unknown key, or a value that cannot be read, stops the
//! program and names the place; nothing is ever guessed. `--config FILE` (or `EXEAT_CONFIG`) takes
//! the place of all three files.
//!
//! `./exeat.toml` may not say which server a client talks to or which key it shows: it may have
//! come with somebody else's repository, and the key would follow it.

mod database_url;
mod egress;
mod environment;
mod error;
mod file;
mod key;
mod layers;
mod parse;
mod places;
mod upstream_proxy_url;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

pub use database_url::DatabaseUrl;
pub use egress::{EgressConfig, EgressLimits, PeerConfig, TlsFiles, UnixConfig, UpstreamProxyConfig};
pub use environment::Environment;
pub use error::ConfigError;
pub use key::Key;
pub use layers::{Entry, Flags, Layers, Origin};
pub use places::Places;
pub use upstream_proxy_url::UpstreamProxyUrl;

/// What a server process runs with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The store.
    pub database_url: DatabaseUrl,
    /// Where files are kept: the embedded store, the install secret.
    pub data_dir: PathBuf,
    /// Where the HTTP API listens.
    pub listen: SocketAddr,
    /// Where the forward proxy listens.
    pub proxy_listen: SocketAddr,
    /// The mode of workspaces that have none of their own.
    pub mode: model::Mode,
    /// `external.write` is denied whatever the approvals.
    pub kill_switch: bool,
    /// Requests per rolling hour and principal; 0 is off.
    pub egress_max_requests_per_hour: u64,
    /// How long a proxied request may wait for a human; zero is off.
    pub egress_hold: Duration,
    /// The way out.
    pub egress: EgressConfig,
    /// The worker loop in this process.
    pub run_worker: RunWorkerConfig,
    /// The folder with a workspace's policies, when there is one.
    pub policies: Option<PoliciesConfig>,
    /// How long the decision log is kept: what replay and the shadow report can look back at.
    pub decision_log: Duration,
    /// The install secret that keys every digest of caller data.
    pub hmac_key_file: PathBuf,
    /// Tools that are processes.
    pub exec: ExecConfig,
    /// What is logged, and how.
    pub log: LogConfig,
}

/// A folder with policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoliciesConfig {
    /// The folder.
    pub dir: PathBuf,
    /// The workspace whose they are.
    pub workspace_id: model::WorkspaceId,
}

/// The worker loop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunWorkerConfig {
    /// Whether it runs inside `dev` and `serve`.
    pub embedded: bool,
    /// Pause between two looks when nothing wakes it.
    pub poll: Duration,
    /// How many runs it takes at once, at least 1.
    pub batch_limit: u32,
    /// Only this workspace; without it all.
    pub workspace_id: Option<String>,
    /// How many runs it drives at once, at least 1.
    pub concurrency: usize,
    /// How long a run stays its own without a sign of life.
    pub lease: Duration,
}

impl RunWorkerConfig {
    /// The same as the worker takes it.
    #[must_use]
    pub fn worker(&self) -> runs::WorkerConfig {
        runs::WorkerConfig {
            workspace_id: self.workspace_id.clone().map(model::WorkspaceId::from_stored),
            concurrency: self.concurrency,
            batch: usize::try_from(self.batch_limit).unwrap_or(usize::MAX),
            lease: self.lease,
            poll: self.poll,
        }
    }
}

/// Tools that are processes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecConfig {
    /// The operator's file with such tools.
    pub tools_file: Option<PathBuf>,
    /// Where each run has a folder of its own.
    pub work_dir: PathBuf,
    /// How long that folder is kept after the run has ended.
    pub work_kept: Duration,
    /// Where the tools' programs are looked for.
    pub path: String,
}

/// Logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// A filter such as `info,exeat=debug`.
    pub filter: String,
    /// How a line looks.
    pub format: LogFormat,
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// For reading.
    Text,
    /// One object per line.
    Json,
}

/// What a client command runs with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientConfig {
    /// The server, when somebody named one.
    pub url: Option<String>,
    /// The workspace to send, when somebody named one.
    pub workspace: Option<String>,
    /// How long one request may take.
    pub timeout: Duration,
    /// The file with the key, when somebody named one.
    pub key_file: Option<PathBuf>,
}

impl Config {
    /// Reads every server value out of the layers.
    ///
    /// # Errors
    /// The first value that cannot be read, with its variable or file.
    pub fn from_layers(layers: &Layers) -> Result<Self, ConfigError> {
        let data_dir = PathBuf::from(layers.required(Key::DataDir)?.text);
        Ok(Self {
            database_url: layers.read(Key::DatabaseUrl, parse::database_url)?,
            listen: layers.read(Key::Listen, parse::listen)?,
            proxy_listen: layers.read(Key::ProxyListen, parse::listen)?,
            mode: layers.read(Key::Mode, parse::mode)?,
            kill_switch: layers.read(Key::KillSwitch, parse::boolean)?,
            egress_max_requests_per_hour: layers.read(Key::EgressMaxRequestsPerHour, parse::count)?,
            egress_hold: Duration::from_secs(layers.read(Key::EgressHoldSeconds, parse::hold_seconds)?),
            egress: EgressConfig::from_layers(layers)?,
            run_worker: RunWorkerConfig {
                embedded: layers.read(Key::WorkerEmbedded, parse::boolean)?,
                poll: Duration::from_millis(layers.read(Key::WorkerPollMs, parse::positive)?),
                batch_limit: layers.read(Key::WorkerBatchLimit, parse::batch_limit)?,
                workspace_id: layers.optional(Key::WorkerWorkspaceId, parse::name)?.flatten(),
                concurrency: layers.read(Key::WorkerConcurrency, parse::concurrency)?,
                lease: Duration::from_secs(layers.read(Key::WorkerLeaseSeconds, parse::lease_seconds)?),
            },
            policies: match layers.optional(Key::PoliciesDir, parse::path)? {
                Some(dir) => {
                    Some(PoliciesConfig { dir, workspace_id: layers.read(Key::PoliciesWorkspace, parse::workspace)? })
                }
                None => None,
            },
            decision_log: Duration::from_secs(
                layers.read(Key::DecisionLogDays, parse::decision_log_days)?.saturating_mul(24 * 3_600),
            ),
            hmac_key_file: PathBuf::from(layers.required(Key::HmacKeyFile)?.text),
            exec: ExecConfig {
                tools_file: layers.optional(Key::ToolsFile, parse::path)?,
                work_dir: layers.read(Key::WorkDir, parse::path)?,
                work_kept: Duration::from_secs(
                    layers.read(Key::WorkKeptMinutes, parse::work_kept_minutes)?.saturating_mul(60),
                ),
                path: layers.read(Key::ExecPath, parse::search_path)?,
            },
            log: LogConfig::from_layers(layers)?,
            data_dir,
        })
    }
}

impl LogConfig {
    /// Reads the log settings alone; the client commands need no more.
    ///
    /// # Errors
    /// The value that cannot be read.
    pub fn from_layers(layers: &Layers) -> Result<Self, ConfigError> {
        Ok(Self {
            filter: layers.read(Key::LogFilter, parse::log_filter)?,
            format: layers.read(Key::LogFormat, parse::log_format)?,
        })
    }
}

impl ClientConfig {
    /// Reads the client values alone, so that a slip in a server's variable does not stop a client.
    ///
    /// # Errors
    /// The first value that cannot be read.
    pub fn from_layers(layers: &Layers) -> Result<Self, ConfigError> {
        Ok(Self {
            url: layers.optional(Key::ClientUrl, parse::base_url)?,
            workspace: layers.optional(Key::ClientWorkspace, parse::name)?.flatten(),
            timeout: layers.read(Key::ClientTimeout, parse::timeout)?,
            key_file: layers.optional(Key::ClientKeyFile, parse::path)?,
        })
    }
}

#[cfg(test)]
mod tests;
