//! Runs that wait for people: what ends the waiting, and what does not.

use std::time::Duration;

use gate::approvals::{DecideApprovalInput, RequestApprovalInput, RevokeApprovalInput};
use gate::settings::SetKillSwitchInput;
use model::run::RunStatus;
use model::{Role, RunId, Time};
use runs::{CancelRunInput, Runs};
use serde_json::{Value, json};

use crate::bed::{
    Bed, asked, assert_at_rest, assert_sound, caller, code, cycle, decide, error, events, on_both, queued, row, types,
};

fn write(extra: &Value) -> Value {
    let egress = json!({"target_url": "https://example.com/x", "action": "external.write"});
    let mut input = json!({"runtime": {"egress": egress, "on_approval": "wait"}});
    for (name, value) in extra.as_object().into_iter().flatten() {
        input["runtime"][name] = value.clone();
    }
    input
}

/// A run that waits, and the approval it waits for.
async fn parked(runs: &Runs, extra: Value) -> (RunId, String) {
    let owner = caller(runs, Role::Owner).await;
    let run = queued(runs, &owner, write(&extra)).await;
    assert_eq!(cycle(runs).await.waiting, 1);
    assert_eq!(row(runs, &run).await.status, RunStatus::WaitingApproval);
    let backlog = runs.gate().store().run_backlog(10).await.unwrap();
    assert_eq!((backlog.queued, backlog.leased, backlog.waiting), (0, 0, 1), "nobody has a run that waits");
    let approval = asked(runs, &run).await;
    (run, approval)
}

/// Approves for a moment, and lets it pass.
async fn approve_for_a_moment(runs: &Runs, approval: &str) {
    let approver = caller(runs, Role::Approver).await;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let end = Time::from_millis(i64::try_from(now.as_millis()).unwrap() + 3_000);
    let short = DecideApprovalInput {
        decision: Some("approve".to_owned()),
        expires_at: Some(end.to_string()),
        ..DecideApprovalInput::default()
    };
    runs.gate().decide_approval(&approver, approval, short).await.unwrap();
    tokio::time::sleep(Duration::from_millis(3_200)).await;
}

async fn an_approval_that_expires_fails_the_run(bed: &Bed) {
    let runs = bed.runs().await;
    let (run, approval) = parked(&runs, json!({})).await;
    let swept = runs.gate().sweep_approvals().await.unwrap();
    assert_eq!((swept.moot, swept.out_of_time), (0, 0), "the control: it is still to be decided");
    assert_eq!(cycle(&runs).await.scanned, 0);
    approve_for_a_moment(&runs, &approval).await;
    assert_eq!(runs.gate().sweep_approvals().await.unwrap().out_of_time, 1);
    assert_eq!(cycle(&runs).await.failed, 1);
    let error = error(&runs, &run).await;
    assert_eq!((&error["stage"], &error["reason_code"]), (&json!("approval"), &json!("approval_expired")));
    let types = types(&runs, &run).await;
    assert_eq!(types[types.len() - 2..], ["approval.expired", "run.failed"]);
    assert_at_rest(&runs).await;
    assert_sound(bed, &runs).await;
}

async fn when_policy_moves_nobody_is_waited_for(bed: &Bed) {
    let runs = bed.runs().await;
    let approver = caller(&runs, Role::Approver).await;
    let owner = caller(&runs, Role::Owner).await;
    // Somebody approves it for all.
    let (allowed, _) = parked(&runs, json!({})).await;
    let all = RequestApprovalInput {
        action: Some("external.write".to_owned()),
        scope: Some(json!({"type": "workspace"})),
        ..RequestApprovalInput::default()
    };
    let all = runs.gate().request_approval(&owner, all, None).await.unwrap().value.approval_id;
    let yes = DecideApprovalInput { decision: Some("approve".to_owned()), ..DecideApprovalInput::default() };
    runs.gate().decide_approval(&approver, all.as_str(), yes).await.unwrap();
    assert_eq!(runs.gate().sweep_approvals().await.unwrap().moot, 1);
    assert_eq!(cycle(&runs).await.completed, 1);
    assert_eq!(row(&runs, &allowed).await.status, RunStatus::Succeeded);

    // Somebody stops everything.
    let back = RevokeApprovalInput::default();
    runs.gate().revoke_approval(&approver, all.as_str(), back).await.unwrap();
    let (stopped, _) = parked(&runs, json!({})).await;
    let on = SetKillSwitchInput { active: Some(true), reason: Some("stop".to_owned()) };
    runs.gate().set_kill_switch(&owner, on).await.unwrap();
    assert_eq!(runs.gate().sweep_approvals().await.unwrap().moot, 1);
    assert_eq!(cycle(&runs).await.failed, 1);
    let error = error(&runs, &stopped).await;
    assert_eq!((&error["decision"], &error["reason_code"]), (&json!("deny"), &json!("kill_switch_active")));
    assert_at_rest(&runs).await;
    assert_sound(bed, &runs).await;
}

