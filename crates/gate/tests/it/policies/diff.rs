//! What a change changes, and approvals that a change makes needless.

use gate::EgressInput;
use gate::policies::{CandidateInput, DiffInput, Expect};
use model::approval::ApprovalStatus;
use model::{Outcome, Role};

use super::{inputs, publish, rule};
use crate::bed::{Bed, caller, code, first, workspace};

mod both {
    use crate::bed::on_both;
    on_both!(a_change_is_told_exactly, a_changed_rule_ends_what_waits_for_it);
}

async fn a_change_is_told_exactly(bed: &Bed) {
    let gate = bed.gate().await;
    let operator = caller(&gate, Role::Operator, None).await;
    let (deny, allow) = (rule("deny", "a", "a.test"), rule("allow", "a", "a.test"));
    assert_eq!(code(gate.diff_policies(&operator, DiffInput::default()).await), "candidate_not_found");
    publish(&gate, &operator, &deny, Expect::Nothing).await.unwrap();
    let files = |text: &str| DiffInput { files: Some(inputs(&[("main.toml", text)])), ..DiffInput::default() };
    let same = gate.diff_policies(&operator, files(&deny)).await.unwrap();
    assert!(same.same && same.total == 0 && same.from.version == Some(1) && same.to.version.is_none());
    let wider = gate.diff_policies(&operator, files(&allow)).await.unwrap();
    assert!(!wider.same && wider.widening > 0, "{wider:?}");
    assert!(wider.regions[0].statement.contains("a.test"), "{:?}", wider.regions[0]);
    let candidate = CandidateInput { files: Some(inputs(&[("main.toml", &allow)])), note: None };
    gate.set_candidate(&operator, candidate).await.unwrap();
    let tried = gate.diff_policies(&operator, DiffInput::default()).await.unwrap();
    let statements = |report: &gate::policies::DiffReport| -> Vec<String> {
        report.regions.iter().map(|region| region.statement.clone()).collect()
    };
    assert_eq!(statements(&tried), statements(&wider));
    let narrower = gate.diff_policies(&operator, DiffInput { from: Some(0), to: Some(1), files: None }).await.unwrap();
    assert!(!narrower.same && narrower.widening == 0, "{narrower:?}");
    let both = DiffInput { to: Some(1), ..files(&deny) };
    assert_eq!(code(gate.diff_policies(&operator, both).await), "invalid_request");
    let unknown = DiffInput { from: Some(0), to: Some(5), files: None };
    assert_eq!(code(gate.diff_policies(&operator, unknown).await), "policy_version_not_found");
    assert_eq!(code(gate.diff_policies(&operator, files("[[deny]]")).await), "invalid_policy");
}

async fn a_changed_rule_ends_what_waits_for_it(bed: &Bed) {
    let gate = bed.gate().await;
    let operator = caller(&gate, Role::Operator, None).await;
    let both = format!("{}{}", rule("ask", "a", "a.test"), rule("ask", "b", "b.test"));
    publish(&gate, &operator, &both, Expect::Nothing).await.unwrap();
    let operator = gate.fresh(operator).await.unwrap();
    let asked = async |host: &str| {
        let input = EgressInput {
            target_url: Some(format!("https://{host}/x")),
            action: Some("internal.read".to_owned()),
            ..EgressInput::default()
        };
        let answer = first(gate.request_egress(&operator, input, None).await);
        assert_eq!(answer.decision, Outcome::RequireApproval);
        answer.approval_id.unwrap()
    };
    let (a, b) = (asked("a.test").await, asked("b.test").await);
    assert_eq!(gate.sweep_approvals().await.unwrap().moot, 0, "the control");
    let changed = format!("{}{}", rule("deny", "a", "a.test"), rule("ask", "b", "b.test"));
    publish(&gate, &operator, &changed, Expect::Version(1)).await.unwrap();
    assert_eq!(gate.sweep_approvals().await.unwrap().moot, 1);
    let status = async |id| gate.store().approval(&workspace(), id).await.unwrap().unwrap().status;
    assert_eq!((status(&a).await, status(&b).await), (ApprovalStatus::Expired, ApprovalStatus::Pending));
}
