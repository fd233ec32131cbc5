//! Runs in the store: their projections follow from the events, and whoever claims gets its own.

use std::collections::BTreeSet;
use std::time::Duration;

use model::event::{EventContext, EventDraft, EventType, Stream};
use model::{Actor, ActorType, Canonical, RunId, StepId, ToolCallId};
use serde_json::{Value, json};
use store::query::{RunFilter, ToolCallFilter};
use store::rows::QueueRow;
use store::{Claim, ClaimKind, Command, Reads, RebuildReport, Store, Tx};

use crate::harness::{Bed, context, workspace};

mod cases {
    use crate::harness::on_both;
    on_both!(a_rebuild_covers_runs_steps_and_tool_calls, two_stores_never_claim_the_same_run,);
}

/// Events of one run, and whether it is queued afterwards.
struct Script {
    run: RunId,
    step: StepId,
    events: Vec<(EventType, Value)>,
    queued: bool,
}

impl Script {
    fn queued() -> Self {
        Self { run: RunId::new(), step: StepId::new(), events: vec![(EventType::RunCreated, json!({}))], queued: true }
    }

    /// A run that went well, or is in the middle of it.
    fn of(call: &ToolCallId, ended: bool) -> Self {
        let mut events = vec![
            (EventType::RunCreated, json!({"title": "t", "input": {"a": [1]}, "tags": ["x"]})),
            (EventType::RunStarted, json!({})),
            (EventType::StepCreated, json!({"kind": "work", "title": "s"})),
            (EventType::ToolInvoked, json!({"tool_call_id": call, "tool_name": "t", "input": {"b": null}})),
        ];
        if ended {
            events.push((EventType::ToolSucceeded, json!({"tool_call_id": call, "output": {"ok": true}})));
            events.push((EventType::RunCompleted, json!({"summary": "done", "output": 1})));
        }
        Self { run: RunId::new(), step: StepId::new(), events, queued: false }
    }

    fn context(&self, event: EventType) -> EventContext {
        let of_step = matches!(event, EventType::StepCreated | EventType::ToolInvoked | EventType::ToolSucceeded);
        let mut context = context(None);
        context.run_id = Some(self.run.clone());
        context.step_id = of_step.then(|| self.step.clone());
        context
    }
}

impl Command for Script {
    type Output = ();
    type Refusal = ();

    fn reads(&self, reads: &mut Reads) {
        reads.stream(Stream::of(&workspace(), None));
        reads.actor(&workspace(), &Actor::new(ActorType::User, "anon"));
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<(), ()> {
        for (event, data) in &self.events {
            tx.append(&self.context(*event), EventDraft::new(*event, Canonical::from(data)));
        }
        if self.queued {
            tx.put(QueueRow {
                run_id: self.run.clone(),
                workspace_id: workspace(),
                room_id: None,
                ready_at: tx.now(),
                expiries: 0,
                failures: 0,
                remaining_ms: None,
            });
        }
        Ok(())
    }
}

fn differing(report: &RebuildReport) -> Vec<(&'static str, u64)> {
    report.tables.iter().map(|table| (table.name, table.differing)).filter(|(_, differing)| *differing > 0).collect()
}

async fn a_rebuild_covers_runs_steps_and_tool_calls(bed: &Bed) {
    let store = bed.open().await;
    let calls: Vec<ToolCallId> = (0..4).map(|_| ToolCallId::new()).collect();
    let mut runs = Vec::new();
    for (n, call) in calls.iter().enumerate() {
        let script = Script::of(call, n > 0);
        runs.push((script.run.clone(), script.step.clone()));
        store.submit(script).await.unwrap();
    }
    let clean = store::rebuild(&bed.location).await.unwrap();
    assert_eq!(differing(&clean), []);
    let rows = |name: &str| clean.tables.iter().find(|table| table.name == name).unwrap().rows;
    assert_eq!((rows("proj_runs"), rows("proj_steps"), rows("proj_tool_calls")), (4, 4, 4));
    let filter = ToolCallFilter::default();
    let before = (
        store.runs(&workspace(), &RunFilter::default(), None, 10).await.unwrap(),
        store.steps(&workspace(), &runs[0].0, None, 10).await.unwrap(),
        store.tool_calls(&workspace(), &filter, None, 10).await.unwrap(),
    );

    // Each change alone is found, said, and mended.
    let (run, step) = &runs[1];
    let call = &calls[1];
    for (statement, table) in [
        (format!("UPDATE proj_runs SET status = 'running' WHERE run_id = '{run}'"), "proj_runs"),
        (format!("UPDATE proj_runs SET attempt_no = 2 WHERE run_id = '{run}'"), "proj_runs"),
        (format!("UPDATE proj_runs SET workspace_id = 'ws_x' WHERE run_id = '{run}'"), "proj_runs"),
        (format!("DELETE FROM proj_runs WHERE run_id = '{run}'"), "proj_runs"),
        (format!("UPDATE proj_steps SET title = 'x' WHERE step_id = '{step}'"), "proj_steps"),
        (format!("DELETE FROM proj_steps WHERE step_id = '{step}'"), "proj_steps"),
        (format!("UPDATE proj_tool_calls SET output = NULL WHERE tool_call_id = '{call}'"), "proj_tool_calls"),
        (format!("DELETE FROM proj_tool_calls WHERE tool_call_id = '{call}'"), "proj_tool_calls"),
    ] {
        bed.sql(&statement).unwrap();
        let mended = store::rebuild(&bed.location).await.unwrap();
        assert_eq!(differing(&mended), [(table, 1)], "{statement}");
        assert_eq!(differing(&store::rebuild(&bed.location).await.unwrap()), []);
    }
    // A row that no event made: one missing, one surplus.
    bed.sql(&format!("UPDATE proj_runs SET run_id = 'run_x' WHERE run_id = '{run}'")).unwrap();
    assert_eq!(differing(&store::rebuild(&bed.location).await.unwrap()), [("proj_runs", 2)]);
    let after = (
        store.runs(&workspace(), &RunFilter::default(), None, 10).await.unwrap(),
        store.steps(&workspace(), &runs[0].0, None, 10).await.unwrap(),
        store.tool_calls(&workspace(), &filter, None, 10).await.unwrap(),
    );
    assert_eq!(after, before);
}

/// Takes up to so many queued runs out of the queue.
struct Take(u32);

impl Take {
    fn claim() -> Claim {
        Claim { kind: ClaimKind::Ready, workspace_id: Some(workspace()), room_id: None, actor: None }
    }
}

impl Command for Take {
    type Output = Vec<RunId>;
    type Refusal = ();

