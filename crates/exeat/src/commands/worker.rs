//! `exeat worker`: queued runs, driven in a process of their own, on the store itself.

use egress::proxy::Proxy;
use gate::Gate;
use runs::{Cycle, Runs, Worker};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{gate_failure, store_access};
use crate::config::Config;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::{confinement, proxy, server, telemetry, way_out};

/// Drive queued runs
#[derive(Debug, clap::Args)]
#[command(
    before_help = "Examples:\n  exeat worker\n  exeat worker --once --json\n  exeat worker --workspace ws_a --batch 20"
)]
pub struct Args {
    /// Take what there is, drive it to its end, and stop
    #[arg(long)]
    pub once: bool,
    /// How many runs are taken at once [env: RUN_WORKER_BATCH_LIMIT] [default: 100]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub batch: Option<u32>,
}

/// Works until it is asked to end, or once.
///
/// # Errors
/// See [`Failure`].
pub async fn run(args: &Args, config: &Config, workspace: Option<&str>, output: Output) -> Result<Exit, Failure> {
    telemetry::install_logs(&config.log)?;
    let mut how = config.run_worker.worker();
    if let Some(workspace) = store_access::workspace(workspace)? {
        how.workspace_id = Some(workspace);
    }
    if let Some(batch) = args.batch {
        how.batch = usize::try_from(batch).unwrap_or(usize::MAX);
    }
    let store = store_access::open(config, true).await?;
    let gate = Gate::new(store.clone(), store_access::secret(config)?);
    let dialer = way_out::dialer(&config.egress)?;
    let fetcher = way_out::fetcher(dialer.clone(), &config.egress.credential_homes)?;
    let proxy = Proxy::new(gate.clone(), dialer, proxy::settings(config));
    let processes = confinement::processes(&gate, &proxy, config)?;
    let worker =
        Worker::new(Runs::new(gate.clone()), how.clone()).with_way_out(fetcher).with_processes(processes.clone());
    let cycle = if args.once {
        worker.once().await.map_err(|error| gate_failure(&error))?
    } else {
        let whose = how.workspace_id.as_ref().map_or("all workspaces", |id| id.as_str());
        output.say(&format!(
            "exeat {} · worker for {whose} · store {} · {} runs at once",
            env!("CARGO_PKG_VERSION"),
            config.database_url,
            how.concurrency
        ));
        let stop = CancellationToken::new();
        processes.tested().await;
        let mut beside = server::housekeeping(&gate, &stop, config.decision_log);
        beside.push(server::sweep_folders(&processes, &gate, &stop));
        let ended = stop.clone();
        tokio::spawn(async move {
            server::asked_to_end().await;
            ended.cancel();
        });
        let cycle = worker.run(stop).await;
        for task in beside {
            let _ = task.await;
        }
        cycle
    };
    gate.close_gateway().await;
    gate.flush_logs().await;
    store.drained().await;
    show(&cycle, output)?;
    Ok(Exit::Ok)
}

fn show(cycle: &Cycle, output: Output) -> Result<(), Failure> {
    if output.is_json() {
        return output.json_line(&json!(cycle));
    }
    output.line(&format!(
        "{} looked at, {} taken: {} completed, {} failed, {} waiting, {} skipped",
        cycle.scanned, cycle.claimed, cycle.completed, cycle.failed, cycle.waiting, cycle.skipped
    ))
}
