//! A worker that looks for itself only once in a while is woken when there is something to do.

use std::time::Duration;

use model::run::RunStatus;
use model::{Role, RunId};
use runs::{Runs, Worker, WorkerConfig};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::bed::{Bed, asked, assert_at_rest, assert_sound, caller, decide, on_both, queued, row};

/// Far from the worker's own look, and longer than a loaded machine takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A worker that looks once in ten minutes.
struct Working {
    stop: CancellationToken,
    task: tokio::task::JoinHandle<runs::Cycle>,
}

impl Working {
    async fn begin(runs: &Runs) -> Self {
        let config = WorkerConfig { poll: Duration::from_secs(600), ..WorkerConfig::default() };
        let stop = CancellationToken::new();
        let task = tokio::spawn(Worker::new(runs.clone(), config).run(stop.clone()));
        // So that what it does at its start does not count; were it slower, the test would be weaker.
        tokio::time::sleep(Duration::from_millis(500)).await;
        Self { stop, task }
    }

    async fn end(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

async fn becomes(runs: &Runs, run: &RunId, status: RunStatus) {
    let wait = async {
        while row(runs, run).await.status != status {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let ended = tokio::time::timeout(PATIENCE, wait).await;
    assert!(ended.is_ok(), "{:?} and not {status:?}", row(runs, run).await);
}

fn waits() -> serde_json::Value {
    let egress = json!({"target_url": "https://example.com/x", "action": "external.write"});
    json!({"runtime": {"egress": egress, "on_approval": "wait"}})
}

/// Makes a run and decides its approval through `deciding`, while a worker works on `runs`.
async fn wakes(bed: &Bed, runs: &Runs, deciding: &Runs) {
    let working = Working::begin(runs).await;
    let owner = caller(deciding, Role::Owner).await;
    let plain = queued(deciding, &owner, json!({})).await;
    becomes(runs, &plain, RunStatus::Succeeded).await;
    for (decision, status) in [("approve", RunStatus::Succeeded), ("deny", RunStatus::Failed)] {
        let run = queued(deciding, &owner, waits()).await;
        becomes(runs, &run, RunStatus::WaitingApproval).await;
        decide(deciding, &asked(runs, &run).await, decision).await;
        becomes(runs, &run, status).await;
    }
    working.end().await;
    assert_at_rest(runs).await;
    assert_sound(bed, runs).await;
}

async fn by_what_happens_in_its_own_process(bed: &Bed) {
    let runs = bed.runs().await;
    wakes(bed, &runs, &runs).await;
}

/// The other process is another store on the same database.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_what_happens_in_another_process() {
    let bed = Bed::postgres();
    let (runs, other) = (bed.runs().await, bed.runs().await);
    wakes(&bed, &runs, &other).await;
}

mod both {
    use super::on_both;
    on_both!(by_what_happens_in_its_own_process);
}
