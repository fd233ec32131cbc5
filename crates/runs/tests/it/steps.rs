//! Runs of several steps.

use model::Role;
use model::run::{RunStatus, StepStatus, ToolCallStatus};
use runs::Runs;
use serde_json::{Value, json};
use store::query::ToolCallFilter;
use store::rows::{StepRow, ToolCallRow};

use crate::bed::{
    Bed, asked, assert_at_rest, assert_sound, caller, cycle, decide, error, events, on_both, queued, row, types,
    workspace,
};

const URL: &str = "https://example.com/x";

fn listed(steps: Value) -> Value {
    json!({"runtime": {"steps": steps}, "who": "alice", "to": URL})
}

fn noop() -> Value {
    json!({"tool": "runtime.noop"})
}

/// A step that is blocked.
fn write() -> Value {
    json!({"tool": "egress.request", "input": {"target_url": URL, "action": "external.write"}})
}

async fn steps(runs: &Runs, run: &model::RunId) -> Vec<StepRow> {
    runs.gate().store().steps(&workspace(), run, None, 100).await.unwrap()
}

/// Oldest first.
async fn calls(runs: &Runs, run: &model::RunId) -> Vec<ToolCallRow> {
    let filter = ToolCallFilter { run_id: Some(run.clone()), step_id: None };
    let mut calls = runs.gate().store().tool_calls(&workspace(), &filter, None, 100).await.unwrap();
    calls.reverse();
    calls
}

async fn go_in_order(bed: &Bed) {
    let runs = bed.runs().await;
    let owner = caller(&runs, Role::Owner).await;
    let plan = json!([
        {"tool": "runtime.noop", "title": "first"},
        {"tool": "egress.request", "title": " second ", "input": {"target_url": URL}},
        {"tool": "runtime.noop", "input": {"any": 1}},
    ]);
    let run = queued(&runs, &owner, listed(plan)).await;
    assert_eq!(cycle(&runs).await.completed, 1);
    let step = ["step.created", "tool.invoked"];
    let want: Vec<&str> = ["run.created", "run.started"]
        .into_iter()
        .chain(step)
        .chain(["tool.succeeded"])
        .chain(step)
        .chain(["egress.requested", "egress.allowed", "tool.succeeded"])
        .chain(step)
        .chain(["tool.succeeded", "run.completed"])
        .collect();
    assert_eq!(types(&runs, &run).await, want);
    let steps = steps(&runs, &run).await;
    let told: Vec<_> = steps
        .iter()
        .map(|step| (step.title.as_deref().unwrap(), step.input.as_ref().unwrap().to_value(), step.status))
        .collect();
    assert_eq!(
        told,
        [
            ("first", json!({"ordinal": 0}), StepStatus::Succeeded),
            ("second", json!({"ordinal": 1}), StepStatus::Succeeded),
            ("Runtime worker step", json!({"ordinal": 2}), StepStatus::Succeeded),
        ]
    );
    let calls = calls(&runs, &run).await;
    let places: Vec<_> = calls.iter().map(|call| &call.step_id).collect();
    assert_eq!(places, steps.iter().map(|step| &step.step_id).collect::<Vec<_>>());
    let output = row(&runs, &run).await.output.unwrap().to_value();
    assert_eq!((&output["steps"], &output["failed_steps"]), (&json!(3), &json!(0)));
    assert_eq!(output["step_id"], json!(steps[2].step_id));
    assert_at_rest(&runs).await;
    assert_sound(bed, &runs).await;
}

async fn a_failing_step_stops_the_run_unless_it_says_otherwise(bed: &Bed) {
    let runs = bed.runs().await;
    let owner = caller(&runs, Role::Owner).await;
    let stops = queued(&runs, &owner, listed(json!([noop(), write(), noop()]))).await;
    let mut passed = write();
    passed["continue_on_error"] = json!(true);
    let unknown = json!({"tool": "unknown", "continue_on_error": true});
    let goes_on = queued(&runs, &owner, listed(json!([noop(), passed, unknown, noop()]))).await;
    let only = queued(&runs, &owner, listed(json!([passed]))).await;
    let done = cycle(&runs).await;
    assert_eq!((done.completed, done.failed), (2, 1));

    let states = |calls: &[ToolCallRow]| calls.iter().map(|call| call.status).collect::<Vec<_>>();
    let (ok, bad) = (ToolCallStatus::Succeeded, ToolCallStatus::Failed);
    assert_eq!(states(&calls(&runs, &stops).await), [ok, bad]);
    assert_eq!(steps(&runs, &stops).await.len(), 2, "the third step was never begun");
    let failed = calls(&runs, &stops).await.remove(1);
    assert_eq!(error(&runs, &stops).await, failed.error.unwrap().to_value());

    assert_eq!(states(&calls(&runs, &goes_on).await), [ok, bad, bad, ok]);
    let row_of = row(&runs, &goes_on).await;
    assert_eq!((row_of.status, row_of.error), (RunStatus::Succeeded, None));
    assert_eq!(row_of.output.unwrap().to_value()["failed_steps"], 2);
    let states: Vec<_> = steps(&runs, &goes_on).await.iter().map(|step| step.status).collect();
    assert_eq!(states, [StepStatus::Succeeded, StepStatus::Failed, StepStatus::Failed, StepStatus::Succeeded]);

    assert_eq!(row(&runs, &only).await.status, RunStatus::Succeeded);
    assert_at_rest(&runs).await;
    assert_sound(bed, &runs).await;
}

