//! Requests to leave: events, rows, answers.

use gate::EgressInput;
use model::{ApprovalId, DecisionId, Outcome, ReasonCode};
use serde_json::json;

use super::*;
use crate::bed::{Bed, assert_sound, code, first, on_both, once};

async fn an_allow_is_two_events_and_a_permit(bed: &Bed) {
    let gate = bed.gate().await;
    let caller = gateway(&gate).await;
    let skip = events(&gate).await.len();
    let room = room(&gate).await;
    let input = EgressInput {
        room_id: Some(room.to_string()),
        method: Some("get".into()),
        correlation_id: Some("corr-1".into()),
        actor_type: Some("user".into()),
        actor_id: Some("alice".into()),
        ..harmless(" https://EXAMPLE.com./a?q=hush#frag ")
    };
    let answered = gate.request_egress(&caller, input, None).await.unwrap();
    let answer = answered.value;
    assert_eq!((answer.decision, answer.reason_code), (Outcome::Allow, ReasonCode::DefaultAllow));
    assert_eq!((answer.blocked, answer.target_domain.as_str(), answer.reason), (false, "example.com", None));

    let events = events_after(&gate, skip + 1).await;
    assert_eq!(types(&events), ["egress.requested", "egress.allowed"]);
    assert_chained(&events);
    assert_eq!(events[0].correlation_id.as_str(), "corr-1");
    assert_eq!((events[0].stream_type.as_str(), events[0].stream_id.as_str()), ("room", room.as_str()));
    let data = events[0].data.to_value();
    let url = data["target_url"].as_str().unwrap();
    assert!(url.starts_with("https://example.com/a?q=~") && url.contains("#~") && !url.contains("hush"), "{url}");
    assert_eq!(
        data,
        json!({"egress_request_id": answer.egress_request_id, "action": "internal.read", "method": "GET",
               "target_url": url, "target_domain": "example.com"})
    );
    let data = events[1].data.to_value();
    assert_eq!(
        (&data["decision"], &data["blocked"], &data["enforcement_mode"]),
        (&json!("allow"), &json!(false), &json!("enforce"))
    );

    let row = gate.store().egress_request(&workspace(), &answer.egress_request_id).await.unwrap().unwrap();
    assert_eq!((row.target_url.as_str(), row.policy_decision.as_str()), (url, "allow"));
    assert_eq!(
        (row.requested_by_id.as_str(), row.requested_by_principal_id.as_ref()),
        ("alice", events[0].actor_principal_id.as_ref())
    );
    let why = gate.why(&caller, &DecisionId::from(answer.egress_request_id)).await.unwrap().unwrap().row;
    assert_eq!(why.decision, "allow");
    assert_eq!(why.trace.to_value().as_array().unwrap().len(), model::decision::Step::ALL.len());
    assert_sound(bed, &gate).await;
}

async fn a_request_for_approval_has_its_order(bed: &Bed) {
    for shadow in [false, true] {
        let gate = if shadow { bed.shadow_gate().await } else { bed.gate().await };
        let caller = gateway(&gate).await;
        let skip = events(&gate).await.len();
        let room = room(&gate).await;
        let input = EgressInput { room_id: Some(room.to_string()), ..to("https://example.com/") };
        let answered = gate.request_egress(&caller, input, None).await.unwrap();
        let answer = answered.value;
        assert_eq!(answer.decision, Outcome::RequireApproval);
        assert_eq!(answer.blocked, !shadow, "only enforce blocks");
        let events = events_after(&gate, skip + 1).await;
        assert_eq!(
            types(&events),
            ["egress.requested", "policy.requires_approval", "approval.requested", "egress.blocked"]
        );
        assert_chained(&events);
        let approval = approval(&gate, answer.approval_id.as_ref().unwrap()).await;
        let scope = approval.scope.to_value();
        assert_eq!(scope["type"], "room");
        assert_eq!((&scope["room_id"], &scope["target_domain"]), (&json!(room), &json!("example.com")));
        assert_eq!(scope["principal_id"], json!(caller.principal_id));
        let request = approval.request.unwrap().to_value();
        assert_eq!(request["ask_digest"].as_str().unwrap().len(), 64);
        assert_eq!(request["egress_request_id"], json!(answer.egress_request_id));
        assert_eq!(events[3].data.to_value()["blocked"], json!(!shadow));
        assert_eq!(events[3].data.to_value()["approval_id"], json!(approval.approval_id));
    }
}

async fn a_deny_is_three_events(bed: &Bed) {
    let gate = bed.gate().await;
    let caller = gateway(&gate).await;
    let skip = events(&gate).await.len();
    let input = EgressInput { capability_token_id: Some("nope".into()), ..harmless("https://example.com/") };
    let answered = gate.request_egress(&caller, input, None).await.unwrap();
    assert_eq!(answered.value.reason_code, ReasonCode::CapabilityTokenNotFound);
    assert!(answered.value.blocked && answered.value.reason.is_some());
    let events = events_after(&gate, skip).await;
    assert_eq!(types(&events), ["egress.requested", "policy.denied", "egress.blocked"]);
    assert_chained(&events);
    assert_eq!(
        events[1].data.to_value(),
        json!({"category": "egress", "action": "internal.read", "reason_code": "capability_token_not_found",
               "reason": ReasonCode::CapabilityTokenNotFound.sentence(), "enforcement_mode": "enforce",
               "blocked": true, "capability_token_id": "nope"})
    );
}

