//! Two processes on one PostgreSQL: what one has changed the other decides on.

use std::time::Duration;

use gate::agents::{QuarantineAgentInput, RegisterAgentInput};
use gate::capabilities::{GrantCapabilityInput, RevokeCapabilityInput};
use gate::{Gate, GateError, InstallSecret};
use model::{Mode, Role};
use secrecy::ExposeSecret as _;

use crate::bed::{Bed, caller, first, workspace};

/// A gate whose store never polls within the test.
async fn deaf(bed: &Bed) -> Gate {
    Gate::new(bed.store(Mode::Enforce, Duration::from_secs(3_600)).await, InstallSecret::ephemeral().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revocation_holds_on_the_other_replica() {
    let bed = Bed::postgres();
    let (here, there) = (bed.gate().await, deaf(&bed).await);
    let caller = caller(&here, Role::Operator, None).await;
    let principal = caller.principal_id.to_string();
    for _ in 0..100 {
        let input = GrantCapabilityInput {
            issued_to_principal_id: Some(principal.clone()),
            granted_by_principal_id: Some(principal.clone()),
            ..GrantCapabilityInput::default()
        };
        let token = first(here.grant_capability(&caller, input, None).await).token_id;
        let view = there.store().fresh(&workspace()).await.unwrap();
        assert!(view.snapshot.token(&workspace(), &token).unwrap().revoked_at.is_none(), "the control");
        let input = RevokeCapabilityInput { token_id: Some(token.to_string()), reason: None };
        here.revoke_capability(&caller, input).await.unwrap();
        let view = there.store().fresh(&workspace()).await.unwrap();
        assert!(view.snapshot.token(&workspace(), &token).unwrap().revoked_at.is_some());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_on_an_old_view_is_made_on_a_new_one_or_not_at_all() {
    let bed = Bed::postgres();
    let (here, there) = (bed.gate().await, deaf(&bed).await);
    let operator = caller(&here, Role::Operator, None).await;
    let key = gate::create_key(
        here.store(),
        gate::NewKey { workspace_id: Some(workspace()), role: Role::Operator, principal_id: None, expires_at: None },
    )
    .await
    .unwrap();
    let stale = there.authenticate(key.key.expose_secret(), None, "req").await.unwrap();
    let named = RegisterAgentInput { display_name: Some("a".to_owned()), zone_max: None };
    let agent = first(here.register_agent(&operator, named, None).await);
    // The policy moved, the key is good: the change is made.
    let quarantined = there.quarantine_agent(&stale, agent.agent_id.as_str(), QuarantineAgentInput::default()).await;
    assert!(!quarantined.unwrap().already_quarantined);
    // The key is revoked on the other replica: nothing is changed, not even a refusal is told.
    gate::revoke_key(here.store(), &key.key_id).await.unwrap();
    let released = there.unquarantine_agent(&stale, agent.agent_id.as_str()).await;
    assert!(matches!(released, Err(GateError::Unauthenticated)), "{released:?}");
    let unknown = there.unquarantine_agent(&stale, "no agent").await;
    assert!(matches!(unknown, Err(GateError::Unauthenticated)), "{unknown:?}");
    let row = here.store().agent(&workspace(), &agent.agent_id).await.unwrap().unwrap();
    assert!(row.quarantined_at.is_some());
}
