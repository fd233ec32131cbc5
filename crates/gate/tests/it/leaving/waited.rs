//! Fifty who ask the same wait for one answer.

use std::collections::BTreeSet;
use std::time::Instant;

use model::approval::ApprovalStatus;

use super::*;
use crate::bed::Bed;

const ASKERS: usize = 50;

/// All ask at once; gives the approvals asked for and how many permits there were.
async fn all_ask(gate: &Gate, agent: &Caller) -> (BTreeSet<ApprovalId>, usize) {
    let asks: Vec<_> = (0..ASKERS)
        .map(|_| {
            let (gate, agent) = (gate.clone(), agent.clone());
            tokio::spawn(async move { pass(&gate, &agent, tunnel("https://a.test/")).await.unwrap() })
        })
        .collect();
    let (mut approvals, mut permits) = (BTreeSet::new(), 0);
    for ask in asks {
        let ruled = ask.await.unwrap();
        match ruled.permit {
            Some(_) => permits += 1,
            None => assert!(approvals.insert(ruled.answer.approval_id.unwrap()) || approvals.len() == 1),
        }
    }
    (approvals, permits)
}

/// All wait for one approval while `meanwhile` happens; gives how it stood for each.
async fn all_wait(gate: &Gate, id: &ApprovalId, meanwhile: impl Future<Output = ()>) -> Vec<ApprovalStatus> {
    let waits: Vec<_> = (0..ASKERS)
        .map(|_| {
            let (gate, id) = (gate.clone(), id.clone());
            tokio::spawn(async move { gate.wait_for_approval(&workspace(), &id, Duration::from_secs(8)).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(150)).await;
    meanwhile.await;
    let decided = Instant::now();
    let mut all = Vec::new();
    for wait in waits {
        all.push(wait.await.unwrap());
    }
    assert!(decided.elapsed() < Duration::from_secs(4), "told after {:?}", decided.elapsed());
    all
}

async fn one_decision_releases_all(bed: &Bed) {
    let (gate, other) = (bed.gate().await, bed.gate().await);
    rules(&gate, ASK).await;
    let agent = caller(&gate, Role::Agent, None).await;
    // Decided here, and by another replica.
    for decider in [&gate, &other] {
        let (approvals, permits) = all_ask(&gate, &agent).await;
        assert_eq!((approvals.len(), permits), (1, 0));
        let id = approvals.first().unwrap().clone();
        let said = all_wait(&gate, &id, decide(decider, &id, "deny", None)).await;
        assert!(said.iter().all(|status| *status == ApprovalStatus::Denied), "{said:?}");
    }
    let (approvals, _) = all_ask(&gate, &agent).await;
    let id = approvals.first().unwrap().clone();
    let said = all_wait(&gate, &id, decide(&other, &id, "approve", None)).await;
    assert!(said.iter().all(|status| *status == ApprovalStatus::Approved), "{said:?}");
    let (approvals, permits) = all_ask(&gate, &agent).await;
    assert_eq!((approvals.len(), permits), (0, ASKERS));
}

async fn a_decision_for_one_use_lets_one_through(bed: &Bed) {
    let gate = bed.gate().await;
    rules(&gate, ASK).await;
    let agent = caller(&gate, Role::Agent, None).await;
    let (approvals, _) = all_ask(&gate, &agent).await;
    let id = approvals.first().unwrap().clone();
    let said = all_wait(&gate, &id, decide(&gate, &id, "approve", Some(json!("once")))).await;
    assert!(said.iter().all(|status| *status == ApprovalStatus::Approved), "{said:?}");
    let (approvals, permits) = all_ask(&gate, &agent).await;
    assert_eq!((approvals.len(), permits), (1, 1), "the others share one new approval");
    assert!(!approvals.contains(&id));
}

async fn who_is_not_answered_goes_on_in_time(bed: &Bed) {
    let gate = bed.gate().await;
    rules(&gate, ASK).await;
    let agent = caller(&gate, Role::Agent, None).await;
    let (approvals, _) = all_ask(&gate, &agent).await;
    let id = approvals.first().unwrap();
    for _ in 0..3 {
        let began = Instant::now();
        let status = gate.wait_for_approval(&workspace(), id, Duration::from_millis(250)).await;
        assert_eq!(status, ApprovalStatus::Pending);
        assert!((Duration::from_millis(250)..Duration::from_secs(3)).contains(&began.elapsed()));
    }
    // What is held is still to be decided; what is not there never will be.
    decide(&gate, id, "hold", None).await;
    let held = gate.wait_for_approval(&workspace(), id, Duration::from_millis(150)).await;
    assert!(held.is_open(), "{held:?}");
    let none = gate.wait_for_approval(&workspace(), &ApprovalId::new(), Duration::from_secs(5)).await;
    assert_eq!(none, ApprovalStatus::Expired);
}

mod both {
    crate::bed::on_both!(
        one_decision_releases_all,
        a_decision_for_one_use_lets_one_through,
        who_is_not_answered_goes_on_in_time,
    );
}
