//! What is recorded was decided under the policy that held when it was recorded.

use model::{Outcome, ReasonCode};
use store::rows::PrincipalRow;

use super::*;
use crate::bed::{Bed, assert_sound, first, on_both};

async fn revoke(gate: &Gate, id: &model::PrincipalId) {
    let (wanted, id) = (id.clone(), id.clone());
    let change = Change {
        reads: move |reads: &mut Reads| {
            reads.moves_head(workspace().as_str());
            reads.row::<PrincipalRow>(&[wanted.as_str()]);
        },
        settle: move |tx: &mut Tx<'_>| {
            let mut row = tx.get::<PrincipalRow>(&[id.as_str()]).cloned().unwrap();
            row.revoked_at = Some(tx.now());
            tx.put(row);
            tx.policy_changed(workspace().as_str(), ObjectKind::Principal, id.as_str());
        },
    };
    gate.store().submit(change).await.unwrap();
}

async fn a_revocation_between_is_obeyed(bed: &Bed) {
    let (gate, other) = (bed.gate().await, bed.gate().await);
    let key = gateway(&gate).await;
    let asker = gateway(&gate).await;
    let input =
        gate::EgressInput { principal_id: Some(asker.principal_id.to_string()), ..harmless("https://example.com/") };
    assert_eq!(first(gate.request_egress(&key, input.clone(), None).await).decision, Outcome::Allow);
    // The caller was let in on a view from before; another replica revokes.
    revoke(&other, &asker.principal_id).await;
    let answer = first(gate.request_egress(&key, input.clone(), None).await);
    assert_eq!((answer.decision, answer.reason_code), (Outcome::Deny, ReasonCode::PrincipalRevoked));
    let question = gate::EvaluateInput {
        action: Some("internal.read".into()),
        principal_id: Some(asker.principal_id.to_string()),
        ..gate::EvaluateInput::default()
    };
    let fresh = other.fresh(key).await.unwrap();
    assert_eq!(other.evaluate(&fresh, question).await.unwrap().reason_code, ReasonCode::PrincipalRevoked);
}

async fn asks_in_flight_fall_on_one_side_of_a_revocation(bed: &Bed) {
    let (gate, other) = (bed.gate().await, bed.gate().await);
    let key = gateway(&gate).await;
    let asker = gateway(&gate).await;
    let input =
        gate::EgressInput { principal_id: Some(asker.principal_id.to_string()), ..harmless("https://example.com/") };
    let asks: Vec<_> = (0..60)
        .map(|_| {
            let (gate, key, input) = (gate.clone(), key.clone(), input.clone());
            tokio::spawn(async move { gate.request_egress(&key, input, None).await.unwrap().value })
        })
        .collect();
    revoke(&other, &asker.principal_id).await;
    let after = first(gate.request_egress(&key, input, None).await);
    assert_eq!(after.decision, Outcome::Deny);
    for ask in asks {
        ask.await.unwrap();
    }
    // Once a deny is in the stream, no allow follows.
    let all = events(&gate).await;
    let outcomes: Vec<&str> =
        types(&all).into_iter().filter(|t| matches!(*t, "egress.allowed" | "egress.blocked")).collect();
    let first_deny = outcomes.iter().position(|t| *t == "egress.blocked").unwrap();
    assert!(outcomes[first_deny..].iter().all(|t| *t == "egress.blocked"), "{outcomes:?}");
    assert_eq!(outcomes.len(), 61);
    assert_sound(bed, &gate).await;
}

mod cases {
    super::on_both!(a_revocation_between_is_obeyed, asks_in_flight_fall_on_one_side_of_a_revocation);
}
