//! Approvals: asked for, decided, taken back.

use gate::approvals::{DecideApprovalInput, RequestApprovalInput, RevokeApprovalInput};
use gate::rooms::CreateRoomInput;
use gate::{Caller, Gate, GateError, RefusalKind};
use model::approval::ApprovalStatus;
use model::event::{EventContext, EventDraft, EventType, Stream};
use model::{Actor, ActorType, ApprovalId, Canonical, CorrelationId, PrincipalId, Role, WorkspaceId, Zone};
use serde_json::{Value, json};
use store::rows::ApprovalRow;
use store::{Command, Reads, Tx};

use crate::bed::{Bed, assert_sound, caller, caller_in, code, data_of, events, first, head, once, refusal, workspace};

mod both {
    use crate::bed::on_both;
    on_both!(
        asks_decides_and_takes_back,
        refuses_bad_requests,
        checks_in_the_order_of_the_contract,
        who_asked_never_decides,
        needs_as_many_as_it_says,
        holds_and_denies,
        one_of_forty_parallel_decisions_wins,
        stays_bound_to_what_was_asked,
        replays_a_request,
    );
}

pub(super) fn wanting(action: &str) -> RequestApprovalInput {
    RequestApprovalInput { action: Some(action.to_owned()), ..RequestApprovalInput::default() }
}

pub(super) fn say(decision: &str) -> DecideApprovalInput {
    DecideApprovalInput { decision: Some(decision.to_owned()), ..DecideApprovalInput::default() }
}

async fn row(gate: &Gate, id: &ApprovalId) -> ApprovalRow {
    gate.store().approval(&workspace(), id).await.unwrap().unwrap()
}

async fn asked(gate: &Gate, caller: &Caller, input: RequestApprovalInput) -> ApprovalId {
    first(gate.request_approval(caller, input, None).await).approval_id
}

async fn asks_decides_and_takes_back(bed: &Bed) {
    let gate = bed.gate().await;
    let asker = caller(&gate, Role::Gateway, None).await;
    let decider = caller(&gate, Role::Approver, None).await;
    let room = first(
        gate.create_room(&asker, CreateRoomInput { title: Some("r".to_owned()), ..Default::default() }, None).await,
    );
    let input = RequestApprovalInput {
        title: Some("Pay".to_owned()),
        request: Some(json!({"amount": 5, "note": "Bearer abcdefghijklmnopqrstuvwxyz0123456789"})),
        room_id: Some(room.room_id.to_string()),
        ..wanting("Payment.Execute")
    };
    let id = asked(&gate, &asker, input).await;
    let before = head(&gate).await;
    let pending = row(&gate, &id).await;
    assert_eq!((pending.status, pending.action.as_str()), (ApprovalStatus::Pending, "payment.execute"));
    assert_eq!(pending.scope.to_value(), json!({"type": "room", "room_id": room.room_id}));
    assert!(!pending.request.unwrap().as_str().contains("abcdefghij"));

    let said = DecideApprovalInput { reason: Some("fine".to_owned()), ..say("approve") };
    assert!(gate.decide_approval(&decider, id.as_str(), said).await.unwrap().ok);
    let approved = row(&gate, &id).await;
    assert_eq!((approved.status, approved.reason.as_deref()), (ApprovalStatus::Approved, Some("fine")));
    assert_eq!(head(&gate).await, before + 1);
    let stream = events(&gate).await;
    let of_room: Vec<_> = stream.iter().filter(|e| e.stream_type == "room").collect();
    assert_eq!(
        of_room.iter().map(|e| (e.event_type.as_str(), e.stream_seq)).collect::<Vec<_>>(),
        [("room.created", 1), ("approval.requested", 2), ("approval.decided", 3)]
    );
    assert!(of_room[1].contains_secrets);
    assert_eq!(of_room[2].causation_id.as_ref(), Some(&of_room[1].event_id));
    assert_eq!(of_room[2].correlation_id, of_room[1].correlation_id);

    let why = || RevokeApprovalInput { reason: Some("no more".to_owned()) };
    assert!(!gate.revoke_approval(&decider, id.as_str(), why()).await.unwrap().already_revoked);
    assert!(gate.revoke_approval(&decider, id.as_str(), why()).await.unwrap().already_revoked);
    assert_eq!(row(&gate, &id).await.status, ApprovalStatus::Revoked);
    assert_eq!(head(&gate).await, before + 2);
    assert_eq!(data_of(&gate, "approval.revoked").await, [json!({"approval_id": id, "reason": "no more"})]);
    assert_sound(bed, &gate).await;
}

