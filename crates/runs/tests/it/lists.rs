//! The lists of events of a run, as the contract has them, each event after the one before it.

use gate::approvals::DecideApprovalInput;
use model::Role;
use model::run::RunStatus;
use runs::Runs;
use serde_json::json;
use store::rows::EventRow;

use crate::bed::{Bed, assert_sound, caller, cycle, events, on_both, queued, row, types};

fn assert_linear(events: &[EventRow]) {
    for pair in events.windows(2) {
        let (before, after) = (&pair[0], &pair[1]);
        assert_eq!(after.causation_id.as_ref(), Some(&before.event_id), "{} {}", before.event_type, after.event_type);
    }
}

async fn noop(bed: &Bed) {
    let runs = bed.runs().await;
    let owner = caller(&runs, Role::Owner).await;
    let run = queued(&runs, &owner, json!({"anything": 1})).await;
    let done = cycle(&runs).await;
    assert_eq!(
        (done.scanned, done.claimed, done.completed, done.failed, done.waiting, done.skipped),
        (1, 1, 1, 0, 0, 0)
    );
    let events = events(&runs, &run).await;
    let types: Vec<&str> = events.iter().map(|e| e.event_type.as_str()).collect();
    assert_eq!(
        types,
        ["run.created", "run.started", "step.created", "tool.invoked", "tool.succeeded", "run.completed"]
    );
    assert_linear(&events);
    let row = row(&runs, &run).await;
    assert_eq!((row.status, row.attempt_no), (RunStatus::Succeeded, 1));
    assert_eq!(row.summary.as_deref(), Some("Completed by local runtime worker"));
    assert_sound(bed, &runs).await;
}

async fn egress_allowed(bed: &Bed) {
    let runs = bed.runs().await;
    let owner = caller(&runs, Role::Owner).await;
    let input = json!({"runtime": {"egress": {"target_url": "https://example.com/x"}}});
    let run = queued(&runs, &owner, input).await;
    assert_eq!(cycle(&runs).await.completed, 1);
    let events = events(&runs, &run).await;
    let types: Vec<&str> = events.iter().map(|e| e.event_type.as_str()).collect();
    let after_call = ["egress.requested", "egress.allowed", "tool.succeeded", "run.completed"];
    assert_eq!(types[..4], ["run.created", "run.started", "step.created", "tool.invoked"]);
    assert_eq!(types[4..], after_call);
    assert_linear(&events);
    assert_sound(bed, &runs).await;
}

async fn egress_blocked(bed: &Bed) {
    let runs = bed.runs().await;
    let owner = caller(&runs, Role::Owner).await;
    let egress = json!({"target_url": "https://example.com/x", "action": "external.write"});
    let run = queued(&runs, &owner, json!({"runtime": {"egress": egress}})).await;
    assert_eq!(cycle(&runs).await.failed, 1);
    let events = events(&runs, &run).await;
    let types: Vec<&str> = events.iter().map(|e| e.event_type.as_str()).collect();
    assert_eq!(
        types[3..],
        [
            "tool.invoked",
            "egress.requested",
            "policy.requires_approval",
            "approval.requested",
            "egress.blocked",
            "tool.failed",
            "run.failed"
        ]
    );
    assert_linear(&events);
    let error = row(&runs, &run).await.error.unwrap().to_value();
    assert_eq!(error["stage"], "egress");
    assert_eq!(error["reason_code"], "external_write_requires_approval");
    assert!(error["approval_id"].as_str().unwrap().starts_with("appr_"), "{error}");
    assert_sound(bed, &runs).await;
}

async fn tool_denied(bed: &Bed) {
    let runs = bed.runs().await;
    let owner = caller(&runs, Role::Owner).await;
    let policy = json!({"principal_id": "nobody"});
    let run = queued(&runs, &owner, json!({"runtime": {"policy": policy}})).await;
    assert_eq!(cycle(&runs).await.failed, 1);
    let types = types(&runs, &run).await;
    assert_eq!(
        types,
        ["run.created", "run.started", "step.created", "policy.denied", "tool.invoked", "tool.failed", "run.failed"]
    );
    let error = row(&runs, &run).await.error.unwrap().to_value();
    assert_eq!(
        (error["source"].as_str(), error["stage"].as_str(), error["reason_code"].as_str()),
        (Some("run_worker"), Some("tool_policy"), Some("principal_not_found"))
    );
    assert_linear(&events(&runs, &run).await);
    assert_sound(bed, &runs).await;
}

async fn waiting(runs: &Runs) -> (model::RunId, String) {
    let owner = caller(runs, Role::Owner).await;
    let egress = json!({"target_url": "https://example.com/x", "action": "external.write"});
    let run = queued(runs, &owner, json!({"runtime": {"egress": egress, "on_approval": "wait"}})).await;
    assert_eq!(cycle(runs).await.waiting, 1);
    let stored = row(runs, &run).await;
    assert_eq!(stored.status, RunStatus::WaitingApproval);
    let asked = events(runs, &run).await;
    let asked = asked.iter().find(|e| e.event_type == "approval.requested").unwrap().data.to_value();
    (run, asked["approval_id"].as_str().unwrap().to_owned())
}

async fn parked_and_approved(bed: &Bed) {
    let runs = bed.runs().await;
    let (run, approval) = waiting(&runs).await;
    // Nothing to do before somebody decides.
    assert_eq!(cycle(&runs).await.claimed, 0);
    let approver = caller(&runs, Role::Approver).await;
    let yes = DecideApprovalInput { decision: Some("approve".to_owned()), ..DecideApprovalInput::default() };
    runs.gate().decide_approval(&approver, &approval, yes).await.unwrap();
    assert_eq!(cycle(&runs).await.completed, 1);
    let types = types(&runs, &run).await;
    let types: Vec<&str> = types.iter().map(String::as_str).collect();
    assert_eq!(
        types[7..],
        [
            "egress.blocked",
            "tool.failed",
            "run.waiting",
            "approval.decided",
            "run.resumed",
            "tool.invoked",
            "egress.requested",
            "egress.allowed",
            "tool.succeeded",
            "run.completed"
        ]
    );
    let row = row(&runs, &run).await;
    assert_eq!((row.status, row.attempt_no), (RunStatus::Succeeded, 1));
    assert_sound(bed, &runs).await;
}

async fn parked_and_denied(bed: &Bed) {
    let runs = bed.runs().await;
    let (run, approval) = waiting(&runs).await;
    let approver = caller(&runs, Role::Approver).await;
    let no = DecideApprovalInput {
        decision: Some("deny".to_owned()),
        reason: Some("not today".to_owned()),
        ..DecideApprovalInput::default()
    };
    runs.gate().decide_approval(&approver, &approval, no).await.unwrap();
    assert_eq!(cycle(&runs).await.failed, 1);
    let row = row(&runs, &run).await;
    let error = row.error.unwrap().to_value();
    assert_eq!((row.status, error["reason_code"].as_str()), (RunStatus::Failed, Some("approval_denied")));
    assert_eq!(error["reason"], "not today");
    assert_sound(bed, &runs).await;
}

mod both {
    use super::on_both;
    on_both!(noop, egress_allowed, egress_blocked, tool_denied, parked_and_approved, parked_and_denied,);
}
