//! Attempts: how a run goes back to the queue, how long it rests there, and when it is tried no more.

use model::Role;
use model::run::{ReleaseReason, RunStatus};
use runs::{CompleteRunInput, ReleaseInput, Runs};
use serde_json::{Value, json};

use crate::bed::{
    Bed, assert_at_rest, assert_sound, caller, claim, claim_one, cycle, error, events, on_both, queued, row, types,
    workspace,
};
use crate::past::{Over, pass, place};

async fn release(runs: &Runs, who: &gate::Caller, run: &model::RunId, token: String, error: Option<Value>) -> Value {
    let message = error.is_some().then(|| "it did not work".to_owned());
    let input = ReleaseInput { claim_token: Some(token), message, error };
    runs.release(who, run.as_str(), input).await.unwrap().run
}

async fn what_is_given_back_is_there_at_once(bed: &Bed) {
    let runs = bed.runs().await;
    let owner = caller(&runs, Role::Owner).await;
    let run = queued(&runs, &owner, json!({})).await;
    // More often than an attempt may fail.
    for attempt in 1..=5 {
        let token = claim_one(&runs, &owner).await;
        let lease = runs.gate().store().lease(&workspace(), &run).await.unwrap().unwrap();
        assert_eq!((lease.epoch, lease.expiries, lease.failures), (attempt, 0, 0));
        let given = release(&runs, &owner, &run, token, None).await;
        assert_eq!((&given["status"], &given["attempt_no"]), (&json!("queued"), &json!(attempt)));
    }
    let list = events(&runs, &run).await;
    let last = &list[list.len() - 1];
    assert_eq!(last.event_type, "run.lease_expired");
    assert_eq!(last.data.to_value(), json!({"run_id": run, "attempt_no": 5, "reason": "released"}));
    assert_eq!(cycle(&runs).await.completed, 1);
    assert_eq!(row(&runs, &run).await.attempt_no, 6);
    assert_at_rest(&runs).await;
    assert_sound(bed, &runs).await;
}

async fn an_attempt_that_failed_is_followed_by_a_rest_and_the_third_by_the_end(bed: &Bed) {
    let runs = bed.runs().await;
    let owner = caller(&runs, Role::Owner).await;
    let run = queued(&runs, &owner, json!({})).await;
    let why = Some(json!({"code": "disk_full"}));
    for (failures, rest) in [(1, 1_000), (2, 4_000)] {
        let token = claim_one(&runs, &owner).await;
        let given = release(&runs, &owner, &run, token, why.clone()).await;
        assert_eq!(given["status"], "queued");
        let place = place(&runs, &run).await;
        let last = events(&runs, &run).await.pop().unwrap();
        assert_eq!(place.ready_at.as_millis() - last.occurred_at.as_millis(), rest);
        assert_eq!((place.failures, place.expiries), (failures, 0));
        if rest > 1_000 {
            assert!(claim(&runs, &owner, 10, 30).await.is_empty());
            assert_eq!(cycle(&runs).await.scanned, 0, "it rests for the worker, too");
        }
        let told = last.data.to_value();
        assert_eq!((&told["reason"], &told["error"]["code"]), (&json!("errored"), &json!("disk_full")));
        pass(&runs, &[&run], Over::Rest).await;
        let token = claim_one(&runs, &owner).await;
        let lease = runs.gate().store().lease(&workspace(), &run).await.unwrap().unwrap();
        assert_eq!((lease.failures, lease.expiries), (failures, 0));
        // Giving it back without an error does not count.
        release(&runs, &owner, &run, token, None).await;
    }
    let token = claim_one(&runs, &owner).await;
    let given = release(&runs, &owner, &run, token, why).await;
    assert_eq!(given["status"], "failed");
    let error = error(&runs, &run).await;
    assert_eq!(error, json!({"source": "runs", "code": "attempts_exhausted", "attempts": 5}));
    let types = types(&runs, &run).await;
    assert_eq!(types[types.len() - 2..], ["run.lease_expired", "run.failed"]);
    let attempts = runs.gate().store().attempts(&workspace(), &run, 5).await.unwrap();
    let ends: Vec<_> = attempts.iter().filter_map(|attempt| attempt.release_reason).collect();
    use ReleaseReason::{Errored, Released};
    assert_eq!(ends, [Errored, Released, Errored, Released, Errored]);
    assert_at_rest(&runs).await;
    assert_sound(bed, &runs).await;
}

