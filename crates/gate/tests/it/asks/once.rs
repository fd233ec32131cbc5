//! A `once` approval lets exactly one ask pass.

use model::approval::ApprovalStatus;
use model::{Outcome, ReasonCode};

use super::*;
use crate::bed::{Bed, assert_sound, first, on_both};

async fn forty_parallel_uses_pass_one(bed: &Bed) {
    let gate = bed.gate().await;
    let caller = gateway(&gate).await;
    let raised = first(gate.request_egress(&caller, to("https://example.com/x?q=1"), None).await);
    let id = raised.approval_id.unwrap();
    approve(&gate, None, &id).await;
    // Another meaning is not covered.
    let other = first(gate.request_egress(&caller, to("https://example.com/x?q=2"), None).await);
    assert_eq!(other.decision, Outcome::RequireApproval);
    let asks: Vec<_> = (0..40)
        .map(|_| {
            let (gate, caller) = (gate.clone(), caller.clone());
            tokio::spawn(
                async move { gate.request_egress(&caller, to("https://example.com/x?q=1"), None).await.unwrap() },
            )
        })
        .collect();
    let (mut allowed, mut pending) = (0, Vec::new());
    for ask in asks {
        let answered = ask.await.unwrap();
        let answer = answered.value;
        match answer.decision {
            Outcome::Allow => {
                allowed += 1;
                assert_eq!(answer.reason_code, ReasonCode::ApprovalAllowsAction);
                assert_eq!(answer.approval_id, Some(id.clone()));
            }
            Outcome::RequireApproval => {
                pending.push(answer.approval_id.unwrap());
            }
            Outcome::Deny => panic!("{answer:?}"),
        }
    }
    assert_eq!((allowed, pending.len()), (1, 39));
    assert!(pending.iter().all(|p| *p == pending[0] && *p != id), "the losers share one new approval");
    let row = approval(&gate, &id).await;
    assert!(row.consumed_at.is_some() && row.status == ApprovalStatus::Approved);
    assert_sound(bed, &gate).await;
}

async fn a_lasting_approval_lets_every_ask_of_its_room_pass(bed: &Bed) {
    let gate = bed.gate().await;
    let caller = gateway(&gate).await;
    let room = room(&gate).await;
    let ask = |url: &str| gate::EgressInput { room_id: Some(room.to_string()), ..to(url) };
    let raised = first(gate.request_egress(&caller, ask("https://example.com/"), None).await);
    let id = raised.approval_id.unwrap();
    approve(&gate, Some(&room), &id).await;
    for path in ["", "a", "b?c=d"] {
        let answer = first(gate.request_egress(&caller, ask(&format!("https://example.com/{path}")), None).await);
        assert_eq!((answer.decision, answer.approval_id.as_ref()), (Outcome::Allow, Some(&id)));
    }
    let elsewhere = first(gate.request_egress(&caller, ask("https://example.org/"), None).await);
    assert_eq!(elsewhere.decision, Outcome::RequireApproval);
    assert!(approval(&gate, &id).await.consumed_at.is_none());
    assert_sound(bed, &gate).await;
}

async fn an_ended_pending_approval_is_replaced(bed: &Bed) {
    let gate = bed.gate().await;
    let caller = gateway(&gate).await;
    let one = first(gate.request_egress(&caller, to("https://example.com/"), None).await).approval_id.unwrap();
    // Held, until a moment that has passed.
    let data = json!({"approval_id": one, "decision": "hold", "expires_at": "2020-01-01T00:00:00Z"});
    append(&gate, None, EventType::ApprovalDecided, data, None).await;
    let two = first(gate.request_egress(&caller, to("https://example.com/"), None).await).approval_id.unwrap();
    assert_ne!(one, two);
    assert_eq!(approval(&gate, &one).await.status, ApprovalStatus::Expired);
    assert_eq!(approval(&gate, &two).await.status, ApprovalStatus::Pending);
    assert_sound(bed, &gate).await;
}

mod cases {
    super::on_both!(
        forty_parallel_uses_pass_one,
        a_lasting_approval_lets_every_ask_of_its_room_pass,
        an_ended_pending_approval_is_replaced,
    );
}
