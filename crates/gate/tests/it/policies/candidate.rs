//! A candidate is recorded and not obeyed.

use gate::policies::{CandidateInput, Expect};
use model::{Outcome, Role};
use serde_json::{Value, json};

use super::{ask, inputs, publish, rule};
use crate::bed::{Bed, caller, code, data_of, head};

mod both {
    use crate::bed::on_both;
    on_both!(a_candidate_is_recorded_and_not_obeyed);
}

fn candidate(text: &str) -> CandidateInput {
    CandidateInput { files: Some(inputs(&[("main.toml", text)])), note: Some("trial".to_owned()) }
}

async fn a_candidate_is_recorded_and_not_obeyed(bed: &Bed) {
    let gate = bed.gate().await;
    let operator = caller(&gate, Role::Operator, None).await;
    // Without any set that holds, too.
    let stricter = rule("deny", "no-a", "a.test");
    let set = gate.set_candidate(&operator, candidate(&stricter)).await.unwrap();
    assert_eq!((set.candidate_version, set.rules, set.note.as_deref()), (1, 1, Some("trial")));
    let asked = ask(&gate, &operator, "a.test").await;
    assert_eq!(asked.decision, Outcome::Allow);
    publish(&gate, &operator, &rule("ask", "ask-a", "a.test"), Expect::Nothing).await.unwrap();
    let asked = ask(&gate, &operator, "a.test").await;
    assert_eq!(asked.decision, Outcome::RequireApproval);
    let row = gate.why(&operator, asked.decision_id.as_ref().unwrap()).await.unwrap().unwrap().row;
    let told: Value = row.candidate.unwrap().to_value();
    assert_eq!(told, json!({"outcome": "deny", "reason_code": "policy_denies", "rules": ["no-a"]}));
    assert_eq!((row.policy_version, row.decision.as_str()), (Some(1), "require_approval"));
    let before = head(&gate).await;
    gate.set_candidate(&operator, candidate(&stricter)).await.unwrap();
    assert_eq!(head(&gate).await, before, "the same again changes nothing");
    assert_eq!(code(gate.set_candidate(&operator, candidate("x")).await), "invalid_policy");
    gate.clear_candidate(&operator).await.unwrap();
    gate.clear_candidate(&operator).await.unwrap();
    assert_eq!(head(&gate).await, before + 1);
    let asked = ask(&gate, &operator, "a.test").await;
    let row = gate.why(&operator, asked.decision_id.as_ref().unwrap()).await.unwrap().unwrap().row;
    assert_eq!(row.candidate, None);
    // What is published need not be tried any more.
    gate.set_candidate(&operator, candidate(&stricter)).await.unwrap();
    publish(&gate, &operator, &stricter, Expect::Version(1)).await.unwrap();
    let view = gate.policies(&gate.fresh(operator.clone()).await.unwrap()).await.unwrap();
    assert!(view.candidate.is_none() && view.version == 2);
    assert_eq!(data_of(&gate, "settings.changed").await.len(), 3);
}
