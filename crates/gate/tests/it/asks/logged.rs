//! The decision log: every decision that counts is in it, once, whatever became of it.

use gate::{AuthorizeInput, DataAccessInput, EgressInput, EvaluateInput};
use model::{Outcome, ReasonCode, Time};
use replay::{Entry, Ids, Kept, Segment};
use serde_json::json;

use super::*;
use crate::bed::{Bed, first, once};

mod both {
    use crate::bed::on_both;
    on_both!(
        every_decision_that_counts_is_logged_once,
        what_redaction_changes_is_not_in_the_log,
        parts_become_one_segment,
        an_egress_request_that_is_not_recorded_is_not_logged,
    );
}

/// Everything that is logged, in order.
pub(crate) async fn logged(gate: &gate::Gate) -> Vec<Entry> {
    gate.flush_logs().await;
    let (from, to) = (Time::from_millis(0), Time::parse("2100-01-01T00:00:00Z").unwrap());
    let heads = gate.store().segments(&workspace(), from, to, "", 1_000).await.unwrap();
    let mut wholes: Vec<&str> = heads.iter().map(|head| head.whole()).collect();
    wholes.dedup();
    let mut entries = Vec::new();
    for whole in wholes {
        for (id, facts) in gate.store().segment_facts(&workspace(), whole).await.unwrap() {
            let ids = Ids::decode(&gate.store().segment_ids(&workspace(), &id).await.unwrap().unwrap()).unwrap();
            let segment = Segment::decode(&facts).unwrap();
            entries.extend((0..ids.rows()).map(|row| segment.entry(row, ids.get(row).unwrap()).unwrap()));
        }
    }
    let rows: u64 = heads.iter().map(|head| head.rows).sum();
    assert_eq!(rows, entries.len() as u64);
    entries
}

async fn every_decision_that_counts_is_logged_once(bed: &Bed) {
    let gate = bed.gate().await;
    let caller = gateway(&gate).await;
    let allowed = first(gate.request_egress(&caller, harmless("https://example.com/a"), None).await);
    let asked = first(gate.request_egress(&caller, to("https://example.com/b"), once(&caller, "k", "b")).await);
    // The same answer again is no decision.
    let again = gate.request_egress(&caller, to("https://example.com/b"), once(&caller, "k", "b")).await.unwrap();
    assert!(again.replayed);
    let evaluated = EvaluateInput { action: Some("internal.read".into()), ..EvaluateInput::default() };
    gate.evaluate(&caller, evaluated).await.unwrap();
    let tool = |check| AuthorizeInput {
        category: Some("tool_call".into()),
        context: Some(json!({"tool_call": {"tool_name": "pay", "input": {"amount": 5}}})),
        check,
        ..AuthorizeInput::default()
    };
    let called = gate.authorize(&caller, tool(false)).await.unwrap();
    // A mere check does not count.
    gate.authorize(&caller, tool(true)).await.unwrap();
    let data = DataAccessInput {
        action: Some("data.read".into()),
        resource_type: Some("document".into()),
        resource_id: Some("d1".into()),
        ..DataAccessInput::default()
    };
    gate.request_data_access(&caller, data).await.unwrap();

    let log = logged(&gate).await;
    let seen: Vec<(&str, Outcome)> =
        log.iter().map(|entry| (entry.action.as_deref().unwrap(), entry.ruling.outcome)).collect();
    assert_eq!(
        seen,
        [
            ("internal.read", Outcome::Allow),
            ("external.write", Outcome::RequireApproval),
            ("internal.read", Outcome::Allow),
            ("tool.call.pay", Outcome::Allow),
            ("data.read", Outcome::Allow)
        ]
    );
    assert_eq!(log[0].id.as_str(), allowed.egress_request_id.as_str());
    assert_eq!(log[1].id.as_str(), asked.egress_request_id.as_str());
    assert_eq!(Some(&log[3].id), called.decision_id.as_ref());
    assert_eq!(log[1].ruling.reason_code, ReasonCode::ExternalWriteRequiresApproval);
    assert_eq!((log[1].host.clone(), log[1].path.clone()), (Kept::Seen("example.com".into()), Kept::Seen("/b".into())));
    assert_eq!(log[3].input, Kept::Seen(r#"{"amount":5}"#.into()));
    assert!(log.iter().all(|entry| entry.caller.principal_id.as_ref() == Some(&caller.principal_id)));
}

async fn what_redaction_changes_is_not_in_the_log(bed: &Bed) {
    let gate = bed.gate().await;
    let caller = gateway(&gate).await;
    let secret = "ghp_16C7e42F292c6912E7710c838347Ae178B4a";
    let url = format!("https://example.com/{secret}/x");
    first(gate.request_egress(&caller, harmless(&url), None).await);
    let input = json!({"tool_call": {"tool_name": "pay", "input": {"password": "correct horse"}}});
    let tool = AuthorizeInput { category: Some("tool_call".into()), context: Some(input), ..AuthorizeInput::default() };
    gate.authorize(&caller, tool).await.unwrap();
    let log = logged(&gate).await;
    assert_eq!((log[0].path.clone(), log[1].input.clone()), (Kept::Withheld, Kept::Withheld));
}

async fn parts_become_one_segment(bed: &Bed) {
    let gate = bed.gate().await;
    let caller = gateway(&gate).await;
    for n in 0..3 {
        first(gate.request_egress(&caller, harmless(&format!("https://example.com/{n}")), None).await);
        // Written again each time: the same part grows.
        assert_eq!(logged(&gate).await.len(), n + 1);
    }
    let forever = Time::parse("2100-01-01T00:00:00Z").unwrap();
    let heads = gate.store().segments(&workspace(), Time::from_millis(0), forever, "", 1_000).await.unwrap();
    assert_eq!((heads.len(), heads[0].rows), (1, 3));
    assert!(heads[0].segment_id.ends_with(".0001"), "{heads:?}");
    assert!(gate.store().segments(&workspace(), forever, forever, "", 10).await.unwrap().is_empty());
    let behind = gate.store().segments(&workspace(), Time::from_millis(0), forever, heads[0].whole(), 10).await;
    assert!(behind.unwrap().is_empty());
    assert_eq!(gate.store().remove_decision_log(Time::from_millis(0)).await.unwrap(), 0);
    assert_eq!(gate.store().remove_decision_log(forever).await.unwrap(), 1);
}

async fn an_egress_request_that_is_not_recorded_is_not_logged(bed: &Bed) {
    let gate = bed.gate().await;
    let caller = gateway(&gate).await;
    let input = EgressInput { room_id: Some("room_unknown".into()), ..harmless("https://example.com/") };
    gate.request_egress(&caller, input, None).await.unwrap_err();
    assert!(logged(&gate).await.is_empty());
}