async fn a_step_refers_to_what_earlier_ones_gave(bed: &Bed) {
    let runs = bed.runs().await;
    let owner = caller(&runs, Role::Owner).await;
    let to = |pointer: &str| json!({"tool": "egress.request", "input": {"target_url": {"$ref": pointer}}});
    let mut blocked = write();
    blocked["continue_on_error"] = json!(true);
    let gave = json!({"target_url": URL, "action": {"$ref": "/steps/0/output/source"}});
    let cases: Vec<(Value, Result<&str, &str>)> = vec![
        (json!([noop(), to("/input/to")]), Ok("internal.read")),
        (json!([noop(), {"tool": "egress.request", "input": gave}]), Ok("run_worker")),
        // What a step gave is used as it is: here it makes no good target, and the gate says so.
        (json!([noop(), to("/steps/0/output/source")]), Err("invalid_target_url")),
        (json!([noop(), to("/steps/1/output/source")]), Err("reference_not_found")),
        (json!([noop(), to("/steps/0/output/nothing")]), Err("reference_not_found")),
        // Of a step that failed there is a status and no output.
        (json!([blocked, to("/steps/0/output/decision")]), Err("reference_not_found")),
        (json!([blocked, to("/steps/0/status")]), Err("invalid_target_url")),
    ];
    let mut made = Vec::new();
    for (plan, want) in cases {
        made.push((queued(&runs, &owner, listed(plan.clone())).await, plan, want));
    }
    cycle(&runs).await;
    for (run, plan, want) in &made {
        match want {
            Ok(action) => {
                assert_eq!(row(&runs, run).await.status, RunStatus::Succeeded, "{plan}");
                let events = events(&runs, run).await;
                let left = events.iter().find(|event| event.event_type == "egress.requested").unwrap().data.to_value();
                assert_eq!((&left["target_url"], &left["action"]), (&json!(URL), &json!(action)));
            }
            Err(code) => {
                let error = error(&runs, run).await;
                assert_eq!(error["code"], *code, "{plan}: {error}");
                // It is a call that was recorded, though nothing was called.
                let last = calls(&runs, run).await.pop().unwrap();
                assert_eq!((last.status, last.error.unwrap().to_value()), (ToolCallStatus::Failed, error));
            }
        }
    }
    assert_at_rest(&runs).await;
    assert_sound(bed, &runs).await;
}

/// A run that waits in its second step of three, and the approval it waits for.
async fn parked(runs: &Runs) -> (model::RunId, String) {
    let owner = caller(runs, Role::Owner).await;
    let third = json!({"tool": "egress.request", "input": {"target_url": URL, "method": "GET"}});
    let mut input = listed(json!([noop(), write(), third]));
    input["runtime"]["on_approval"] = json!("wait");
    let run = queued(runs, &owner, input).await;
    assert_eq!(cycle(runs).await.waiting, 1);
    assert_eq!(row(runs, &run).await.status, RunStatus::WaitingApproval);
    assert_eq!(cycle(runs).await.claimed, 0, "nobody takes it before somebody has decided");
    let approval = asked(runs, &run).await;
    (run, approval)
}

async fn a_middle_step_that_was_approved_goes_on_where_it_was(bed: &Bed) {
    let runs = bed.runs().await;
    let (run, approval) = parked(&runs).await;
    let before = steps(&runs, &run).await;
    assert_eq!(before.len(), 2);
    decide(&runs, &approval, "approve").await;
    assert_eq!(cycle(&runs).await.completed, 1);
    let after = steps(&runs, &run).await;
    assert_eq!(after.len(), 3);
    assert_eq!(after[1].step_id, before[1].step_id, "the same step");
    let calls = calls(&runs, &run).await;
    let of: Vec<_> = calls.iter().map(|call| (&call.step_id, call.status)).collect();
    let (ok, bad) = (ToolCallStatus::Succeeded, ToolCallStatus::Failed);
    let ids: Vec<_> = after.iter().map(|step| &step.step_id).collect();
    assert_eq!(of, [(ids[0], ok), (ids[1], bad), (ids[1], ok), (ids[2], ok)], "the first step is not done again");
    assert_eq!(calls[1].error.as_ref().unwrap().to_value()["code"], "waiting_approval");
    assert_eq!(row(&runs, &run).await.attempt_no, 1, "waiting is no attempt");
    let types = types(&runs, &run).await;
    for once in ["run.started", "run.waiting", "run.resumed", "approval.requested"] {
        assert_eq!(types.iter().filter(|name| *name == once).count(), 1, "{once}: {types:?}");
    }
    assert_at_rest(&runs).await;
    assert_sound(bed, &runs).await;
}

async fn a_middle_step_that_was_not_approved_fails_the_run(bed: &Bed) {
    let runs = bed.runs().await;
    let (run, approval) = parked(&runs).await;
    decide(&runs, &approval, "deny").await;
    let done = cycle(&runs).await;
    assert_eq!((done.failed, done.claimed), (1, 0));
    let error = error(&runs, &run).await;
    assert_eq!((&error["reason_code"], &error["approval_id"]), (&json!("approval_denied"), &json!(approval)));
    assert_eq!(steps(&runs, &run).await.len(), 2);
    assert_at_rest(&runs).await;
    assert_sound(bed, &runs).await;
}

mod both {
    use super::on_both;
    on_both!(
        go_in_order,
        a_failing_step_stops_the_run_unless_it_says_otherwise,
        a_step_refers_to_what_earlier_ones_gave,
        a_middle_step_that_was_approved_goes_on_where_it_was,
        a_middle_step_that_was_not_approved_fails_the_run,
    );
}
