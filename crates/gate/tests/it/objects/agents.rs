//! Agents.

use gate::agents::{QuarantineAgentInput, RegisterAgentInput};
use model::{Role, WorkspaceId};

use crate::bed::{Bed, assert_sound, caller, caller_in, code, data_of, first, head, workspace};

mod both {
    use crate::bed::on_both;
    on_both!(registers_quarantines_and_revokes, refuses_bad_registrations, does_not_know_foreign_agents);
}

fn named(name: &str) -> RegisterAgentInput {
    RegisterAgentInput { display_name: Some(name.to_owned()), zone_max: None }
}

fn because(reason: &str) -> QuarantineAgentInput {
    QuarantineAgentInput { quarantine_reason: Some(reason.to_owned()) }
}

async fn registers_quarantines_and_revokes(bed: &Bed) {
    let gate = bed.gate().await;
    let caller = caller(&gate, Role::Operator, None).await;
    let agent = first(gate.register_agent(&caller, named(" Scout "), None).await);
    let id = agent.agent_id.as_str();
    let row = gate.store().agent(&workspace(), &agent.agent_id).await.unwrap().unwrap();
    assert_eq!((row.display_name.as_str(), row.zone_max.as_str()), ("Scout", "supervised"));
    let principal = gate.store().principal(&workspace(), &agent.principal_id).await.unwrap().unwrap();
    assert_eq!(principal.legacy_actor_id.as_deref(), Some(id));
    let registered = data_of(&gate, "agent.registered").await;
    assert_eq!(registered[0]["principal_id"], agent.principal_id.as_str());

    let before = head(&gate).await;
    let first_time = gate.quarantine_agent(&caller, id, because("odd")).await.unwrap();
    assert!(!first_time.already_quarantined);
    let again = gate.quarantine_agent(&caller, id, because("other")).await.unwrap();
    assert!(again.already_quarantined);
    assert_eq!((again.quarantined_at, again.quarantine_reason.as_deref()), (first_time.quarantined_at, Some("odd")));
    assert_eq!(head(&gate).await, before + 1);

    assert!(!gate.unquarantine_agent(&caller, id).await.unwrap().already_unquarantined);
    assert!(gate.unquarantine_agent(&caller, id).await.unwrap().already_unquarantined);
    let released = data_of(&gate, "agent.unquarantined").await;
    assert_eq!(released.len(), 1);
    assert_eq!(released[0]["previous_quarantine_reason"], "odd");
    assert_eq!(released[0]["previous_quarantined_at"], first_time.quarantined_at.unwrap().to_string());

    assert!(!gate.revoke_agent(&caller, id).await.unwrap().already_revoked);
    assert!(gate.revoke_agent(&caller, id).await.unwrap().already_revoked);
    assert_eq!(data_of(&gate, "agent.revoked").await.len(), 1);
    assert_eq!(head(&gate).await, before + 3);
    let view = gate.store().fresh(&workspace()).await.unwrap();
    assert!(view.snapshot.agent(&workspace(), &agent.agent_id).unwrap().revoked_at.is_some());
    assert_sound(bed, &gate).await;
}

async fn refuses_bad_registrations(bed: &Bed) {
    let gate = bed.gate().await;
    let caller = caller(&gate, Role::Operator, None).await;
    for bad in ["", "  ", "a\nb", &"x".repeat(201)] {
        assert_eq!(code(gate.register_agent(&caller, named(bad), None).await), "invalid_display_name", "{bad:?}");
    }
    assert_eq!(code(gate.register_agent(&caller, RegisterAgentInput::default(), None).await), "invalid_display_name");
    let zone = RegisterAgentInput { zone_max: Some("moon".to_owned()), ..named("a") };
    assert_eq!(code(gate.register_agent(&caller, zone, None).await), "invalid_zone_max");
    assert!(data_of(&gate, "agent.registered").await.is_empty());
}

async fn does_not_know_foreign_agents(bed: &Bed) {
    let gate = bed.gate().await;
    let ours = caller(&gate, Role::Owner, None).await;
    let theirs = caller_in(&gate, Some(WorkspaceId::parse("ws_other").unwrap()), Role::Owner, None).await;
    let agent = first(gate.register_agent(&theirs, named("a"), None).await);
    for id in [agent.agent_id.as_str(), "unknown", "not an id"] {
        assert_eq!(code(gate.quarantine_agent(&ours, id, because("x")).await), "agent_not_found");
        assert_eq!(code(gate.unquarantine_agent(&ours, id).await), "agent_not_found");
        assert_eq!(code(gate.revoke_agent(&ours, id).await), "agent_not_found");
    }
    assert!(!gate.revoke_agent(&theirs, agent.agent_id.as_str()).await.unwrap().already_revoked);
}
