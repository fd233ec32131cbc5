//! The four entry points: what they answer and what they leave behind.

use std::time::Duration;

use gate::{AuthorizeInput, EvaluateInput};
use model::{Outcome, ReasonCode};

use super::*;
use crate::bed::{Bed, assert_sound, code, on_both};

fn ask(category: &str, action: &str, context: Value) -> AuthorizeInput {
    AuthorizeInput {
        category: Some(category.into()),
        action: Some(action.into()),
        context: Some(context),
        ..AuthorizeInput::default()
    }
}

async fn an_allow_appends_nothing_and_is_kept_soon(bed: &Bed) {
    let gate = bed.gate().await;
    let caller = gateway(&gate).await;
    let skip = events(&gate).await.len();
    let input = ask("tool_call", "", json!({"tool_call": {"tool_name": "search", "input": {"q": 1}}}));
    let answer = gate.authorize(&caller, input).await.unwrap();
    assert_eq!((answer.decision, answer.blocked), (Outcome::Allow, false));
    assert_eq!(answer.trace.len(), model::decision::Step::ALL.len());
    let id = answer.decision_id.unwrap();
    let mut kept = None;
    for _ in 0..100 {
        kept = gate.why(&caller, &id).await.unwrap();
        if kept.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let kept = kept.expect("kept within a second");
    assert_eq!((kept.row.action.as_str(), kept.row.category.as_str()), ("tool.call.search", "tool_call"));
    assert_eq!(events(&gate).await.len(), skip);
}

async fn what_is_no_allow_appends_one_event(bed: &Bed) {
    for shadow in [false, true] {
        let gate = if shadow { bed.shadow_gate().await } else { bed.gate().await };
        let caller = gateway(&gate).await;
        let skip = events(&gate).await.len();
        let evaluate = EvaluateInput {
            action: Some("external_write".into()),
            context: Some(json!({"why": "x"})),
            actor_type: Some("user".into()),
            actor_id: Some(format!("new-{shadow}")),
            ..EvaluateInput::default()
        };
        let answer = gate.evaluate(&caller, evaluate.clone()).await.unwrap();
        assert_eq!(answer.decision, Outcome::RequireApproval);
        assert_eq!(answer.reason_code, ReasonCode::ExternalWriteRequiresApproval);
        let events = events_after(&gate, skip).await;
        assert_eq!(types(&events), ["policy.requires_approval"]);
        assert_eq!(events[0].policy_context.as_str(), r#"{"why":"x"}"#);
        assert_eq!(events[0].data.to_value()["blocked"], json!(!shadow));
        assert!(events[0].actor_principal_id.is_some());
        let bad = AuthorizeInput { capability_token_id: Some("no".into()), ..ask("action", "x.y", json!({})) };
        let denied = gate.authorize(&caller, bad.clone()).await.unwrap();
        assert_eq!((denied.decision, denied.blocked), (Outcome::Deny, !shadow));
        let later = events_after(&gate, skip + 1).await;
        assert_eq!(types(&later), ["policy.denied"]);
        assert_ne!(later[0].correlation_id, events[0].correlation_id, "each is a cause of its own");
        assert!(gate.why(&caller, denied.decision_id.as_ref().unwrap()).await.unwrap().is_some());
        // A mere check leaves nothing behind.
        let checked = gate.authorize(&caller, AuthorizeInput { check: true, ..bad }).await.unwrap();
        assert_eq!((checked.decision, checked.decision_id), (Outcome::Deny, None));
        assert_eq!(events_after(&gate, skip).await.len(), 2);
    }
}

async fn a_once_approval_is_used_up_only_by_what_happens(bed: &Bed) {
    let gate = bed.gate().await;
    let caller = gateway(&gate).await;
    let id = ApprovalId::new();
    let data = json!({"approval_id": id, "action": "external.write", "scope": {"type": "once"}});
    append(&gate, None, EventType::ApprovalRequested, data, None).await;
    approve(&gate, None, &id).await;
    let caller = gate.fresh(caller).await.unwrap();
    let question = ask("action", "external.write", json!({}));
    let evaluate = EvaluateInput { action: question.action.clone(), ..EvaluateInput::default() };
    assert_eq!(gate.evaluate(&caller, evaluate.clone()).await.unwrap().decision, Outcome::Allow);
    let check = AuthorizeInput { check: true, ..question.clone() };
    assert_eq!(gate.authorize(&caller, check.clone()).await.unwrap().decision, Outcome::Allow);
    assert!(approval(&gate, &id).await.consumed_at.is_none());
    let skip = events(&gate).await.len();
    let asks: Vec<_> = (0..20)
        .map(|_| {
            let (gate, caller, question) = (gate.clone(), caller.clone(), question.clone());
            tokio::spawn(async move { gate.authorize(&caller, question).await.unwrap() })
        })
        .collect();
    let mut allowed = Vec::new();
    for ask in asks {
        let answer = ask.await.unwrap();
        if answer.decision == Outcome::Allow {
            allowed.push(answer.decision_id.unwrap());
        }
    }
    assert_eq!(allowed.len(), 1);
    let events = events_after(&gate, skip).await;
    let used: Vec<_> = events.iter().filter(|e| e.event_type == "approval.consumed").collect();
    assert_eq!(used.len(), 1);
    assert_eq!(used[0].data.to_value(), json!({"approval_id": id, "by": allowed[0]}));
    // The caller's view is from before: what it rests on is looked at again.
    assert_eq!(gate.evaluate(&caller, evaluate).await.unwrap().decision, Outcome::RequireApproval);
    assert_eq!(gate.authorize(&caller, check).await.unwrap().decision, Outcome::RequireApproval);
    assert_sound(bed, &gate).await;
}

async fn refuses_what_it_cannot_read(bed: &Bed) {
    let gate = bed.gate().await;
    let caller = gateway(&gate).await;
    for (input, want) in [
        (AuthorizeInput::default(), "invalid_request"),
        (ask("elsewhere", "x.y", json!({})), "invalid_request"),
        (ask("action", "", json!({})), "missing_action"),
        (ask("tool_call", "", json!({})), "missing_action"),
        (ask("egress", "x.y", json!({"egress": {"target_url": "gopher://x"}})), "invalid_target_url"),
        (ask("egress", "x.y", json!({"egress": {"target_domain": "a b"}})), "invalid_target_url"),
        (
            ask("egress", "x.y", json!({"egress": {"target_url": "http://a.com/", "target_domain": "b.com"}})),
            "invalid_target_url",
        ),
        (ask("data_access", "data.read", json!({})), "invalid_resource"),
    ] {
        let shown = format!("{input:?}");
        assert_eq!(code(gate.authorize(&caller, input).await), want, "{shown}");
    }
    // Nothing named is no error: a token's scope step says what it misses.
    let answer = gate.authorize(&caller, ask("egress", "x.y", json!({"egress": 5}))).await.unwrap();
    assert_eq!(answer.decision, Outcome::Allow);
    assert_eq!(code(gate.evaluate(&caller, EvaluateInput::default()).await), "missing_action");
}

async fn egress_asked_here_takes_from_the_quota(bed: &Bed) {
    let gate = bed.gate().await;
    let caller = gateway(&gate).await;
    super::quota::set_quota(&gate, 2).await;
    // What may record nothing is asked by a fresh caller.
    let caller = gate.fresh(caller).await.unwrap();
    let input = ask("egress", "internal.read", json!({"egress": {"target_domain": "example.com"}}));
    let check = AuthorizeInput { check: true, ..input.clone() };
    for want in [Outcome::Allow, Outcome::Allow, Outcome::Deny] {
        gate.authorize(&caller, check.clone()).await.unwrap();
        assert_eq!(gate.authorize(&caller, input.clone()).await.unwrap().decision, want);
    }
}

mod cases {
    super::on_both!(
        an_allow_appends_nothing_and_is_kept_soon,
        what_is_no_allow_appends_one_event,
        a_once_approval_is_used_up_only_by_what_happens,
        refuses_what_it_cannot_read,
        egress_asked_here_takes_from_the_quota,
    );
}
