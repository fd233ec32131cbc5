//! Logs and metrics of a server process. They are not the event log: no fact exists only here.

use std::io::IsTerminal as _;

use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::{LogConfig, LogFormat};
use crate::exit::Exit;
use crate::failure::Failure;

/// Why telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The log filter cannot be read.
    #[error("the log filter cannot be read")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Something else of this process already takes the logs.
    #[error("logs are already set up")]
    Logs(#[from] tracing_subscriber::util::TryInitError),
    /// Something else of this process already takes the metrics.
    #[error("metrics are already set up")]
    Metrics(#[from] BuildError),
}

impl From<TelemetryError> for Failure {
    fn from(error: TelemetryError) -> Self {
        let why = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
        Self::new(Exit::Failure, "telemetry", "logs or metrics cannot be set up").why(why).next("check EXEAT_LOG")
    }
}

/// Bounds of every duration histogram, in seconds: 100 µs to 10 s.
const DURATION_BUCKETS_S: &[f64] =
    &[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Sends logs to standard error: text on a terminal, JSON elsewhere, unless `config` says which.
///
/// # Errors
/// [`TelemetryError`]; logs can be set up once per process.
pub fn install_logs(config: &LogConfig) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(&config.filter)?;
    let registry = tracing_subscriber::registry().with(filter);
    if writes_json(config.format, std::io::stderr().is_terminal()) {
        registry
            .with(tracing_subscriber::fmt::layer().json().flatten_event(true).with_writer(std::io::stderr))
            .try_init()?;
    } else {
        let colour = anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
        registry
            .with(tracing_subscriber::fmt::layer().with_ansi(colour).with_target(false).with_writer(std::io::stderr))
            .try_init()?;
    }
    Ok(())
}

fn writes_json(format: LogFormat, terminal: bool) -> bool {
    match format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !terminal,
    }
}

/// Takes the metrics of this process and returns the handle that renders them for `/metrics`.
///
/// The caller runs [`PrometheusHandle::run_upkeep`] every few seconds, or histograms grow.
///
/// # Errors
/// [`TelemetryError::Metrics`]; metrics can be set up once per process.
pub fn install_metrics(version: &'static str) -> Result<PrometheusHandle, TelemetryError> {
    let handle = recorder()?.install_recorder()?;
    metrics::describe_gauge!("exeat_build_info", "the version that runs");
    metrics::gauge!("exeat_build_info", "version" => version).set(1.0);
    Ok(handle)
}

fn recorder() -> Result<PrometheusBuilder, BuildError> {
    PrometheusBuilder::new().set_buckets(DURATION_BUCKETS_S)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_are_json_where_nobody_reads_along() {
        for (format, terminal, json) in [
            (LogFormat::Auto, true, false),
            (LogFormat::Auto, false, true),
            (LogFormat::Text, false, false),
            (LogFormat::Json, true, true),
        ] {
            assert_eq!(writes_json(format, terminal), json, "{format:?} {terminal}");
        }
    }

    #[test]
    fn durations_are_histograms_with_our_bounds() {
        let recorder = recorder().unwrap().build_recorder();
        metrics::with_local_recorder(&recorder, || {
            metrics::histogram!("exeat_decision_duration_seconds").record(0.0003);
        });
        let text = recorder.handle().render();
        assert!(text.contains("exeat_decision_duration_seconds_bucket{le=\"0.00025\"} 0"), "{text}");
        assert!(text.contains("exeat_decision_duration_seconds_bucket{le=\"0.0005\"} 1"), "{text}");
    }
}
