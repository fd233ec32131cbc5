//! An intent becomes a permit only by a record, and only when the policy of then still says yes.

use std::sync::Arc;

use gate::capabilities::GrantCapabilityInput;
use gate::settings::SetKillSwitchInput;
use model::capability::{Bearer, Caveat};
use model::{Outcome, ReasonCode};
use secrecy::ExposeSecret as _;

use super::*;
use crate::asks::quota::set_quota;
use crate::asks::{assert_chained, events_after, types};
use crate::bed::{Bed, assert_sound, first};

async fn an_allow_is_recorded_and_gives_one_permit(bed: &Bed) {
    let gate = bed.gate().await;
    rules(&gate, ALLOW).await;
    let agent = caller(&gate, Role::Agent, None).await;
    let skip = events(&gate).await.len();
    let leave = Leave { context: Some(Arc::new(json!({"task": 7}))), ..tunnel("https://a.test/") };
    let intent = gate.intend(&agent, leave).await.unwrap();
    assert_eq!(events(&gate).await.len(), skip, "an intent records nothing");
    let clearance = intent.clearance().unwrap();
    assert_eq!((clearance.host(), clearance.port(), clearance.workspace_id()), ("a.test", 443, &workspace()));
    let ruled = gate.commit(intent).await.unwrap();
    assert_eq!((ruled.answer.decision, ruled.answer.reason_code), (Outcome::Allow, ReasonCode::PolicyAllows));
    let permit = ruled.permit.unwrap();
    let id = permit.egress_request_id().clone();
    assert_eq!(id, ruled.answer.egress_request_id);
    assert_eq!(
        (permit.target(), permit.method(), permit.tunnel()),
        (&url("https://a.test/"), Some("CONNECT"), Some(Tunnel::Tls))
    );
    assert_eq!(permit.workspace_id(), &workspace());
    let recorded = events_after(&gate, skip).await;
    assert_eq!(types(&recorded), ["egress.requested", "egress.allowed"]);
    assert_chained(&recorded);
    assert_eq!(&recorded[0].correlation_id, permit.correlation_id());
    assert_eq!(recorded[0].policy_context.to_value(), json!({"task": 7}));
    assert_eq!(recorded[0].data.to_value()["action"], json!("external.write"), "what goes through is not seen");
    let row = request_row(&gate, &id).await;
    assert!(row.gateway_id.is_some() && !row.blocked);
    drop(permit);
    outcome(&gate, &id).await;
    assert_sound(bed, &gate).await;
}

async fn the_way_is_prepared_only_when_nothing_is_left_to_settle(bed: &Bed) {
    let gate = bed.gate().await;
    let agent = caller(&gate, Role::Agent, None).await;
    let cleared = async |caller: &Caller| {
        let caller = gate.fresh(caller.clone()).await.unwrap();
        gate.intend(&caller, post("https://a.test/x")).await.unwrap().clearance().is_some()
    };
    rules(&gate, ALLOW).await;
    assert!(cleared(&agent).await, "the control");
    rules(&gate, DENY).await;
    assert!(!cleared(&agent).await, "a deny");
    rules(&gate, ASK).await;
    assert!(!cleared(&agent).await, "an ask");
    let asked = pass(&gate, &agent, post("https://a.test/x")).await.unwrap();
    assert!(asked.permit.is_none());
    let approval = asked.answer.approval_id.unwrap();
    decide(&gate, &approval, "approve", Some(json!("once"))).await;
    assert!(!cleared(&agent).await, "an approval for one use");
    let first_use = pass(&gate, &agent, post("https://a.test/x")).await.unwrap();
    assert_eq!((first_use.answer.approval_id, first_use.permit.is_some()), (Some(approval), true));
    rules(&gate, ALLOW).await;
    set_quota(&gate, 10).await;
    assert!(!cleared(&agent).await, "a quota");
    set_quota(&gate, 0).await;
    assert!(cleared(&agent).await, "no quota");
    let operator = caller(&gate, Role::Operator, None).await;
    let input = GrantCapabilityInput {
        issued_to_principal_id: Some(agent.principal_id.to_string()),
        granted_by_principal_id: Some(operator.principal_id.to_string()),
        scopes: Some(json!({"egress_domains": ["*"], "action_types": ["*"]})),
        ..GrantCapabilityInput::default()
    };
    let token = first(gate.grant_capability(&operator, input, None).await).token;
    let counted = Caveat { uses: Some(3), ..Caveat::default() };
    let narrow = Bearer::parse(&token).unwrap().attenuate(&counted).unwrap();
    let (whole, counted) =
        (gate.authenticate(&token, None, "r").await.unwrap(), gate.authenticate(&narrow, None, "r").await.unwrap());
    assert!(cleared(&whole).await, "a token");
    assert!(!cleared(&counted).await, "a token that counts");
    assert!(pass(&gate, &counted, post("https://a.test/x")).await.unwrap().permit.is_some());
}

