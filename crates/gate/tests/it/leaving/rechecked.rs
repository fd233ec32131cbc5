//! What lasts is asked again: it stays while it would be let out now, or by the approval that let it out.

use gate::approvals::RevokeApprovalInput;
use gate::settings::{SetKillSwitchInput, SetModeInput};
use gate::{Admission, Recheck};
use model::{ReasonCode, Time};
use secrecy::ExposeSecret as _;

use super::*;
use crate::asks::quota::set_quota;
use crate::bed::Bed;

async fn recheck(gate: &Gate, admission: &Admission) -> Recheck {
    let now = gate.now(admission.workspace_id()).await.unwrap();
    gate.recheck(&now, admission).await.unwrap()
}

async fn rules_and_switches_end_it(bed: &Bed) {
    // Another replica changes what holds.
    let (gate, other) = (bed.gate().await, bed.gate().await);
    rules(&gate, ALLOW).await;
    let agent = caller(&gate, Role::Agent, None).await;
    let operator = caller(&other, Role::Operator, None).await;
    let permit = out(&gate, &agent, tunnel("https://a.test/")).await;
    let admission = permit.admission();
    let recorded = events(&gate).await.len();
    assert_eq!(recheck(&gate, &admission).await, Recheck::Stays);
    // Neither a quota nor an event is taken by asking again.
    set_quota(&other, 1).await;
    for _ in 0..3 {
        assert_eq!(recheck(&gate, &admission).await, Recheck::Stays);
    }
    assert_eq!(events(&gate).await.len(), recorded);
    set_quota(&other, 0).await;
    rules(&other, DENY).await;
    assert_eq!(recheck(&gate, &admission).await, Recheck::Ends(ReasonCode::PolicyDenies));
    rules(&other, ASK).await;
    assert_eq!(recheck(&gate, &admission).await, Recheck::Ends(ReasonCode::PolicyRequiresApproval));
    rules(&other, ALLOW).await;
    assert_eq!(recheck(&gate, &admission).await, Recheck::Stays);
    let switch = async |active: bool| {
        let input = SetKillSwitchInput { active: Some(active), reason: Some("test".to_owned()) };
        other.set_kill_switch(&operator, input).await.unwrap();
    };
    switch(true).await;
    assert_eq!(recheck(&gate, &admission).await, Recheck::Ends(ReasonCode::KillSwitchActive));
    switch(false).await;
    assert_eq!(recheck(&gate, &admission).await, Recheck::Stays);
}

async fn time_ends_it(bed: &Bed) {
    let gate = bed.gate().await;
    let agent = caller(&gate, Role::Agent, None).await;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let until = Time::from_millis(i64::try_from(now.as_millis()).unwrap() + 1_500);
    rules(&gate, &format!("{ALLOW}until = {until}\n")).await;
    let permit = out(&gate, &agent, tunnel("https://a.test/")).await;
    assert_eq!(recheck(&gate, &permit.admission()).await, Recheck::Stays);
    tokio::time::sleep(Duration::from_millis(1_600)).await;
    assert_eq!(recheck(&gate, &permit.admission()).await, Recheck::Ends(ReasonCode::ExternalWriteRequiresApproval));
}

async fn a_credential_that_dies_ends_it(bed: &Bed) {
    let (gate, other) = (bed.gate().await, bed.gate().await);
    rules(&gate, ALLOW).await;
    let new = gate::NewKey { workspace_id: Some(workspace()), role: Role::Agent, principal_id: None, expires_at: None };
    let key = gate::create_key(gate.store(), new).await.unwrap();
    let agent = gate.authenticate(key.key.expose_secret(), None, "r").await.unwrap();
    let permit = out(&gate, &agent, tunnel("https://a.test/")).await;
    assert_eq!(recheck(&gate, &permit.admission()).await, Recheck::Stays);
    gate::revoke_key(other.store(), &key.key_id).await.unwrap();
    assert_eq!(recheck(&gate, &permit.admission()).await, Recheck::Unauthenticated);
}

async fn the_approval_that_let_it_out_is_pinned(bed: &Bed) {
    let (gate, other) = (bed.gate().await, bed.gate().await);
    rules(&gate, ASK).await;
    let agent = caller(&gate, Role::Agent, None).await;
    for scope in [None, Some(json!("once"))] {
        let once = scope.is_some();
        let asked = pass(&gate, &agent, tunnel("https://a.test/")).await.unwrap();
        let id = asked.answer.approval_id.unwrap();
        decide(&other, &id, "approve", scope).await;
        let agent = gate.fresh(agent.clone()).await.unwrap();
        let permit = out(&gate, &agent, tunnel("https://a.test/")).await;
        assert_eq!(recheck(&gate, &permit.admission()).await, Recheck::Stays);
        let again = pass(&gate, &agent, tunnel("https://a.test/")).await.unwrap();
        assert_eq!(again.permit.is_none(), once, "a use is a use");
        if once {
            assert_eq!(recheck(&gate, &permit.admission()).await, Recheck::Stays, "its own use ends nothing");
        }
        let decider = caller(&other, Role::Approver, None).await;
        other.revoke_approval(&decider, id.as_str(), RevokeApprovalInput::default()).await.unwrap();
        assert_eq!(
            recheck(&gate, &permit.admission()).await,
            Recheck::Ends(ReasonCode::PolicyRequiresApproval),
            "once: {once}"
        );
    }
}

async fn what_shadow_let_out_ends_with_shadow(bed: &Bed) {
    let gate = bed.shadow_gate().await;
    rules(&gate, DENY).await;
    let agent = caller(&gate, Role::Agent, None).await;
    let permit = out(&gate, &agent, tunnel("https://a.test/")).await;
    assert_eq!(recheck(&gate, &permit.admission()).await, Recheck::Stays);
    let operator = caller(&gate, Role::Operator, None).await;
    let input = SetModeInput { mode: Some("enforce".to_owned()), reason: Some("test".to_owned()) };
    gate.set_mode(&operator, input).await.unwrap();
    assert_eq!(recheck(&gate, &permit.admission()).await, Recheck::Ends(ReasonCode::PolicyDenies));
}

mod both {
    crate::bed::on_both!(
        rules_and_switches_end_it,
        time_ends_it,
        a_credential_that_dies_ends_it,
        the_approval_that_let_it_out_is_pinned,
        what_shadow_let_out_ends_with_shadow,
    );
}
