//! The hourly quota is exact under concurrency.

use model::{Mode, Outcome, ReasonCode};
use store::rows::SettingsRow;

use super::*;
use crate::bed::{Bed, assert_sound, on_both};

pub(crate) async fn set_quota(gate: &Gate, limit: i64) {
    let change = Change {
        reads: |reads: &mut Reads| {
            reads.moves_head(workspace().as_str());
            reads.row::<SettingsRow>(&[workspace().as_str()]);
        },
        settle: move |tx: &mut Tx<'_>| {
            tx.put(SettingsRow {
                workspace_id: workspace(),
                mode: Some(Mode::Enforce),
                mode_changed_at: None,
                kill_switch: false,
                kill_switch_reason: None,
                default_decision: None,
                egress_max_requests_per_hour: Some(limit),
                require_capability_token: false,
                updated_at: tx.now(),
            });
            tx.policy_changed(workspace().as_str(), ObjectKind::Settings, workspace().as_str());
        },
    };
    gate.store().submit(change).await.unwrap();
}

async fn fifty_of_two_hundred_pass(bed: &Bed) {
    let gate = bed.gate().await;
    let caller = gateway(&gate).await;
    set_quota(&gate, 50).await;
    let asks: Vec<_> = (0..200)
        .map(|n| {
            let (gate, caller) = (gate.clone(), caller.clone());
            // Asks take from the quota, too.
            let input = if n % 2 == 0 { harmless("https://example.com/") } else { to("https://example.com/") };
            tokio::spawn(async move { gate.request_egress(&caller, input, None).await.unwrap().value })
        })
        .collect();
    let (mut passed, mut denied) = (0, Vec::new());
    for ask in asks {
        let answer = ask.await.unwrap();
        match answer.reason_code {
            ReasonCode::QuotaExceeded => denied.push(answer),
            _ => passed += 1,
        }
    }
    assert_eq!((passed, denied.len()), (50, 150));
    assert!(denied.iter().all(|a| a.blocked && a.decision == Outcome::Deny && a.approval_id.is_none()));
    // Somebody else has a quota of their own.
    let other = gateway(&gate).await;
    let answer = gate.request_egress(&other, harmless("https://example.com/"), None).await.unwrap().value;
    assert_eq!(answer.decision, Outcome::Allow);
    assert_sound(bed, &gate).await;
}

async fn a_denial_by_quota_says_so_last(bed: &Bed) {
    let gate = bed.gate().await;
    let caller = gateway(&gate).await;
    set_quota(&gate, 1).await;
    let skip = events(&gate).await.len();
    for _ in 0..2 {
        gate.request_egress(&caller, harmless("https://example.com/"), None).await.unwrap();
    }
    let events = events_after(&gate, skip + 2).await;
    assert_eq!(types(&events), ["egress.requested", "policy.denied", "egress.blocked", "quota.exceeded"]);
    assert_chained(&events);
    assert_eq!(events[3].data.to_value()["reason_code"], "quota_exceeded");
}

mod cases {
    super::on_both!(fifty_of_two_hundred_pass, a_denial_by_quota_says_so_last);
}
