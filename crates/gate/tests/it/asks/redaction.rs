//! No secret that a caller supplies is kept anywhere.

use gate::{AuthorizeInput, DataAccessInput, EgressInput};
use model::DecisionId;

use super::*;
use crate::bed::{Bed, first, on_both};

const PLANTED: &str = "ghp_0123456789abcdefABCDEF0123456789abcd";

async fn planted_secrets_are_in_no_event_and_no_row(bed: &Bed) {
    let gate = bed.shadow_gate().await;
    let caller = gateway(&gate).await;
    let skip = events(&gate).await.len();
    let context = json!({"note": format!("use {PLANTED}"), "headers": {"authorization": "hunter2hunter2"}});
    let egress = EgressInput {
        target_url: Some(format!("https://example.com/{PLANTED}?t={PLANTED}#{PLANTED}")),
        action: Some(format!("x.{PLANTED}")),
        actor_type: Some("user".into()),
        actor_id: Some(PLANTED.into()),
        capability_token_id: Some(PLANTED.into()),
        correlation_id: Some(PLANTED.into()),
        thread_id: Some(PLANTED.into()),
        context: Some(context.clone()),
        ..EgressInput::default()
    };
    let denied = first(gate.request_egress(&caller, egress.clone(), None).await);
    let asked = EgressInput {
        target_url: Some(format!("https://example.org/{PLANTED}")),
        action: None,
        capability_token_id: None,
        ..egress
    };
    let asked = first(gate.request_egress(&caller, asked, None).await);
    let approval = approval(&gate, asked.approval_id.as_ref().unwrap()).await;
    let question = AuthorizeInput {
        category: Some("tool_call".into()),
        action: Some(format!("tool.call.{PLANTED}")),
        capability_token_id: Some(PLANTED.into()),
        context: Some(json!({"tool_call": {"tool_name": PLANTED, "input": {"password": "hunter2hunter2"}}})),
        ..AuthorizeInput::default()
    };
    let answer = gate.authorize(&caller, question).await.unwrap();
    let data = DataAccessInput {
        action: Some("data.read".into()),
        resource_type: Some("doc".into()),
        resource_id: Some(PLANTED.into()),
        purpose_tags: Some(json!([PLANTED])),
        justification: Some(format!("because {PLANTED}")),
        capability_token_id: Some(PLANTED.into()),
        ..DataAccessInput::default()
    };
    gate.request_data_access(&caller, data).await.unwrap();

    let events = events_after(&gate, skip).await;
    assert!(events.len() >= 9, "{:?}", types(&events));
    for event in &events {
        let shown = format!("{event:?}");
        assert!(!shown.contains(PLANTED) && !shown.contains("hunter2"), "{shown}");
        assert!(event.contains_secrets && event.redaction_level == "partial", "{shown}");
    }
    assert!(events.iter().any(|e| e.policy_context.as_str().contains("[redacted]")), "the control: it was there");
    let mut rows = vec![format!("{approval:?}")];
    for id in [&denied.egress_request_id, &asked.egress_request_id] {
        rows.push(format!("{:?}", gate.store().egress_request(&workspace(), id).await.unwrap().unwrap()));
        rows.push(format!("{:?}", gate.why(&caller, &DecisionId::from(id.clone())).await.unwrap().unwrap()));
    }
    rows.push(format!("{:?}", gate.why(&caller, &answer.decision_id.unwrap()).await.unwrap().unwrap()));
    for row in rows {
        assert!(!row.contains(PLANTED) && !row.contains("hunter2"), "{row}");
    }
    // Nor under a name that the store learnt.
    let named = Actor::new(ActorType::User, PLANTED);
    let view = gate.store().learn_actor(&workspace(), &named).await.unwrap();
    assert!(view.snapshot.principal_of(&workspace(), &named).is_none());
}

async fn clean_asks_say_that_nothing_was_replaced(bed: &Bed) {
    let gate = bed.gate().await;
    let caller = gateway(&gate).await;
    let skip = events(&gate).await.len();
    let input = EgressInput { context: Some(json!({"b": 1, "a": "plain"})), ..harmless("https://example.com/a?b=c") };
    first(gate.request_egress(&caller, input, None).await);
    for event in events_after(&gate, skip).await {
        assert!(!event.contains_secrets && event.redaction_level == "none");
        assert_eq!(event.policy_context.as_str(), r#"{"a":"plain","b":1}"#);
    }
}

mod cases {
    super::on_both!(planted_secrets_are_in_no_event_and_no_row, clean_asks_say_that_nothing_was_replaced);
}
