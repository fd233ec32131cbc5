//! Who may say that somebody else asks.

use gate::{EgressInput, EvaluateInput};
use model::{AgentId, Outcome, PrincipalId, ReasonCode, Role};
use store::rows::{AgentRow, PrincipalRow};

use super::*;
use crate::bed::{Bed, caller, code, first, on_both};

/// An agent of the workspace, as another program would write it: no head moves.
pub(crate) async fn agent(gate: &Gate, zone_max: Zone) -> (AgentId, PrincipalId) {
    let (agent, principal) = (AgentId::new(), PrincipalId::new());
    let made = (agent.clone(), principal.clone());
    let change = Change {
        reads: |_: &mut Reads| {},
        settle: move |tx: &mut Tx<'_>| {
            let now = tx.now();
            tx.put(PrincipalRow {
                principal_id: made.1.clone(),
                workspace_id: Some(workspace()),
                principal_type: ActorType::Agent,
                legacy_actor_type: None,
                legacy_actor_id: None,
                created_at: now,
                revoked_at: None,
            });
            tx.put(AgentRow {
                agent_id: made.0.clone(),
                workspace_id: Some(workspace()),
                principal_id: made.1.clone(),
                display_name: "a".into(),
                zone_max,
                created_at: now,
                revoked_at: None,
                quarantined_at: None,
                quarantine_reason: None,
            });
        },
    };
    gate.store().submit(change).await.unwrap();
    (agent, principal)
}

async fn an_agent_asks_only_as_itself(bed: &Bed) {
    let gate = bed.gate().await;
    let (agent_id, principal) = agent(&gate, Zone::Supervised).await;
    let key = caller(&gate, Role::Agent, Some(principal.clone())).await;
    let other = caller(&gate, Role::Gateway, None).await;
    let with = |change: &dyn Fn(&mut EgressInput)| {
        let mut input = harmless("https://example.com/");
        change(&mut input);
        input
    };
    for (what, input) in [
        ("principal", with(&|i| i.principal_id = Some(other.principal_id.to_string()))),
        (
            "actor",
            with(&|i| {
                i.actor_type = Some("user".into());
                i.actor_id = Some("alice".into());
            }),
        ),
        ("zone", with(&|i| i.zone = Some("high_stakes".into()))),
    ] {
        assert_eq!(code(gate.request_egress(&key, input.clone(), None).await), "identity_not_permitted", "{what}");
        let trusted = first(gate.request_egress(&other, input, None).await);
        assert_eq!(trusted.decision, Outcome::Allow, "a gateway may: {what}");
    }
    let own = with(&|i| {
        i.principal_id = Some(principal.to_string());
        i.actor_type = Some("agent".into());
        i.actor_id = Some(agent_id.to_string());
        i.zone = Some("sandbox".into());
    });
    for input in [own, harmless("https://example.com/")] {
        let answer = first(gate.request_egress(&key, input, None).await);
        assert_eq!(answer.decision, Outcome::Allow, "{answer:?}");
        let row = gate.store().egress_request(&workspace(), &answer.egress_request_id).await.unwrap().unwrap();
        assert_eq!(row.requested_by_principal_id, Some(principal.clone()));
        assert_eq!((row.requested_by_type, row.requested_by_id.as_str()), (ActorType::Agent, agent_id.as_str()));
    }
}

async fn an_agent_without_a_zone_stays_below_its_highest(bed: &Bed) {
    let gate = bed.gate().await;
    let (_, principal) = agent(&gate, Zone::Sandbox).await;
    let key = caller(&gate, Role::Agent, Some(principal)).await;
    let skip = events(&gate).await.len();
    first(gate.request_egress(&key, harmless("https://example.com/"), None).await);
    assert!(events_after(&gate, skip).await.iter().all(|e| e.zone == Zone::Sandbox));
}

async fn unknown_principals_are_denied_and_recorded(bed: &Bed) {
    let gate = bed.gate().await;
    let key = gateway(&gate).await;
    let input = EgressInput { principal_id: Some("nobody".into()), ..harmless("https://example.com/") };
    let answer = first(gate.request_egress(&key, input, None).await);
    assert_eq!((answer.decision, answer.reason_code), (Outcome::Deny, ReasonCode::PrincipalNotFound));
    let row = gate.store().egress_request(&workspace(), &answer.egress_request_id).await.unwrap().unwrap();
    assert_eq!(row.requested_by_principal_id, Some(key.principal_id.clone()));
    // An agent that names no principal.
    let input = EgressInput {
        actor_type: Some("agent".into()),
        actor_id: Some("coder".into()),
        ..harmless("https://example.com/")
    };
    let answer = first(gate.request_egress(&key, input, None).await);
    assert_eq!(answer.reason_code, ReasonCode::AgentPrincipalRequired);
}

async fn rows_that_other_programs_write_count(bed: &Bed) {
    let gate = bed.gate().await;
    let key = gateway(&gate).await;
    // Learnt from the store, though no head moved.
    let (agent_id, principal) = agent(&gate, Zone::Supervised).await;
    let input = EgressInput {
        principal_id: Some(principal.to_string()),
        actor_type: Some("agent".into()),
        actor_id: Some(agent_id.to_string()),
        ..harmless("https://example.com/")
    };
    assert_eq!(first(gate.request_egress(&key, input, None).await).decision, Outcome::Allow);
}

async fn an_actor_has_one_principal_from_its_first_ask(bed: &Bed) {
    let gate = bed.gate().await;
    let key = gateway(&gate).await;
    let input =
        EgressInput { actor_type: Some("user".into()), actor_id: Some("alice".into()), ..to("https://example.com/") };
    let asks: Vec<_> = (0..20)
        .map(|_| {
            let (gate, key, input) = (gate.clone(), key.clone(), input.clone());
            tokio::spawn(async move { gate.request_egress(&key, input, None).await.unwrap().value })
        })
        .collect();
    let mut seen = Vec::new();
    for ask in asks {
        let answer = ask.await.unwrap();
        let row = gate.store().egress_request(&workspace(), &answer.egress_request_id).await.unwrap().unwrap();
        seen.push((row.requested_by_principal_id.unwrap(), answer.approval_id));
    }
    assert!(seen.iter().all(|each| *each == seen[0]), "one principal, one digest, one approval");
    // Asking without recording makes none.
    let question = EvaluateInput {
        action: Some("internal.read".into()),
        actor_type: Some("user".into()),
        actor_id: Some("bob".into()),
        ..EvaluateInput::default()
    };
    gate.evaluate(&key, question).await.unwrap();
    let bob = Actor::new(ActorType::User, "bob");
    let view = gate.store().learn_actor(&workspace(), &bob).await.unwrap();
    assert!(view.snapshot.principal_of(&workspace(), &bob).is_none());
}

mod cases {
    super::on_both!(
        an_agent_asks_only_as_itself,
        an_agent_without_a_zone_stays_below_its_highest,
        unknown_principals_are_denied_and_recorded,
        rows_that_other_programs_write_count,
        an_actor_has_one_principal_from_its_first_ask,
    );
}
