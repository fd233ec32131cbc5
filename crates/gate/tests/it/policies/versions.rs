//! Versions and going back.

use gate::policies::{Expect, RollbackInput};
use model::{Outcome, Role};
use serde_json::json;

use super::{ask, publish, rule};
use crate::bed::{Bed, assert_sound, caller, code, data_of};

mod both {
    use crate::bed::on_both;
    on_both!(going_back_makes_a_version, every_version_is_kept);
}

fn to(to: Option<u64>) -> RollbackInput {
    RollbackInput { to, reason: Some("it was wrong".to_owned()) }
}

async fn going_back_makes_a_version(bed: &Bed) {
    let gate = bed.gate().await;
    let operator = caller(&gate, Role::Operator, None).await;
    let back = async |version| gate.roll_policies_back(&operator, to(version), Expect::Nothing).await;
    assert_eq!(code(back(None).await), "no_earlier_policy_version");
    for (n, host) in ["a.test", "b.test", "c.test"].into_iter().enumerate() {
        publish(&gate, &operator, &rule("deny", "r", host), Expect::Version(n as u64)).await.unwrap();
    }
    let denied = async |host| ask(&gate, &operator, host).await.decision == Outcome::Deny;
    assert!(denied("c.test").await && !denied("b.test").await, "the control");
    let fourth = back(None).await.unwrap();
    assert_eq!((fourth.version, fourth.previous_version, fourth.restores), (4, 3, Some(2)));
    assert!(denied("b.test").await && !denied("c.test").await);
    // Going back again goes on, and not to what was just left.
    let fifth = back(None).await.unwrap();
    assert_eq!((fifth.version, fifth.restores), (5, Some(1)));
    assert!(denied("a.test").await);
    assert_eq!(code(back(None).await), "no_earlier_policy_version");
    let sixth = back(Some(3)).await.unwrap();
    assert_eq!((sixth.version, sixth.restores), (6, Some(3)));
    assert!(denied("c.test").await);
    let same = back(Some(6)).await.unwrap();
    assert_eq!((same.version, same.unchanged, same.restores), (6, true, None));
    assert_eq!(code(back(Some(9)).await), "policy_version_not_found");
    assert_eq!(code(gate.roll_policies_back(&operator, to(None), Expect::Version(5)).await), "policy_version_mismatch");
    let told = data_of(&gate, "policy_set.rolled_back").await;
    assert_eq!(
        told[0],
        json!({"version": 4, "digest": fourth.digest, "previous_version": 3, "rules": 1, "files": 1,
               "source": "api", "restores": 2, "reason": "it was wrong"})
    );
    assert_eq!(told.len(), 3);
    assert_sound(bed, &gate).await;
}

async fn every_version_is_kept(bed: &Bed) {
    let gate = bed.gate().await;
    let operator = caller(&gate, Role::Operator, None).await;
    let empty = gate.policies(&operator).await.unwrap();
    assert_eq!((empty.version, empty.digest, empty.files.len()), (0, None, 0));
    for n in 0..3 {
        publish(&gate, &operator, &rule("deny", &format!("r{n}"), "a.test"), Expect::Version(n)).await.unwrap();
    }
    let listed = gate.policy_versions(&operator, None, 2).await.unwrap();
    assert_eq!(listed.iter().map(|each| (each.version, each.active)).collect::<Vec<_>>(), [(3, true), (2, false)]);
    let rest = gate.policy_versions(&operator, Some(2), 2).await.unwrap();
    assert_eq!(rest.len(), 1);
    let second = gate.policy_version(&operator, 2).await.unwrap().unwrap();
    assert_eq!(second.files.unwrap()[0].text, rule("deny", "r1", "a.test"));
    assert_eq!(second.published_by_principal_id.as_ref(), Some(&operator.principal_id));
    assert!(gate.policy_version(&operator, 4).await.unwrap().is_none());
    let operator = gate.fresh(operator).await.unwrap();
    let now = gate.policies(&operator).await.unwrap();
    assert_eq!((now.version, now.files[0].text.as_str()), (3, rule("deny", "r2", "a.test").as_str()));
    assert!(now.problems.is_empty() && now.candidate.is_none() && now.folder.is_none());
    let other = crate::bed::caller_in(&gate, Some(model::WorkspaceId::parse("ws_o").unwrap()), Role::Operator, None);
    let other = other.await;
    assert_eq!(gate.policies(&other).await.unwrap().version, 0, "another workspace sees nothing of it");
    assert!(gate.policy_version(&other, 1).await.unwrap().is_none());
}
