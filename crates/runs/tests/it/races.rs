//! Whoever ends a run, whoever loses it and whoever takes it at the same time: it ends once.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use gate::{Caller, GateError};
use model::{Role, RunId};
use runs::{
    CancelRunInput, ClaimRunsInput, CompleteRunInput, CreateRunInput, CreateStepInput, FailRunInput, Runs,
    ToolCallInput,
};
use store::query::EventFilter;
use tokio_util::sync::CancellationToken;

use crate::bed::{Bed, assert_at_rest, assert_sound, caller, claim, on_both, workspace};
use crate::past::{Over, try_pass};

const ROUNDS: usize = 500;
/// How many rounds go on at once: they share batches, and claims may take each other's runs.
const AT_ONCE: usize = 25;

/// The four that are after one run. Losing it is: its lease is over, and another takes it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    Completes,
    Fails,
    Cancels,
    Loses,
}

/// Who acts when: in every other round all at once, else one of them before all others, so that
/// everybody wins some rounds however busy the machine is.
struct Order {
    first: Option<Who>,
    round: usize,
    others: CancellationToken,
}

impl Order {
    fn of(round: usize) -> Self {
        let all = [Who::Completes, Who::Fails, Who::Cancels, Who::Loses];
        let first = (round % 2 == 1).then(|| all[round / 2 % all.len()]);
        let others = CancellationToken::new();
        if first.is_none() {
            others.cancel();
        }
        Self { first, round, others }
    }

    async fn turn<T>(&self, who: Who, act: impl Future<Output = T>) -> T {
        if self.first != Some(who) {
            self.others.cancelled().await;
            let later = self.round * (who as usize * 2 + 1) / 2 % 7;
            tokio::time::sleep(Duration::from_millis(u64::try_from(later).unwrap())).await;
        }
        let done = act.await;
        self.others.cancel();
        done
    }
}

/// What may be answered to who comes too late; anything else is a failure of the store.
fn lost<T>(outcome: Result<T, GateError>) -> bool {
    match outcome {
        Ok(_) => false,
        Err(GateError::Refused(refusal)) => {
            let late = ["run_already_ended", "lease_token_mismatch", "lease_expired"];
            assert!(late.contains(&refusal.code), "{refusal:?}");
            true
        }
        Err(other) => panic!("{other:?}"),
    }
}

async fn complete(runs: &Runs, who: &Caller, run: &str, token: &str) -> bool {
    let input = CompleteRunInput { claim_token: Some(token.to_owned()), ..CompleteRunInput::default() };
    !lost(runs.complete(who, run, input).await)
}

/// One round; gives how many ended the run.
async fn round(runs: &Runs, who: [&Caller; 2], run: &RunId, token: &str, round: usize) -> usize {
    let [holder, other] = who;
    let order = Order::of(round);
    let completes = order.turn(Who::Completes, complete(runs, holder, run.as_str(), token));
    let fails = order.turn(Who::Fails, async {
        let input = FailRunInput { claim_token: Some(token.to_owned()), ..FailRunInput::default() };
        !lost(runs.fail(holder, run.as_str(), input).await)
    });
    let cancels =
        order.turn(Who::Cancels, async { !lost(runs.cancel(other, run.as_str(), CancelRunInput::default()).await) });
    // Whoever takes what is over ends it, too; it may be another round's.
    let loses = order.turn(Who::Loses, async {
        try_pass(runs, &[run], Over::Lease).await;
        let mut ended = 0;
        for taken in claim(runs, other, 5, 60).await {
            let run = taken.run["run_id"].as_str().unwrap().to_owned();
            ended += usize::from(complete(runs, other, &run, taken.claim_token.as_str()).await);
        }
        ended
    });
    let (completed, failed, cancelled, taken) = tokio::join!(completes, fails, cancels, loses);
    usize::from(completed) + usize::from(failed) + usize::from(cancelled) + taken
}

/// A tool call that runs in the run.
async fn call(runs: &Runs, holder: &Caller, run: &RunId, token: &str) {
    let token = Some(token.to_owned());
    let step =
        CreateStepInput { kind: Some("work".to_owned()), claim_token: token.clone(), ..CreateStepInput::default() };
    let step = runs.create_step(holder, run.as_str(), step, None).await.unwrap().value.step_id;
    let call =
        ToolCallInput { tool_name: Some("runtime.noop".to_owned()), claim_token: token, ..ToolCallInput::default() };
    assert!(runs.call_tool(holder, step.as_str(), call, None).await.unwrap().value.tool_call_id.is_some());
}

