//! Nobody's runs wait behind all of somebody else's.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::try_join_all;
use model::run::RunStatus;
use model::{Role, RunId, WorkspaceId};
use runs::{CreateRunInput, Runs, Worker, WorkerConfig};
use store::query::{EventFilter, RunFilter};
use tokio_util::sync::CancellationToken;

use crate::bed::{Bed, assert_sound, caller_in, on_both};

/// Longer than any of this takes.
const PATIENCE: Duration = Duration::from_secs(120);

fn worker(runs: &Runs, concurrency: usize) -> Worker {
    let config = WorkerConfig { concurrency, batch: concurrency, ..WorkerConfig::default() };
    Worker::new(runs.clone(), config)
}

/// Queues runs in a workspace.
async fn fill(runs: &Runs, workspace: &str, count: usize) -> Vec<RunId> {
    let owner = caller_in(runs, workspace, Role::Owner).await;
    let made = (0..count).map(|_| runs.create(&owner, CreateRunInput::default(), None));
    try_join_all(made).await.unwrap().into_iter().map(|made| made.value.run_id).collect()
}

/// How many runs of the workspace have succeeded.
async fn succeeded(runs: &Runs, workspace: &str) -> usize {
    let filter = RunFilter { status: Some(RunStatus::Succeeded), ..RunFilter::default() };
    let workspace = WorkspaceId::parse(workspace).unwrap();
    runs.gate().store().runs(&workspace, &filter, None, 10_000).await.unwrap().len()
}

/// Where in the log the runs of the workspace were started.
async fn starts(runs: &Runs, workspace: &str) -> Vec<i64> {
    let store = runs.gate().store();
    store.settled().await.unwrap();
    let filter = EventFilter { event_types: vec!["run.started".to_owned()], ..EventFilter::default() };
    let workspace = WorkspaceId::parse(workspace).unwrap();
    let events = store.events(&workspace, &filter, 0, 10_000).await.unwrap();
    events.iter().map(|event| event.position).collect()
}

/// Works until every run of the small workspaces has succeeded.
async fn work_for(runs: &Runs, small: &[&str], each: usize, worker: Worker) {
    let stop = CancellationToken::new();
    let working = tokio::spawn(worker.run(stop.clone()));
    let done = async {
        for workspace in small {
            while succeeded(runs, workspace).await < each {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    };
    tokio::time::timeout(PATIENCE, done).await.unwrap();
    stop.cancel();
    working.await.unwrap();
}

async fn a_long_queue_delays_no_other_workspace(bed: &Bed) {
    let runs = bed.runs().await;
    fill(&runs, "ws_large", 2_000).await;
    // One that comes before it in any order, and one that comes after.
    let small = ["ws_a", "ws_z"];
    for workspace in small {
        fill(&runs, workspace, 3).await;
    }
    work_for(&runs, &small, 3, worker(&runs, 8)).await;
    let large = starts(&runs, "ws_large").await;
    for workspace in small {
        let last = starts(&runs, workspace).await.into_iter().max().unwrap();
        let before = large.iter().filter(|start| **start < last).count();
        assert!(before <= 24, "{before} runs of the large one were started before all of {workspace}");
    }
    assert_sound(bed, &runs).await;
}

async fn one_at_a_time_is_fair_too(bed: &Bed) {
    let runs = bed.runs().await;
    fill(&runs, "ws_large", 200).await;
    let small = ["ws_a", "ws_z"];
    for workspace in small {
        fill(&runs, workspace, 3).await;
    }
    work_for(&runs, &small, 3, worker(&runs, 1)).await;
    let large = starts(&runs, "ws_large").await;
    for workspace in small {
        let last = starts(&runs, workspace).await.into_iter().max().unwrap();
        let before = large.iter().filter(|start| **start < last).count();
        assert!(before <= 6, "{before} runs of the large one were started before all of {workspace}");
    }
}

async fn every_one_of_many_workspaces_has_its_turn(bed: &Bed) {
    let runs = bed.runs().await;
    // More than are looked at in one claim, and none of them ever runs dry.
    let names: Vec<String> = (0..40).map(|n| format!("ws_{n:02}")).collect();
    for name in &names {
        fill(&runs, name, 20).await;
    }
    let last = names.last().unwrap().as_str();
    let small: Vec<&str> = names.iter().map(String::as_str).collect();
    work_for(&runs, &small, 3, worker(&runs, 4)).await;
    let mut order: BTreeMap<i64, Vec<&str>> = BTreeMap::new();
    for name in &names {
        for start in starts(&runs, name).await {
            order.entry(start).or_default().push(name);
        }
    }
    // While the last one gets its third run, nobody gets many more.
    let mut had: BTreeMap<&str, usize> = BTreeMap::new();
    for name in order.values().flatten() {
        *had.entry(name).or_default() += 1;
        if *name == last && had[name] == 3 {
            break;
        }
    }
    assert!(had.values().all(|had| (2..=5).contains(had)) && had.len() == 40, "{had:?}");
}

async fn two_workers_share_and_take_nothing_twice(bed: &Bed) {
    let runs = bed.runs().await;
    let mut made = fill(&runs, "ws_a", 200).await;
    made.extend(fill(&runs, "ws_b", 100).await);
    let stop = CancellationToken::new();
    let working: Vec<_> = (0..2).map(|_| tokio::spawn(worker(&runs, 16).run(stop.clone()))).collect();
    let done = async {
        while succeeded(&runs, "ws_a").await + succeeded(&runs, "ws_b").await < made.len() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, done).await.unwrap();
    stop.cancel();
    for working in working {
        working.await.unwrap();
    }
    let store = runs.gate().store();
    for name in ["ws_a", "ws_b"] {
        let workspace = WorkspaceId::parse(name).unwrap();
        let rows = store.runs(&workspace, &RunFilter::default(), None, 1_000).await.unwrap();
        assert!(rows.iter().all(|row| row.status == RunStatus::Succeeded && row.attempt_no == 1));
        assert_eq!(starts(&runs, name).await.len(), rows.len());
    }
    let backlog = store.run_backlog(10).await.unwrap();
    assert_eq!((backlog.queued, backlog.leased, backlog.waiting), (0, 0, 0));
    assert_sound(bed, &runs).await;
}

mod both {
    use super::on_both;
    on_both!(
        a_long_queue_delays_no_other_workspace,
        one_at_a_time_is_fair_too,
        every_one_of_many_workspaces_has_its_turn,
        two_workers_share_and_take_nothing_twice,
    );
}
