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
    on_both!(
        ends_what_is_out_of_time,
        ends_what_nobody_needs_to_be_asked,
        leaves_alone_what_a_rule_would_have_to_look_into,
    );
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

async fn leaves_alone_what_a_rule_would_have_to_look_into(bed: &Bed) {
    let gate = bed.gate().await;
    let operator = caller(&gate, Role::Operator, None).await;
    let asker = caller(&gate, Role::Agent, None).await;
    let raise = async |tool: &str| {
        let request = json!({"tool_name": tool, "ask_digest": tool, "principal_id": asker.principal_id});
        gate.store().submit(Raise { request, ..Raise::by(&asker.principal_id) }).await.unwrap().into_inner()
    };
    let (pay, other) = (raise("pay").await, raise("other").await);
    // What `pay` was to be called with is not kept, so nobody knows what the first rule says to it.
    let text = "[tools.pay]\n\"/amount\" = \"number\"\n\n\
        [[deny]]\nid = \"too-much\"\ntool = \"pay\"\nwhen = { arg = \"/amount\", gt = 100 }\n\n\
        [[deny]]\nid = \"no-other\"\ntool = \"other\"\n";
    crate::policies::publish(&gate, &operator, text, gate::policies::Expect::Nothing).await.unwrap();
    assert_eq!(gate.sweep_approvals().await.unwrap().moot, 1);
    let status = async |id| gate.store().approval(&workspace(), id).await.unwrap().unwrap().status;
    assert_eq!((status(&pay).await, status(&other).await), (ApprovalStatus::Pending, ApprovalStatus::Expired));
}