async fn the_destination_guard_blocks_in_shadow_too(bed: &Bed) {
    let gate = bed.shadow_gate().await;
    let caller = gateway(&gate).await;
    let allowed = gate.request_egress(&caller, harmless("http://203.0.114.1/"), None).await.unwrap();
    assert!(!allowed.value.blocked, "the control leaves");
    let denied = gate.request_egress(&caller, harmless("http://0x7f.1/"), None).await.unwrap();
    assert_eq!(denied.value.reason_code, ReasonCode::DestinationDenied);
    assert!(denied.value.blocked);
}

async fn refuses_what_is_no_request_and_writes_nothing(bed: &Bed) {
    let gate = bed.gate().await;
    let caller = gateway(&gate).await;
    let skip = events(&gate).await.len();
    let with = |change: fn(&mut EgressInput)| {
        let mut input = harmless("https://example.com/");
        change(&mut input);
        input
    };
    let cases: Vec<(EgressInput, &str)> = vec![
        (EgressInput::default(), "invalid_target_url"),
        (to("ftp://example.com/"), "invalid_target_url"),
        (to("https://u:p@example.com/"), "invalid_target_url"),
        (with(|i| i.room_id = Some("room_none".into())), "room_not_found"),
        (with(|i| i.room_id = Some("no room".into())), "room_not_found"),
        (with(|i| i.run_id = Some("run_none".into())), "run_not_found"),
        (with(|i| i.step_id = Some("step_none".into())), "step_not_found"),
        (with(|i| i.action = Some(" ".into())), "missing_action"),
        (with(|i| i.action = Some("a b".into())), "invalid_request"),
        (with(|i| i.method = Some("GET /".into())), "invalid_request"),
        (with(|i| i.correlation_id = Some("a\0b".into())), "invalid_request"),
        (with(|i| i.correlation_id = Some("x".repeat(201))), "invalid_request"),
        (with(|i| i.actor_id = Some("a".into())), "invalid_request"),
        (
            with(|i| {
                i.actor_type = Some("user".into());
                i.actor_id = Some("a\u{7}".into());
            }),
            "invalid_request",
        ),
        (
            with(|i| {
                i.actor_type = Some("user".into());
                i.actor_id = Some("x".repeat(201));
            }),
            "invalid_request",
        ),
        (
            with(|i| {
                i.actor_type = Some("robot".into());
                i.actor_id = Some("a".into());
            }),
            "invalid_request",
        ),
        (with(|i| i.zone = Some("orbit".into())), "invalid_request"),
        (with(|i| i.context = Some(json!([1]))), "invalid_request"),
    ];
    for (input, want) in cases {
        let shown = format!("{input:?}");
        assert_eq!(code(gate.request_egress(&caller, input, None).await), want, "{shown}");
    }
    assert_eq!(events(&gate).await.len(), skip, "nothing was written");
}

async fn one_pending_approval_under_concurrency(bed: &Bed) {
    let gate = bed.gate().await;
    let caller = gateway(&gate).await;
    let room = room(&gate).await;
    let mut ids = Vec::new();
    for in_room in [true, false] {
        let input = EgressInput { room_id: in_room.then(|| room.to_string()), ..to("https://example.com/x") };
        let asks = (0..30).map(|_| {
            let (gate, caller, input) = (gate.clone(), caller.clone(), input.clone());
            tokio::spawn(async move { first(gate.request_egress(&caller, input, None).await).approval_id.unwrap() })
        });
        let mut got: Vec<ApprovalId> = Vec::new();
        for ask in asks.collect::<Vec<_>>() {
            got.push(ask.await.unwrap());
        }
        assert!(got.iter().all(|id| *id == got[0]), "{got:?}");
        ids.push(got[0].clone());
    }
    assert_ne!(ids[0], ids[1]);
    // Outside a room it is for one request: another path is another ask.
    let other = first(gate.request_egress(&caller, to("https://example.com/y"), None).await).approval_id.unwrap();
    assert_ne!(other, ids[1]);
    let requested = events(&gate).await.iter().filter(|e| e.event_type == "approval.requested").count();
    assert_eq!(requested, 3);
    assert_sound(bed, &gate).await;
}

async fn an_idempotency_key_gives_the_first_answer_again(bed: &Bed) {
    let gate = bed.gate().await;
    let caller = gateway(&gate).await;
    let skip = events(&gate).await.len();
    let key = || once(&caller, "k", "digest");
    let one = gate.request_egress(&caller, harmless("https://example.com/"), key()).await.unwrap();
    assert!(!one.replayed);
    let two = gate.request_egress(&caller, harmless("https://example.com/"), key()).await.unwrap();
    assert!(two.replayed);
    assert_eq!(one.value, two.value);
    assert_eq!(events_after(&gate, skip).await.len(), 2);
    let reused = gate.request_egress(&caller, harmless("https://example.com/"), once(&caller, "k", "other")).await;
    assert!(matches!(reused, Err(gate::GateError::KeyReused)));
}

async fn a_foreign_room_does_not_exist(bed: &Bed) {
    let gate = bed.gate().await;
    let caller = gateway(&gate).await;
    let room = room(&gate).await;
    let input = EgressInput { room_id: Some(room.to_string()), ..harmless("https://example.com/") };
    first(gate.request_egress(&caller, input.clone(), None).await);
    let other = model::WorkspaceId::parse("ws_other").unwrap();
    let stranger = crate::bed::caller_in(&gate, Some(other), model::Role::Owner, None).await;
    assert_eq!(code(gate.request_egress(&stranger, input, None).await), "room_not_found");
}

mod cases {
    super::on_both!(
        an_allow_is_two_events_and_a_permit,
        a_request_for_approval_has_its_order,
        a_deny_is_three_events,
        the_destination_guard_blocks_in_shadow_too,
        refuses_what_is_no_request_and_writes_nothing,
        one_pending_approval_under_concurrency,
        an_idempotency_key_gives_the_first_answer_again,
        a_foreign_room_does_not_exist,
    );
}
