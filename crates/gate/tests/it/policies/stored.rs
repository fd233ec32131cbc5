//! What is in the store: kept over a restart, and denied when it cannot be read.

use gate::policies::Expect;
use gate::{Gate, InstallSecret};
use model::{Mode, Outcome, ReasonCode, Role};

use super::{ask, publish, rule};
use crate::bed::{Bed, caller, workspace};

mod both {
    use crate::bed::on_both;
    on_both!(a_restart_keeps_the_set);
}

async fn again(bed: &Bed) -> Gate {
    let store = bed.store(Mode::Enforce, std::time::Duration::from_millis(50)).await;
    Gate::new(store, InstallSecret::ephemeral().unwrap())
}

async fn a_restart_keeps_the_set(bed: &Bed) {
    let gate = bed.gate().await;
    let operator = caller(&gate, Role::Operator, None).await;
    publish(&gate, &operator, &rule("deny", "a", "a.test"), Expect::Nothing).await.unwrap();
    gate.store().drained().await;
    drop(gate);
    let gate = again(bed).await;
    let denied = ask(&gate, &operator, "a.test").await;
    assert_eq!((denied.decision, denied.rules), (Outcome::Deny, vec!["a".to_owned()]));
    assert_eq!(gate.store().view().unreadable_sets(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_set_that_cannot_be_read_denies_everything() {
    let bed = &Bed::postgres();
    let gate = bed.gate().await;
    let operator = caller(&gate, Role::Operator, None).await;
    publish(&gate, &operator, &rule("deny", "a", "a.test"), Expect::Nothing).await.unwrap();
    assert_eq!(ask(&gate, &operator, "b.test").await.decision, Outcome::Allow, "the control");
    gate.store().drained().await;
    drop(gate);
    // As after a downgrade, or with somebody's own hands: the digest names a text that is not there.
    bed.sql("UPDATE policy_sets SET digest = 'sha256:0000'");
    let gate = again(bed).await;
    let denied = ask(&gate, &operator, "b.test").await;
    assert_eq!((denied.decision, denied.reason_code), (Outcome::Deny, ReasonCode::PolicyUnevaluable));
    assert_eq!(gate.store().view().unreadable_sets(), 1);
    // Publishing mends it at once.
    publish(&gate, &operator, &rule("deny", "c", "c.test"), Expect::Version(1)).await.unwrap();
    assert_eq!(ask(&gate, &operator, "b.test").await.decision, Outcome::Allow);
    assert_eq!(gate.store().fresh(&workspace()).await.unwrap().unreadable_sets(), 0);
}