async fn refuses_bad_requests(bed: &Bed) {
    let gate = bed.gate().await;
    let asker = caller(&gate, Role::Gateway, None).await;
    let theirs = caller_in(&gate, Some(WorkspaceId::parse("ws_other").unwrap()), Role::Owner, None).await;
    let room = first(
        gate.create_room(&theirs, CreateRoomInput { title: Some("r".to_owned()), ..Default::default() }, None).await,
    );
    let good = || wanting("external.write");
    let text = |text: &str| Some(text.to_owned());
    for (input, want) in [
        (RequestApprovalInput::default(), "missing_action"),
        (wanting(" "), "missing_action"),
        (wanting("a b"), "invalid_action"),
        (RequestApprovalInput { scope: Some(json!("always")), ..good() }, "invalid_scope"),
        (RequestApprovalInput { scope: Some(json!("room")), ..good() }, "invalid_scope"),
        (RequestApprovalInput { expires_at: text("soon"), ..good() }, "invalid_expires_at"),
        (RequestApprovalInput { expires_at: text("2020-01-01T00:00:00Z"), ..good() }, "invalid_expires_at"),
        (RequestApprovalInput { required_approvals: Some(0), ..good() }, "invalid_required_approvals"),
        (RequestApprovalInput { required_approvals: Some(21), ..good() }, "invalid_required_approvals"),
        (RequestApprovalInput { request: Some(json!({"ask_digest": "x"})), ..good() }, "invalid_request"),
        (RequestApprovalInput { room_id: text(room.room_id.as_str()), ..good() }, "room_not_found"),
        (RequestApprovalInput { room_id: text("room_nowhere"), ..good() }, "room_not_found"),
    ] {
        assert_eq!(code(gate.request_approval(&asker, input, None).await), want);
    }
    assert!(data_of(&gate, "approval.requested").await.is_empty());
}

async fn checks_in_the_order_of_the_contract(bed: &Bed) {
    let gate = bed.gate().await;
    let asker = caller(&gate, Role::Owner, None).await;
    let decider = caller(&gate, Role::Approver, None).await;
    let id = asked(&gate, &asker, wanting("external.write")).await;
    let expiring = DecideApprovalInput { expires_at: Some("2020-01-01T00:00:00Z".to_owned()), ..say("approve") };
    let decide = async |who: &Caller, id: &str, input: DecideApprovalInput| {
        let refusal = refusal(gate.decide_approval(who, id, input).await);
        (refusal.kind, refusal.code)
    };
    let (invalid, conflict) = (RefusalKind::Invalid, RefusalKind::Conflict);
    // Unknown before invalid; invalid before decided; decided before who.
    assert_eq!(decide(&asker, "appr_x", say("maybe")).await, (RefusalKind::NotFound, "approval_not_found"));
    assert_eq!(decide(&asker, id.as_str(), say("maybe")).await, (invalid, "invalid_decision"));
    assert_eq!(decide(&asker, id.as_str(), DecideApprovalInput::default()).await, (invalid, "invalid_decision"));
    let scoped = DecideApprovalInput { scope: Some(json!("run")), ..say("approve") };
    assert_eq!(decide(&asker, id.as_str(), scoped).await, (invalid, "invalid_scope"));
    assert_eq!(decide(&asker, id.as_str(), expiring.clone()).await, (invalid, "invalid_expires_at"));
    assert_eq!(decide(&asker, id.as_str(), say("approve")).await, (RefusalKind::Forbidden, "self_approval"));
    gate.decide_approval(&decider, id.as_str(), say("deny")).await.unwrap();
    assert_eq!(decide(&asker, id.as_str(), expiring).await, (invalid, "invalid_expires_at"));
    assert_eq!(decide(&asker, id.as_str(), say("approve")).await, (conflict, "approval_already_decided"));
    let why = RevokeApprovalInput::default;
    assert_eq!(code(gate.revoke_approval(&decider, id.as_str(), why()).await), "approval_not_approved");
    assert_eq!(code(gate.revoke_approval(&decider, "appr_x", why()).await), "approval_not_found");
    let foreign = caller_in(&gate, Some(WorkspaceId::parse("ws_other").unwrap()), Role::Owner, None).await;
    assert_eq!(decide(&foreign, id.as_str(), say("maybe")).await, (RefusalKind::NotFound, "approval_not_found"));
}

