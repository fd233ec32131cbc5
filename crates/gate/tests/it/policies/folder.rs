//! A folder as the source of a set.

use gate::policies::Expect;
use model::{Outcome, Role};
use rules::Source;

use super::{ask, publish, rule, set};
use crate::bed::{Bed, caller, code, data_of, workspace};

mod both {
    use crate::bed::on_both;
    on_both!(a_folder_manages_its_workspace);
}

fn file(text: &str) -> Vec<Source> {
    vec![Source { name: "main.toml".to_owned(), text: text.to_owned() }]
}

async fn a_folder_manages_its_workspace(bed: &Bed) {
    let gate = bed.gate().await;
    let operator = caller(&gate, Role::Operator, None).await;
    publish(&gate, &operator, &rule("deny", "a", "a.test"), Expect::Nothing).await.unwrap();
    assert!(gate.policy_folder().is_none());
    let first = gate.publish_folder(&workspace(), file(&rule("deny", "b", "b.test"))).await.unwrap();
    assert_eq!((first.version, first.unchanged), (2, false));
    assert!(gate.publish_folder(&workspace(), file(&rule("deny", "b", "b.test"))).await.unwrap().unchanged);
    assert_eq!(ask(&gate, &operator, "b.test").await.decision, Outcome::Deny);
    let other = rule("deny", "c", "c.test");
    assert_eq!(code(publish(&gate, &operator, &other, Expect::Version(2)).await), "policy_set_managed");
    let back = gate.roll_policies_back(&operator, Default::default(), Expect::Nothing).await;
    assert_eq!(code(back), "policy_set_managed");
    // What is bad does not hold, and is told.
    assert_eq!(code(gate.publish_folder(&workspace(), file("[[deny]]\nid = 1\n")).await), "invalid_policy");
    let state = gate.policy_folder().unwrap();
    assert!(!state.ok && state.problems[0].line == 2, "{state:?}");
    let operator = gate.fresh(operator).await.unwrap();
    assert_eq!(gate.policies(&operator).await.unwrap().folder, Some(state));
    assert_eq!(ask(&gate, &operator, "b.test").await.decision, Outcome::Deny);
    gate.publish_folder(&workspace(), file(&other)).await.unwrap();
    assert!(gate.policy_folder().unwrap().ok);
    // Elsewhere the set is refused, too, unless somebody takes it over from a folder that is no more.
    let elsewhere = bed.gate().await;
    let again = rule("deny", "d", "d.test");
    assert_eq!(code(publish(&elsewhere, &operator, &again, Expect::Version(3)).await), "policy_set_managed");
    let mut taken = set(&again);
    taken.take_over = true;
    assert_eq!(elsewhere.publish_policies(&operator, taken, Expect::Version(3)).await.unwrap().version, 4);
    publish(&elsewhere, &operator, &other, Expect::Version(4)).await.unwrap();
    let told = data_of(&gate, "policy_set.published").await;
    let sources: Vec<&str> = told.iter().filter_map(|data| data["source"].as_str()).collect();
    assert_eq!(sources, ["api", "folder", "folder", "api", "api"]);
}