async fn slow_rounds_of_ending_and_losing_end_each_run_once(bed: &Bed) {
    let runs = bed.runs().await;
    let (holder, other) = (caller(&runs, Role::Worker).await, caller(&runs, Role::Operator).await);
    let mut ended = 0;
    let mut all = Vec::new();
    for first in (0..ROUNDS).step_by(AT_ONCE) {
        let made = (0..AT_ONCE).map(|_| runs.create(&holder, CreateRunInput::default(), None));
        join_all(made).await.into_iter().for_each(|made| drop(made.unwrap()));
        let limit = ClaimRunsInput { limit: Some(100), lease_seconds: Some(600), room_id: None };
        let taken = runs.claim(&holder, limit).await.unwrap().runs;
        assert_eq!(taken.len(), AT_ONCE);
        let taken: Vec<(RunId, String)> = taken
            .into_iter()
            .map(|run| (RunId::parse(run.run["run_id"].as_str().unwrap()).unwrap(), run.claim_token.to_string()))
            .collect();
        join_all(taken.iter().map(|(run, token)| call(&runs, &holder, run, token))).await;
        let rounds = taken.iter().enumerate();
        let rounds = rounds.map(|(n, (run, token))| round(&runs, [&holder, &other], run, token, first + n));
        ended += join_all(rounds).await.into_iter().sum::<usize>();
        // What lost its lease when nobody was there any more to take it.
        loop {
            let left = claim(&runs, &other, 100, 600).await;
            if left.is_empty() {
                break;
            }
            for run in left {
                let id = run.run["run_id"].as_str().unwrap().to_owned();
                ended += usize::from(complete(&runs, &other, &id, run.claim_token.as_str()).await);
            }
        }
        all.extend(taken.into_iter().map(|(run, _)| run));
    }
    assert_eq!(ended, ROUNDS, "each run was ended by one");

    let store = runs.gate().store();
    store.settled().await.unwrap();
    let (mut ends, mut expired) = (BTreeMap::<String, usize>::new(), 0);
    for run in &all {
        let filter = EventFilter { run_id: Some(run.clone()), ..EventFilter::default() };
        let types: Vec<String> =
            store.events(&workspace(), &filter, 0, 500).await.unwrap().into_iter().map(|e| e.event_type).collect();
        let last: Vec<_> =
            types.iter().filter(|t| matches!(t.as_str(), "run.completed" | "run.failed" | "run.cancelled")).collect();
        assert_eq!((last.len(), types.last()), (1, last.first().copied()), "{types:?}");
        assert_eq!(types.iter().filter(|t| t.starts_with("tool.")).count(), 2, "called once, ended once: {types:?}");
        expired += usize::from(types.iter().any(|t| t == "run.lease_expired"));
        *ends.entry(last[0].clone()).or_default() += 1;
        let row = store.run(&workspace(), run).await.unwrap().unwrap();
        let want = match last[0].as_str() {
            "run.completed" => "succeeded",
            "run.failed" => "failed",
            _ => "cancelled",
        };
        assert_eq!(row.status.as_str(), want);
    }
    // The control: everybody won some of the races.
    assert!(ends.len() == 3 && expired > 0, "{ends:?}, {expired} taken by another");
    assert_at_rest(&runs).await;
    assert_sound(bed, &runs).await;
}

/// A queued run that one store takes while another ends it without a token: whoever comes second is
/// told so, and a run that has ended belongs to nobody.
async fn taken_or_ended(bed: &Bed) {
    let (mine, other) = (bed.runs().await, bed.runs().await);
    let (worker, owner) = (caller(&mine, Role::Worker).await, caller(&other, Role::Owner).await);
    let (mut ended, mut taken) = (0, 0);
    for _ in 0..150 {
        let run = other.create(&owner, CreateRunInput::default(), None).await.unwrap().value.run_id;
        let (claimed, completed) = tokio::join!(
            mine.claim(&worker, ClaimRunsInput::default()),
            other.complete(&owner, run.as_str(), CompleteRunInput::default()),
        );
        let lease = mine.gate().store().lease(&workspace(), &run).await.unwrap();
        match completed {
            Ok(_) => {
                assert!(!claimed.unwrap().claimed && lease.is_none(), "a run that has ended was taken");
                ended += 1;
            }
            Err(GateError::Refused(refusal)) => {
                assert_eq!(refusal.code, "lease_token_mismatch");
                assert!(claimed.unwrap().claimed && lease.is_some());
                taken += 1;
            }
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(ended + taken, 150);
    assert_sound(bed, &mine).await;
}

mod both {
    use super::on_both;
    on_both!(taken_or_ended, slow_rounds_of_ending_and_losing_end_each_run_once);
}
