//! Approvals that end without a human.

use std::time::Duration;

use gate::settings::SetKillSwitchInput;
use model::Role;
use model::approval::ApprovalStatus;
use serde_json::json;

use super::approvals::{Raise, say};
use crate::bed::{Bed, assert_sound, caller, data_of, head, workspace};

mod both {
    use crate::bed::on_both;
    on_both!(ends_what_is_out_of_time, ends_what_nobody_needs_to_be_asked);
}

async fn ends_what_is_out_of_time(bed: &Bed) {
    let gate = bed.gate().await;
    let asker = caller(&gate, Role::Agent, None).await;
    let decider = caller(&gate, Role::Approver, None).await;
    let open = gate
        .store()
        .submit(Raise { expires_in_ms: Some(400), ..Raise::by(&asker.principal_id) })
        .await
        .unwrap()
        .into_inner();
    let given = gate
        .store()
        .submit(Raise { expires_in_ms: Some(400), ..Raise::by(&asker.principal_id) })
        .await
        .unwrap()
        .into_inner();
    let lasting = gate.store().submit(Raise::by(&asker.principal_id)).await.unwrap().into_inner();
    gate.decide_approval(&decider, given.as_str(), say("approve")).await.unwrap();
    let before = head(&gate).await;
    tokio::time::sleep(Duration::from_millis(450)).await;
    let late = gate.decide_approval(&decider, open.as_str(), say("approve")).await;
    assert_eq!(crate::bed::code(late), "approval_already_decided");
    let (one, other) = tokio::join!(gate.sweep_approvals(), gate.sweep_approvals());
    assert_eq!(one.unwrap().out_of_time + other.unwrap().out_of_time, 2);
    for (id, want) in
        [(&open, ApprovalStatus::Expired), (&given, ApprovalStatus::Expired), (&lasting, ApprovalStatus::Pending)]
    {
        assert_eq!(gate.store().approval(&workspace(), id).await.unwrap().unwrap().status, want);
    }
    assert_eq!(data_of(&gate, "approval.expired").await.len(), 2);
    assert_eq!(head(&gate).await, before + 1, "only what was given moves the head");
    assert_eq!(gate.sweep_approvals().await.unwrap().out_of_time, 0);
    assert_sound(bed, &gate).await;
}

async fn ends_what_nobody_needs_to_be_asked(bed: &Bed) {
    let gate = bed.gate().await;
    let operator = caller(&gate, Role::Operator, None).await;
    let asker = caller(&gate, Role::Agent, None).await;
    let raised = gate.store().submit(Raise::by(&asker.principal_id)).await.unwrap().into_inner();
    let untold = Raise { request: json!({"ask_digest": "d"}), ..Raise::by(&asker.principal_id) };
    let untold = gate.store().submit(untold).await.unwrap().into_inner();
    assert_eq!(gate.sweep_approvals().await.unwrap().moot, 0, "still to be asked");
    let on = SetKillSwitchInput { active: Some(true), reason: None };
    gate.set_kill_switch(&operator, on).await.unwrap();
    assert_eq!(gate.sweep_approvals().await.unwrap().moot, 1, "now denied");
    let status = async |id| gate.store().approval(&workspace(), id).await.unwrap().unwrap().status;
    assert_eq!(status(&raised).await, ApprovalStatus::Expired);
    assert_eq!(status(&untold).await, ApprovalStatus::Pending, "without its facts it is left alone");
    assert_sound(bed, &gate).await;
}
