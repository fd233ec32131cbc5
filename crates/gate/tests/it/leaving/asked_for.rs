//! What an approval covers that something to be carried out asked for, and for how long.

use gate::Place;
use gate::approvals::DecideApprovalInput;
use model::{Outcome, RunId};
use store::rows::ApprovalRow;

use super::*;
use crate::asks::approval;
use crate::bed::{Bed, assert_sound};

/// Asks until an approval is asked for.
async fn asked(gate: &Gate, agent: &Caller, leave: Leave) -> ApprovalRow {
    let ruled = pass(gate, agent, leave).await.unwrap();
    assert_eq!(ruled.answer.decision, Outcome::RequireApproval, "{:?}", ruled.answer);
    approval(gate, &ruled.answer.approval_id.unwrap()).await
}

/// How many seconds after its decision it ends.
fn holds_for(row: &ApprovalRow) -> Option<i64> {
    Some((row.expires_at?.as_millis() - row.decided_at.unwrap().as_millis()) / 1_000)
}

async fn it_covers_one_host_and_port_for_a_while(bed: &Bed) {
    let gate = bed.gate().await;
    let agent = caller(&gate, Role::Agent, None).await;
    let other = caller(&gate, Role::Agent, None).await;
    let row = asked(&gate, &agent, tunnel("https://a.test:8443/")).await;
    assert_eq!(
        row.scope.to_value(),
        json!({"type": "workspace", "target_domain": "a.test", "port": 8443, "principal_id": agent.principal_id})
    );
    let request = row.request.as_ref().unwrap().to_value();
    assert_eq!((&request["valid_for_s"], &request["method"]), (&json!(900), &json!("CONNECT")));
    assert_eq!(row.title.as_deref(), Some("external.write to a.test:8443"));
    decide(&gate, &row.approval_id, "approve", None).await;
    let given = approval(&gate, &row.approval_id).await;
    assert_eq!(holds_for(&given), Some(900));
    // Whatever path and carrier, as often as need be.
    let agent = gate.fresh(agent).await.unwrap();
    for leave in [tunnel("https://a.test:8443/"), post("https://a.test:8443/x?y=1"), post("http://a.test:8443/")] {
        let ruled = pass(&gate, &agent, leave).await.unwrap();
        assert_eq!(ruled.answer.approval_id.as_ref(), Some(&row.approval_id));
        assert!(ruled.permit.is_some());
    }
    for (who, leave) in [
        (&agent, tunnel("https://a.test/")),
        (&agent, tunnel("https://b.test:8443/")),
        (&other, tunnel("https://a.test:8443/")),
        // Another action.
        (&agent, Leave::request(url("https://a.test:8443/"), "GET")),
    ] {
        asked(&gate, who, leave).await;
    }
    assert_sound(bed, &gate).await;
}

async fn its_decider_says_for_how_long(bed: &Bed) {
    let gate = bed.gate().await;
    let agent = caller(&gate, Role::Agent, None).await;
    let decider = caller(&gate, Role::Approver, None).await;
    let cases = [
        (None, None, Some(900)),
        (Some(json!("workspace")), None, Some(900)),
        (Some(json!({"type": "workspace", "port": "*"})), None, Some(900)),
        (Some(json!("once")), None, None),
        (None, Some(60), Some(60)),
        (Some(json!("once")), Some(7_200), Some(7_200)),
    ];
    for (n, (scope, seconds, want)) in cases.into_iter().enumerate() {
        let row = asked(&gate, &agent, tunnel(&format!("https://h{n}.test/"))).await;
        let now = row.created_at.as_millis();
        let expires_at = seconds.map(|s: i64| model::Time::from_millis(now + s * 1_000 + 500).to_string());
        let input = DecideApprovalInput { decision: Some("approve".to_owned()), scope, expires_at, reason: None };
        gate.decide_approval(&decider, row.approval_id.as_str(), input).await.unwrap();
        let given = approval(&gate, &row.approval_id).await;
        let got = holds_for(&given);
        // What was named counts from another moment.
        assert!(
            got == want || seconds.is_some() && got.is_some_and(|s| (s - want.unwrap()).abs() < 20),
            "{n}: {got:?}"
        );
    }
    // A no has no end.
    let row = asked(&gate, &agent, tunnel("https://no.test/")).await;
    decide(&gate, &row.approval_id, "deny", None).await;
    assert_eq!(approval(&gate, &row.approval_id).await.expires_at, None);
}

async fn in_a_run_it_is_for_the_run(bed: &Bed) {
    let gate = bed.gate().await;
    let agent = caller(&gate, Role::Agent, None).await;
    let run = RunId::new();
    let within = |run: &RunId| Leave {
        place: Place { run_id: Some(run.clone()), ..Place::default() },
        ..tunnel("https://a.test/")
    };
    let row = asked(&gate, &agent, within(&run)).await;
    let scope = row.scope.to_value();
    assert_eq!((&scope["type"], &scope["run_id"], &scope["port"]), (&json!("run"), &json!(run), &json!(443)));
    assert_eq!(row.request.as_ref().unwrap().to_value().get("valid_for_s"), None);
    decide(&gate, &row.approval_id, "approve", None).await;
    assert_eq!(approval(&gate, &row.approval_id).await.expires_at, None);
    let agent = gate.fresh(agent).await.unwrap();
    assert!(pass(&gate, &agent, within(&run)).await.unwrap().permit.is_some());
    asked(&gate, &agent, within(&RunId::new())).await;
    asked(&gate, &agent, tunnel("https://a.test/")).await;
}

mod both {
    crate::bed::on_both!(
        it_covers_one_host_and_port_for_a_while,
        its_decider_says_for_how_long,
        in_a_run_it_is_for_the_run,
    );
}
