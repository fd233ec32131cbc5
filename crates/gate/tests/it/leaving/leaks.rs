//! A credential that is at home elsewhere does not leave.

use model::{DecisionId, Outcome, ReasonCode};

use super::*;
use crate::bed::{Bed, assert_sound};

fn leaking(leave: Leave) -> Leave {
    Leave { credentials: vec!["github_token", "aws_access_key"], ..leave }
}

async fn it_is_denied_and_says_what_was_seen(bed: &Bed) {
    let gate = bed.gate().await;
    rules(&gate, ALLOW).await;
    let agent = caller(&gate, Role::Agent, None).await;
    assert!(pass(&gate, &agent, post("https://a.test/")).await.unwrap().permit.is_some(), "the control");
    let intent = gate.intend(&agent, leaking(post("https://a.test/"))).await.unwrap();
    assert!(intent.clearance().is_none());
    let ruled = gate.commit(intent).await.unwrap();
    assert_eq!((ruled.answer.decision, ruled.answer.reason_code), (Outcome::Deny, ReasonCode::DlpSecretDetected));
    assert!(ruled.answer.blocked && ruled.permit.is_none());
    let id = DecisionId::from(ruled.answer.egress_request_id);
    let why = gate.why(&agent, &id).await.unwrap().unwrap();
    let trace = why.row.trace.to_value();
    let step = trace.as_array().unwrap().iter().find(|step| step["step"] == "dlp").unwrap();
    assert_eq!(
        (&step["outcome"], &step["reason_code"], &step["fact"]),
        (&json!("deny"), &json!("dlp_secret_detected"), &json!("github_token, aws_access_key"))
    );
    assert!(why.execution.is_none());
    assert_sound(bed, &gate).await;
}

async fn no_approval_lifts_it_and_none_is_asked_for(bed: &Bed) {
    let gate = bed.gate().await;
    rules(&gate, ASK).await;
    let agent = caller(&gate, Role::Agent, None).await;
    let asked = pass(&gate, &agent, leaking(post("https://a.test/"))).await.unwrap();
    assert_eq!((asked.answer.reason_code, asked.answer.approval_id), (ReasonCode::DlpSecretDetected, None));
    let asked = pass(&gate, &agent, post("https://a.test/")).await.unwrap();
    decide(&gate, &asked.answer.approval_id.unwrap(), "approve", None).await;
    let agent = gate.fresh(agent).await.unwrap();
    assert!(pass(&gate, &agent, post("https://a.test/")).await.unwrap().permit.is_some(), "the control");
    let again = pass(&gate, &agent, leaking(post("https://a.test/"))).await.unwrap();
    assert_eq!((again.answer.reason_code, again.permit.is_none()), (ReasonCode::DlpSecretDetected, true));
}

async fn in_shadow_it_is_recorded(bed: &Bed) {
    let gate = bed.shadow_gate().await;
    let agent = caller(&gate, Role::Agent, None).await;
    let ruled = pass(&gate, &agent, leaking(post("https://a.test/"))).await.unwrap();
    assert_eq!((ruled.answer.reason_code, ruled.answer.blocked), (ReasonCode::DlpSecretDetected, false));
    assert!(ruled.permit.is_some());
    let enforced = Leave { always_enforced: true, ..leaking(post("https://a.test/")) };
    assert!(pass(&gate, &agent, enforced).await.unwrap().permit.is_none());
}

mod both {
    crate::bed::on_both!(
        it_is_denied_and_says_what_was_seen,
        no_approval_lifts_it_and_none_is_asked_for,
        in_shadow_it_is_recorded,
    );
}