    fn reads(&self, reads: &mut Reads) {
        reads.claim(Self::claim(), self.0);
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<Vec<RunId>, ()> {
        let mut runs = tx.claimable(&Self::claim());
        // Another command of the same batch sees the same list.
        runs.retain(|run| tx.get::<QueueRow>(&[run.as_str()]).is_some());
        runs.truncate(usize::try_from(self.0).unwrap());
        for run in &runs {
            tx.remove::<QueueRow>(&[run.as_str()]);
        }
        Ok(runs)
    }
}

async fn queue(store: &Store, count: usize) -> BTreeSet<RunId> {
    let mut all = BTreeSet::new();
    for _ in 0..count {
        let script = Script::queued();
        all.insert(script.run.clone());
        store.submit(script).await.unwrap();
    }
    all
}

async fn two_stores_never_claim_the_same_run(bed: &Bed) {
    let stores = [bed.open().await, bed.open().await];
    let all = queue(&stores[0], 200).await;
    let takers = (0..8).map(|n| {
        let store = stores[n % 2].clone();
        tokio::spawn(async move {
            let mut taken = Vec::new();
            let mut dry = 0;
            // Rows that another is just taking are skipped, so that one empty answer says little.
            while dry < 20 {
                let got = store.submit(Take(3)).await.unwrap().into_inner();
                assert!(got.len() <= 3);
                dry = if got.is_empty() { dry + 1 } else { 0 };
                taken.extend(got);
                // Whoever does nothing else keeps the other store away from a SQLite file.
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            taken
        })
    });
    let mut taken = Vec::new();
    let mut shares = Vec::new();
    for taker in takers.collect::<Vec<_>>() {
        let got = taker.await.unwrap();
        shares.push(got.len());
        taken.extend(got);
    }
    assert_eq!(taken.len(), all.len(), "{shares:?}");
    assert_eq!(taken.into_iter().collect::<BTreeSet<_>>(), all);
    let by_store = |which: usize| shares.iter().skip(which).step_by(2).sum::<usize>();
    assert!(by_store(0) > 0 && by_store(1) > 0, "the control: both took some: {shares:?}");
}

/// Somebody who is just taking a run, and takes long about it, keeps nobody from taking the others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_waits_for_no_other_claim_on_postgres() {
    let bed = Bed::postgres();
    let store = bed.open().await;
    let all = queue(&store, 3).await;
    let held = all.first().unwrap().clone();
    let sql = |text: &str| bed.sql(text);
    let look = format!("SELECT 1 FROM run_queue WHERE run_id = '{held}' FOR UPDATE NOWAIT");
    assert!(sql(&look).is_ok(), "the control: nobody has it yet");
    std::thread::scope(|scope| {
        let holder = scope.spawn(|| {
            sql(&format!(
                "BEGIN; SELECT 1 FROM run_queue WHERE run_id = '{held}' FOR UPDATE; SELECT pg_sleep(5); COMMIT"
            ))
        });
        while sql(&look).is_ok() {
            std::thread::sleep(Duration::from_millis(20));
        }
        let taken = tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(store.submit(Take(10))));
        assert!(sql(&look).is_err(), "it is still held");
        let taken: BTreeSet<RunId> = taken.unwrap().into_inner().into_iter().collect();
        let others: BTreeSet<RunId> = all.iter().filter(|run| **run != held).cloned().collect();
        assert_eq!(taken, others);
        holder.join().unwrap().unwrap();
    });
    assert_eq!(store.submit(Take(10)).await.unwrap().into_inner(), [held]);
}