async fn what_moved_between_is_decided_again(bed: &Bed) {
    let (gate, other) = (bed.gate().await, bed.gate().await);
    rules(&gate, ALLOW).await;
    let agent = caller(&gate, Role::Agent, None).await;
    for leave in [post("https://a.test/"), tunnel("https://a.test/")] {
        rules(&other, ALLOW).await;
        let agent = gate.fresh(agent.clone()).await.unwrap();
        let intent = gate.intend(&agent, leave.clone()).await.unwrap();
        assert!(intent.clearance().is_some());
        let skip = events(&gate).await.len();
        rules(&other, DENY).await;
        let ruled = gate.commit(intent).await.unwrap();
        assert_eq!((ruled.answer.decision, ruled.answer.reason_code), (Outcome::Deny, ReasonCode::PolicyDenies));
        assert!(ruled.permit.is_none() && ruled.answer.blocked);
        let recorded = events_after(&gate, skip).await;
        // The outcome of what the round before let out may still come.
        let of_it = |kind: &&str| kind.starts_with("egress.") && *kind != "egress.completed";
        let of_it: Vec<&str> = types(&recorded).into_iter().filter(of_it).collect();
        assert_eq!(of_it, ["egress.requested", "egress.blocked"], "recorded once");
        // And the other way round.
        let agent = gate.fresh(agent).await.unwrap();
        let denied = gate.intend(&agent, leave.clone()).await.unwrap();
        assert!(denied.clearance().is_none());
        rules(&other, ALLOW).await;
        assert!(gate.commit(denied).await.unwrap().permit.is_some());
    }
    // The kill switch is policy, too.
    let intent = gate.intend(&gate.fresh(agent.clone()).await.unwrap(), post("https://a.test/")).await.unwrap();
    let operator = caller(&other, Role::Operator, None).await;
    let on = SetKillSwitchInput { active: Some(true), reason: Some("stop".to_owned()) };
    other.set_kill_switch(&operator, on).await.unwrap();
    let ruled = gate.commit(intent).await.unwrap();
    assert_eq!((ruled.answer.reason_code, ruled.permit.is_none()), (ReasonCode::KillSwitchActive, true));
    assert_sound(bed, &gate).await;
}

async fn a_key_revoked_between_records_nothing(bed: &Bed) {
    let (gate, other) = (bed.gate().await, bed.gate().await);
    rules(&gate, ALLOW).await;
    let new = gate::NewKey { workspace_id: Some(workspace()), role: Role::Agent, principal_id: None, expires_at: None };
    let key = gate::create_key(gate.store(), new).await.unwrap();
    let agent = gate.authenticate(key.key.expose_secret(), None, "r").await.unwrap();
    let intent = gate.intend(&agent, post("https://a.test/")).await.unwrap();
    gate::revoke_key(other.store(), &key.key_id).await.unwrap();
    assert!(matches!(gate.commit(intent).await, Err(GateError::Unauthenticated)));
    assert!(!types(&events(&gate).await).contains(&"egress.requested"));
}

async fn whoever_no_longer_waits_leaves_nothing_open(bed: &Bed) {
    let gate = bed.gate().await;
    rules(&gate, ALLOW).await;
    let agent = caller(&gate, Role::Agent, None).await;
    for _ in 0..20 {
        let intent = gate.intend(&agent, post("https://a.test/")).await.unwrap();
        tokio::select! {
            biased;
            ruled = gate.commit(intent) => drop(ruled),
            () = tokio::task::yield_now() => {}
        }
    }
    let mut open = 0;
    for _ in 0..500 {
        let all = events(&gate).await;
        let count = |kind: &str| all.iter().filter(|event| event.event_type == kind).count();
        open = 20 - count("egress.completed");
        if open == 0 && count("egress.allowed") == 20 {
            let ended = all.iter().filter(|event| event.event_type == "egress.completed");
            assert!(ended.map(|event| event.data.to_value()).all(|data| data["error_code"] == "abandoned"));
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{open} requests have no outcome after 5 s");
}

async fn in_shadow_what_would_be_denied_leaves(bed: &Bed) {
    let gate = bed.shadow_gate().await;
    rules(&gate, DENY).await;
    let agent = caller(&gate, Role::Agent, None).await;
    let ruled = pass(&gate, &agent, post("https://a.test/")).await.unwrap();
    assert_eq!((ruled.answer.decision, ruled.answer.blocked), (Outcome::Deny, false));
    assert!(ruled.permit.is_some());
    let enforced = Leave { always_enforced: true, ..post("https://a.test/") };
    let ruled = pass(&gate, &agent, enforced).await.unwrap();
    assert!(ruled.answer.blocked && ruled.permit.is_none());
}

mod both {
    crate::bed::on_both!(
        an_allow_is_recorded_and_gives_one_permit,
        the_way_is_prepared_only_when_nothing_is_left_to_settle,
        what_moved_between_is_decided_again,
        a_key_revoked_between_records_nothing,
        whoever_no_longer_waits_leaves_nothing_open,
        in_shadow_what_would_be_denied_leaves,
    );
}