async fn an_approval_that_is_taken_back_before_the_run_goes_on_fails_it(bed: &Bed) {
    let runs = bed.runs().await;
    let (run, approval) = parked(&runs, json!({})).await;
    decide(&runs, &approval, "approve").await;
    let approver = caller(&runs, Role::Approver).await;
    runs.gate().revoke_approval(&approver, &approval, RevokeApprovalInput::default()).await.unwrap();
    assert_eq!(cycle(&runs).await.failed, 1);
    assert_eq!(error(&runs, &run).await["reason_code"], "approval_revoked");
    assert_at_rest(&runs).await;
    assert_sound(bed, &runs).await;
}

async fn an_approval_that_no_longer_counts_is_asked_for_again(bed: &Bed) {
    let runs = bed.runs().await;
    let (run, approval) = parked(&runs, json!({})).await;
    approve_for_a_moment(&runs, &approval).await;
    assert_eq!(cycle(&runs).await.waiting, 1, "it was resumed too late");
    let second = asked(&runs, &run).await;
    assert_ne!(second, approval);
    decide(&runs, &second, "approve").await;
    assert_eq!(cycle(&runs).await.completed, 1);
    assert_eq!(row(&runs, &run).await.attempt_no, 1);
    assert_at_rest(&runs).await;
    assert_sound(bed, &runs).await;
}

async fn not_yet_is_no_decision(bed: &Bed) {
    let runs = bed.runs().await;
    let (run, approval) = parked(&runs, json!({})).await;
    decide(&runs, &approval, "hold").await;
    assert_eq!(cycle(&runs).await.scanned, 0);
    assert_eq!(row(&runs, &run).await.status, RunStatus::WaitingApproval);
    decide(&runs, &approval, "approve").await;
    assert_eq!(cycle(&runs).await.completed, 1);
    assert_at_rest(&runs).await;
}

async fn a_run_that_waits_can_be_called_off_and_stays_so(bed: &Bed) {
    let runs = bed.runs().await;
    let (run, approval) = parked(&runs, json!({})).await;
    let owner = caller(&runs, Role::Owner).await;
    let why = CancelRunInput { reason: Some("no longer needed".to_owned()) };
    runs.cancel(&owner, run.as_str(), why).await.unwrap();
    assert_at_rest(&runs).await;
    decide(&runs, &approval, "approve").await;
    assert_eq!(cycle(&runs).await.scanned, 0);
    let row = row(&runs, &run).await;
    assert_eq!((row.status, row.message.as_deref()), (RunStatus::Cancelled, Some("no longer needed")));
    assert_eq!(code(runs.cancel(&owner, run.as_str(), CancelRunInput::default()).await), "run_already_ended");
    assert_sound(bed, &runs).await;
}

async fn only_what_a_human_can_approve_is_waited_for(bed: &Bed) {
    let runs = bed.runs().await;
    let owner = caller(&runs, Role::Owner).await;
    // Without `wait` the same run fails.
    let mut fails = write(&json!({}));
    fails["runtime"]["on_approval"] = json!("fail");
    let fails = queued(&runs, &owner, fails).await;
    assert_eq!(cycle(&runs).await.failed, 1);
    assert_eq!(error(&runs, &fails).await["reason_code"], "external_write_requires_approval");
    // A tool call that is denied is not waited for.
    let denied = json!({"policy": {"principal_id": "nobody"}});
    let denied = queued(&runs, &owner, write(&denied)).await;
    assert_eq!(cycle(&runs).await.failed, 1);
    assert_eq!(error(&runs, &denied).await["reason_code"], "principal_not_found");
    assert_at_rest(&runs).await;
    assert_sound(bed, &runs).await;
}

async fn time_does_not_count_while_people_think(bed: &Bed) {
    let runs = bed.runs().await;
    let (run, approval) = parked(&runs, json!({"timeout_s": 4})).await;
    tokio::time::sleep(Duration::from_millis(4_500)).await;
    assert_eq!(cycle(&runs).await.scanned, 0);
    decide(&runs, &approval, "approve").await;
    assert_eq!(cycle(&runs).await.completed, 1);
    let events = events(&runs, &run).await;
    let (began, ended) = (events[0].occurred_at, events[events.len() - 1].occurred_at);
    assert!(ended.as_millis() - began.as_millis() > 4_500, "it took longer than its time");
    assert_at_rest(&runs).await;
    assert_sound(bed, &runs).await;
}

mod both {
    use super::on_both;
    on_both!(
        an_approval_that_expires_fails_the_run,
        when_policy_moves_nobody_is_waited_for,
        an_approval_that_is_taken_back_before_the_run_goes_on_fails_it,
        an_approval_that_no_longer_counts_is_asked_for_again,
        not_yet_is_no_decision,
        a_run_that_waits_can_be_called_off_and_stays_so,
        only_what_a_human_can_approve_is_waited_for,
        time_does_not_count_while_people_think,
    );
}
