//! Runs whose time is over.

use model::Role;
use model::run::{ReleaseReason, RunStatus, ToolCallStatus};
use runs::{CompleteRunInput, CreateStepInput, ReleaseInput, Runs, ToolCallInput};
use serde_json::json;
use store::query::ToolCallFilter;

use crate::bed::{
    Bed, assert_at_rest, assert_sound, caller, claim, claim_one, code, cycle, error, on_both, queued, row, types,
    workspace,
};
use crate::past::{Over, pass};

/// A run with this much time, taken, and a tool call in it that runs.
async fn busy(runs: &Runs, owner: &gate::Caller, timeout_s: serde_json::Value) -> (model::RunId, String) {
    let run = queued(runs, owner, json!({"runtime": {"timeout_s": timeout_s}})).await;
    let token = claim_one(runs, owner).await;
    let step = CreateStepInput {
        kind: Some("work".to_owned()),
        claim_token: Some(token.clone()),
        ..CreateStepInput::default()
    };
    let step = runs.create_step(owner, run.as_str(), step, None).await.unwrap().value.step_id;
    let call = ToolCallInput {
        tool_name: Some("runtime.noop".to_owned()),
        claim_token: Some(token.clone()),
        ..ToolCallInput::default()
    };
    let call = runs.call_tool(owner, step.as_str(), call, None).await.unwrap().value;
    assert!(call.tool_call_id.is_some() && !call.blocked);
    (run, token)
}

async fn a_run_whose_time_is_over_fails(bed: &Bed) {
    let runs = bed.runs().await;
    let owner = caller(&runs, Role::Owner).await;
    let (run, token) = busy(&runs, &owner, json!(3_600)).await;
    assert_eq!(cycle(&runs).await.scanned, 0, "the control: it has time left");
    pass(&runs, &[&run], Over::Time).await;
    let done = cycle(&runs).await;
    assert_eq!((done.scanned, done.claimed, done.failed), (1, 0, 1));

    let error = error(&runs, &run).await;
    assert_eq!(error["code"], "run_timed_out");
    let types = types(&runs, &run).await;
    assert_eq!(types[types.len() - 2..], ["tool.failed", "run.failed"]);
    let filter = ToolCallFilter { run_id: Some(run.clone()), step_id: None };
    let calls = runs.gate().store().tool_calls(&workspace(), &filter, None, 10).await.unwrap();
    assert_eq!((calls.len(), calls[0].status), (1, ToolCallStatus::Failed));
    assert_eq!(calls[0].error.as_ref().unwrap().to_value()["code"], "run_timed_out");
    let attempts = runs.gate().store().attempts(&workspace(), &run, 1).await.unwrap();
    assert_eq!(attempts[0].release_reason, Some(ReleaseReason::TimedOut));

    // Its worker comes too late.
    let late = CompleteRunInput { claim_token: Some(token), ..CompleteRunInput::default() };
    assert_eq!(code(runs.complete(&owner, run.as_str(), late).await), "run_already_ended");
    assert_at_rest(&runs).await;
    assert_sound(bed, &runs).await;
}

async fn an_external_claim_finds_them_too_and_time_comes_before_another_attempt(bed: &Bed) {
    let runs = bed.runs().await;
    let owner = caller(&runs, Role::Owner).await;
    let (run, _) = busy(&runs, &owner, json!(3_600)).await;
    // The lease is over as well: it is not tried again.
    pass(&runs, &[&run], Over::Lease).await;
    pass(&runs, &[&run], Over::Time).await;
    assert!(claim(&runs, &owner, 10, 30).await.is_empty());
    assert_eq!(error(&runs, &run).await["code"], "run_timed_out");
    assert_eq!(row(&runs, &run).await.attempt_no, 1);
    assert_at_rest(&runs).await;
    assert_sound(bed, &runs).await;
}

async fn what_is_left_of_the_time_goes_with_the_run(bed: &Bed) {
    let runs = bed.runs().await;
    let owner = caller(&runs, Role::Owner).await;
    let (run, token) = busy(&runs, &owner, json!(3_600)).await;
    let first = runs.gate().store().lease(&workspace(), &run).await.unwrap().unwrap();
    let back = ReleaseInput { claim_token: Some(token), ..ReleaseInput::default() };
    runs.release(&owner, run.as_str(), back).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(30)).await;
    claim_one(&runs, &owner).await;
    let second = runs.gate().store().lease(&workspace(), &run).await.unwrap().unwrap();
    let (first, second) = (first.times_out_at.unwrap(), second.times_out_at.unwrap());
    // In the queue no time passes for it, and it gets no new hour either.
    let moved = second.as_millis() - first.as_millis();
    assert!((30..3_000_000).contains(&moved), "{moved} ms");
    // After an expiry the clock was never stopped.
    pass(&runs, &[&run], Over::Lease).await;
    claim_one(&runs, &owner).await;
    let third = runs.gate().store().lease(&workspace(), &run).await.unwrap().unwrap();
    assert_eq!(third.times_out_at, Some(second));
    assert_eq!(row(&runs, &run).await.attempt_no, 3);
}

async fn the_worker_stops_a_run_between_its_steps(bed: &Bed) {
    let runs = bed.runs().await;
    let owner = caller(&runs, Role::Owner).await;
    let steps = vec![json!({"tool": "runtime.noop"}); 1_000];
    // Time for a few of them at most.
    let hurried = queued(&runs, &owner, json!({"runtime": {"steps": steps, "timeout_s": 0.001}})).await;
    let calm = queued(&runs, &owner, json!({"runtime": {"steps": steps[..5], "timeout_s": 3_600}})).await;
    cycle(&runs).await;
    assert_eq!(error(&runs, &hurried).await["code"], "run_timed_out");
    assert_eq!(row(&runs, &calm).await.status, RunStatus::Succeeded);
    assert_at_rest(&runs).await;
    assert_sound(bed, &runs).await;
}

mod both {
    use super::on_both;
    on_both!(
        a_run_whose_time_is_over_fails,
        an_external_claim_finds_them_too_and_time_comes_before_another_attempt,
        what_is_left_of_the_time_goes_with_the_run,
        the_worker_stops_a_run_between_its_steps,
    );
}