async fn who_asked_never_decides(bed: &Bed) {
    let gate = bed.gate().await;
    let asker = caller(&gate, Role::Owner, None).await;
    let same_principal = caller(&gate, Role::Approver, Some(asker.principal_id.clone())).await;
    let id = asked(&gate, &asker, wanting("external.write")).await;
    for who in [&asker, &same_principal] {
        for decision in ["approve", "deny", "hold"] {
            assert_eq!(code(gate.decide_approval(who, id.as_str(), say(decision)).await), "self_approval");
        }
    }
    let other = caller(&gate, Role::Approver, None).await;
    gate.decide_approval(&other, id.as_str(), say("approve")).await.unwrap();
}

async fn needs_as_many_as_it_says(bed: &Bed) {
    let gate = bed.gate().await;
    let asker = caller(&gate, Role::Owner, None).await;
    let (ann, bob) = (caller(&gate, Role::Approver, None).await, caller(&gate, Role::Approver, None).await);
    let id =
        asked(&gate, &asker, RequestApprovalInput { required_approvals: Some(2), ..wanting("external.write") }).await;
    let scoped = |scope: &str| DecideApprovalInput { scope: Some(json!(scope)), ..say("approve") };
    let before = head(&gate).await;
    gate.decide_approval(&ann, id.as_str(), scoped("workspace")).await.unwrap();
    assert_eq!((row(&gate, &id).await.status, head(&gate).await), (ApprovalStatus::Pending, before));
    assert_eq!(code(gate.decide_approval(&ann, id.as_str(), say("approve")).await), "approval_already_decided");
    assert_eq!(row(&gate, &id).await.status, ApprovalStatus::Pending, "one decider counts once");
    assert_eq!(code(gate.decide_approval(&bob, id.as_str(), scoped("once")).await), "invalid_scope");
    gate.decide_approval(&bob, id.as_str(), scoped("workspace")).await.unwrap();
    assert_eq!((row(&gate, &id).await.status, head(&gate).await), (ApprovalStatus::Approved, before + 1));

    let id =
        asked(&gate, &asker, RequestApprovalInput { required_approvals: Some(2), ..wanting("external.write") }).await;
    gate.decide_approval(&ann, id.as_str(), say("approve")).await.unwrap();
    gate.decide_approval(&ann, id.as_str(), say("deny")).await.unwrap();
    assert_eq!(row(&gate, &id).await.status, ApprovalStatus::Denied, "a yes may become a no");
    assert_sound(bed, &gate).await;
}

async fn holds_and_denies(bed: &Bed) {
    let gate = bed.gate().await;
    let asker = caller(&gate, Role::Owner, None).await;
    let decider = caller(&gate, Role::Approver, None).await;
    let id = asked(&gate, &asker, wanting("external.write")).await;
    let before = head(&gate).await;
    gate.decide_approval(&decider, id.as_str(), say("hold")).await.unwrap();
    assert_eq!(row(&gate, &id).await.status, ApprovalStatus::Held);
    gate.decide_approval(&decider, id.as_str(), say("hold")).await.unwrap();
    gate.decide_approval(&decider, id.as_str(), say("deny")).await.unwrap();
    assert_eq!((row(&gate, &id).await.status, head(&gate).await), (ApprovalStatus::Denied, before));
    assert_eq!(data_of(&gate, "approval.decided").await.len(), 3);
}

async fn one_of_forty_parallel_decisions_wins(bed: &Bed) {
    let (here, there) = (bed.gate().await, bed.gate().await);
    let asker = caller(&here, Role::Owner, None).await;
    let decider = caller(&here, Role::Approver, None).await;
    let id = asked(&here, &asker, wanting("external.write")).await;
    let mut tasks = Vec::new();
    for n in 0..40 {
        let gate = if n % 2 == 0 { here.clone() } else { there.clone() };
        let (decider, id) = (decider.clone(), id.clone());
        let decision = if n % 3 == 0 { "deny" } else { "approve" };
        tasks.push(tokio::spawn(async move { gate.decide_approval(&decider, id.as_str(), say(decision)).await }));
    }
    let mut won = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(_) => won += 1,
            Err(GateError::Refused(refusal)) => assert_eq!(refusal.code, "approval_already_decided"),
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(won, 1);
    assert_eq!(data_of(&here, "approval.decided").await.len(), 1);
    assert_sound(bed, &here).await;
}

