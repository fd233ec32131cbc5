//! Publishing while others decide: never half a set, never an old one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use gate::policies::Expect;
use model::{Outcome, Role};

use super::{ask, publish};
use crate::bed::{Bed, caller};

mod both {
    use crate::bed::on_both;
    on_both!(a_decision_sees_one_whole_set);
}

/// Version `n`: two rules that agree about which version they belong to.
fn version(n: u64) -> String {
    let effect = if n.is_multiple_of(2) { "deny" } else { "ask" };
    let mut text = format!("[[{effect}]]\nid = \"first-{n}\"\nhost = \"a.test\"\n");
    for filler in 0..300 {
        text.push_str(&format!("[[deny]]\nid = \"f{filler}\"\nhost = \"f{filler}-{n}.test\"\n"));
    }
    text.push_str(&format!("[[{effect}]]\nid = \"last-{n}\"\nhost = \"*.test\"\npath = \"/a\"\n"));
    text
}

async fn a_decision_sees_one_whole_set(bed: &Bed) {
    let (here, there) = (bed.gate().await, bed.gate().await);
    let operator = caller(&here, Role::Operator, None).await;
    publish(&here, &operator, &version(1), Expect::Nothing).await.unwrap();
    let acknowledged = Arc::new(AtomicU64::new(1));
    let over = Arc::new(AtomicBool::new(false));
    let deciders: Vec<_> = [here.clone(), there.clone(), there]
        .into_iter()
        .map(|gate| {
            let (operator, acknowledged, over) = (operator.clone(), acknowledged.clone(), over.clone());
            tokio::spawn(async move {
                let mut seen = Vec::new();
                while !over.load(Ordering::SeqCst) {
                    let least = acknowledged.load(Ordering::SeqCst);
                    let answer = ask(&gate, &operator, "a.test").await;
                    let row = gate.why(&operator, answer.decision_id.as_ref().unwrap()).await.unwrap().unwrap().row;
                    let n = u64::try_from(row.policy_version.unwrap()).unwrap();
                    assert!(n >= least, "decided on version {n} after {least} was acknowledged");
                    let wanted = if n.is_multiple_of(2) { Outcome::Deny } else { Outcome::RequireApproval };
                    assert_eq!(answer.decision, wanted, "version {n}");
                    assert_eq!(answer.rules, [format!("first-{n}"), format!("last-{n}")], "version {n}");
                    seen.push(n);
                }
                seen
            })
        })
        .collect();
    for n in 1..15 {
        publish(&here, &operator, &version(n + 1), Expect::Version(n)).await.unwrap();
        acknowledged.store(n + 1, Ordering::SeqCst);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    over.store(true, Ordering::SeqCst);
    let mut versions = std::collections::BTreeSet::new();
    for decider in deciders {
        versions.extend(decider.await.unwrap());
    }
    assert!(versions.len() >= 5, "the control: decisions were made under several versions: {versions:?}");
}