async fn a_rest_ends_by_itself(bed: &Bed) {
    let runs = bed.runs().await;
    let owner = caller(&runs, Role::Owner).await;
    let run = queued(&runs, &owner, json!({})).await;
    let token = claim_one(&runs, &owner).await;
    release(&runs, &owner, &run, token, Some(json!({}))).await;
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    let token = claim_one(&runs, &owner).await;
    let done = CompleteRunInput { claim_token: Some(token), ..CompleteRunInput::default() };
    runs.complete(&owner, run.as_str(), done).await.unwrap();
    assert_eq!(row(&runs, &run).await.status, RunStatus::Succeeded);
}

async fn a_run_whose_workers_are_never_heard_of_again_fails_at_last(bed: &Bed) {
    let runs = bed.runs().await;
    let owner = caller(&runs, Role::Owner).await;
    let (lost, saved) = (queued(&runs, &owner, json!({})).await, queued(&runs, &owner, json!({})).await);
    assert_eq!(claim(&runs, &owner, 2, 60).await.len(), 2);
    for attempt in 2..=20 {
        pass(&runs, &[&lost, &saved], Over::Lease).await;
        let taken = claim(&runs, &owner, 2, 60).await;
        assert_eq!(taken.len(), 2, "attempt {attempt}");
        assert!(taken.iter().all(|run| run.run["attempt_no"] == json!(attempt)));
    }
    let lease = runs.gate().store().lease(&workspace(), &saved).await.unwrap().unwrap();
    assert_eq!((lease.epoch, lease.expiries), (20, 19));
    let done = CompleteRunInput { claim_token: Some(lease.claim_token.to_string()), ..CompleteRunInput::default() };
    runs.complete(&owner, saved.as_str(), done).await.unwrap();

    pass(&runs, &[&lost], Over::Lease).await;
    assert!(claim(&runs, &owner, 2, 60).await.is_empty());
    assert_eq!(error(&runs, &lost).await, json!({"source": "runs", "code": "attempts_exhausted", "attempts": 20}));
    assert_eq!(row(&runs, &saved).await.status, RunStatus::Succeeded, "the control: the twentieth attempt may succeed");
    let types = types(&runs, &lost).await;
    assert_eq!(types.iter().filter(|name| *name == "run.started").count(), 20);
    assert_eq!(types.iter().filter(|name| *name == "run.lease_expired").count(), 20);
    let attempts = runs.gate().store().attempts(&workspace(), &lost, 20).await.unwrap();
    let numbers: Vec<i64> = attempts.iter().map(|attempt| attempt.attempt_no).collect();
    assert_eq!(numbers, (1..=20).collect::<Vec<_>>());
    assert_at_rest(&runs).await;
    assert_sound(bed, &runs).await;
}

/// The worker takes over what an external one began, in the middle of the steps.
async fn the_worker_takes_over_where_another_stopped(bed: &Bed) {
    let runs = bed.runs().await;
    let owner = caller(&runs, Role::Owner).await;
    let run = queued(&runs, &owner, json!({"runtime": {"steps": vec![json!({"tool": "runtime.noop"}); 3]}})).await;
    let token = claim_one(&runs, &owner).await;
    let step = runs::CreateStepInput {
        kind: Some("their own".to_owned()),
        claim_token: Some(token),
        ..runs::CreateStepInput::default()
    };
    runs.create_step(&owner, run.as_str(), step, None).await.unwrap();
    assert_eq!(cycle(&runs).await.scanned, 0, "the control: it is another's");
    pass(&runs, &[&run], Over::Lease).await;
    assert_eq!(cycle(&runs).await.completed, 1);
    let types = types(&runs, &run).await;
    assert_eq!(types.iter().filter(|name| *name == "tool.succeeded").count(), 3);
    assert_eq!(row(&runs, &run).await.attempt_no, 2);
    assert_at_rest(&runs).await;
    assert_sound(bed, &runs).await;
}

mod both {
    use super::on_both;
    on_both!(
        what_is_given_back_is_there_at_once,
        an_attempt_that_failed_is_followed_by_a_rest_and_the_third_by_the_end,
        a_rest_ends_by_itself,
        a_run_whose_workers_are_never_heard_of_again_fails_at_last,
        the_worker_takes_over_where_another_stopped,
    );
}