/// Raises an approval as an ask does.
pub(super) struct Raise {
    pub(super) approval_id: ApprovalId,
    pub(super) principal_id: PrincipalId,
    pub(super) request: Value,
    pub(super) expires_in_ms: Option<u64>,
}

impl Raise {
    pub(super) fn by(principal_id: &PrincipalId) -> Self {
        let approval_id = ApprovalId::new();
        let request = json!({
            "egress_request_id": "egr_1",
            "action": "external.write",
            "method": "POST",
            "target_url": "https://a.test/x",
            "target_domain": "a.test",
            "principal_id": principal_id,
            "ask_digest": format!("digest of {approval_id}"),
        });
        Self { approval_id, principal_id: principal_id.clone(), request, expires_in_ms: None }
    }
}

impl Command for Raise {
    type Output = ApprovalId;
    type Refusal = ();

    fn reads(&self, reads: &mut Reads) {
        reads.stream(Stream::of(&workspace(), None));
        reads.row::<ApprovalRow>(&[self.approval_id.as_str()]);
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<ApprovalId, ()> {
        let context = EventContext {
            workspace_id: workspace(),
            room_id: None,
            thread_id: None,
            run_id: None,
            step_id: None,
            actor: Actor::new(ActorType::Service, self.principal_id.as_str()),
            principal_id: Some(self.principal_id.clone()),
            zone: Zone::Supervised,
            correlation_id: CorrelationId::new(),
            policy_context: Canonical::empty(),
            model_context: Canonical::empty(),
            contains_secrets: false,
        };
        let mut data = json!({
            "approval_id": self.approval_id,
            "action": "external.write",
            "request": self.request,
            "scope": {"type": "once", "target_domain": "a.test", "principal_id": self.principal_id},
        });
        if let Some(ms) = self.expires_in_ms {
            data["expires_at"] = json!(tx.now().plus(std::time::Duration::from_millis(ms)));
        }
        tx.append(&context, EventDraft::new(EventType::ApprovalRequested, Canonical::from(&data)));
        Ok(self.approval_id.clone())
    }
}

async fn stays_bound_to_what_was_asked(bed: &Bed) {
    let gate = bed.gate().await;
    let asker = caller(&gate, Role::Agent, None).await;
    let decider = caller(&gate, Role::Approver, None).await;
    let principal = asker.principal_id.clone();
    for (scope, want) in [
        (json!("workspace"), json!({"type": "workspace", "target_domain": "a.test", "principal_id": principal})),
        (json!({"type": "workspace", "principal_id": null}), json!({"type": "workspace", "target_domain": "a.test"})),
        (
            json!({"type": "workspace", "target_domain": "B.test."}),
            json!({"type": "workspace", "target_domain": "b.test", "principal_id": principal}),
        ),
        (json!("once"), json!({"type": "once", "target_domain": "a.test", "principal_id": principal})),
    ] {
        let id = gate.store().submit(Raise::by(&principal)).await.unwrap().into_inner();
        let said = DecideApprovalInput { scope: Some(scope), ..say("approve") };
        gate.decide_approval(&decider, id.as_str(), said).await.unwrap();
        assert_eq!(row(&gate, &id).await.scope.to_value(), want);
    }
    assert_sound(bed, &gate).await;
}

async fn replays_a_request(bed: &Bed) {
    let gate = bed.gate().await;
    let asker = caller(&gate, Role::Gateway, None).await;
    let id = first(gate.request_approval(&asker, wanting("a.b"), once(&asker, "k", "1")).await);
    let again = gate.request_approval(&asker, wanting("a.b"), once(&asker, "k", "1")).await.unwrap();
    assert!(again.replayed && again.value == id);
    let other = gate.request_approval(&asker, wanting("a.c"), once(&asker, "k", "2")).await;
    assert!(matches!(other, Err(GateError::KeyReused)));
    assert_eq!(data_of(&gate, "approval.requested").await.len(), 1);
}
