//! Mode, kill switch and settings.

use gate::settings::{SetKillSwitchInput, SetModeInput, SetSettingsInput, SettingSource};
use model::{CorrelationId, EgressRequestId, Mode, Role};
use serde_json::json;
use store::rows::EgressRequestRow;
use store::{Command, Reads, Tx};

use crate::bed::{Bed, caller, code, data_of, head, workspace};

mod both {
    use crate::bed::on_both;
    on_both!(sets_the_mode, wants_a_reason_to_enforce_what_shadow_recorded, pulls_the_kill_switch, changes_settings);
}

fn mode(mode: &str, reason: Option<&str>) -> SetModeInput {
    SetModeInput { mode: Some(mode.to_owned()), reason: reason.map(str::to_owned) }
}

async fn sets_the_mode(bed: &Bed) {
    let gate = bed.gate().await;
    let caller = caller(&gate, Role::Operator, None).await;
    assert_eq!(gate.mode(&caller).source, SettingSource::Default);
    let before = head(&gate).await;
    let set = gate.set_mode(&caller, mode(" Shadow ", Some("trial"))).await.unwrap();
    assert_eq!((set.mode, set.source), (Mode::Shadow, SettingSource::Workspace));
    gate.set_mode(&caller, mode("shadow", None)).await.unwrap();
    let told = data_of(&gate, "settings.changed").await;
    assert_eq!(told, [json!({"old": {"mode": "enforce"}, "new": {"mode": "shadow"}, "reason": "trial"})]);
    assert_eq!(head(&gate).await, before + 1);
    assert_eq!(gate.store().fresh(&workspace()).await.unwrap().snapshot.mode(&workspace()), Mode::Shadow);
    assert_eq!(code(gate.set_mode(&caller, mode("off", None)).await), "invalid_mode");
    assert_eq!(code(gate.set_mode(&caller, SetModeInput::default()).await), "invalid_mode");
}

/// Puts an egress request that shadow recorded.
struct Shadowed(&'static str);

impl Command for Shadowed {
    type Output = ();
    type Refusal = ();

    fn reads(&self, _: &mut Reads) {}

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<(), ()> {
        tx.insert_egress_request(EgressRequestRow {
            egress_request_id: EgressRequestId::new(),
            workspace_id: workspace(),
            room_id: None,
            run_id: None,
            step_id: None,
            requested_by_type: model::ActorType::User,
            requested_by_id: "ann".to_owned(),
            requested_by_principal_id: None,
            zone: None,
            action: "external.write".to_owned(),
            method: None,
            target_url: "https://a.test/".to_owned(),
            target_domain: "a.test".to_owned(),
            policy_decision: self.0.to_owned(),
            policy_reason_code: "x".to_owned(),
            policy_reason: None,
            enforcement_mode: Mode::Shadow,
            blocked: false,
            approval_id: None,
            correlation_id: CorrelationId::new(),
            created_at: tx.now(),
        });
        Ok(())
    }
}

async fn wants_a_reason_to_enforce_what_shadow_recorded(bed: &Bed) {
    let gate = bed.shadow_gate().await;
    let caller = caller(&gate, Role::Operator, None).await;
    gate.store().submit(Shadowed("allow")).await.unwrap();
    gate.set_mode(&caller, mode("enforce", None)).await.unwrap();
    gate.set_mode(&caller, mode("shadow", None)).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    gate.store().submit(Shadowed("deny")).await.unwrap();
    // Another setting is no review of what shadow recorded.
    let quota = SetSettingsInput { egress_max_requests_per_hour: Some(json!(5)), ..SetSettingsInput::default() };
    gate.set_settings(&caller, quota).await.unwrap();
    assert_eq!(code(gate.set_mode(&caller, mode("enforce", None)).await), "unreviewed_would_blocks");
    assert_eq!(code(gate.set_mode(&caller, mode("enforce", Some(" "))).await), "unreviewed_would_blocks");
    gate.set_mode(&caller, mode("enforce", Some("looked at"))).await.unwrap();
    gate.set_mode(&caller, mode("shadow", None)).await.unwrap();
    gate.set_mode(&caller, mode("enforce", None)).await.unwrap();
}

async fn pulls_the_kill_switch(bed: &Bed) {
    let gate = bed.gate().await;
    let caller = caller(&gate, Role::Operator, None).await;
    let to = |active, reason: &str| SetKillSwitchInput { active: Some(active), reason: Some(reason.to_owned()) };
    let on = gate.set_kill_switch(&caller, to(true, "leak")).await.unwrap();
    assert!(on.active && on.effective && !on.install_active);
    assert_eq!(gate.kill_switch(&caller).await.unwrap().reason.as_deref(), Some("leak"));
    assert!(gate.store().fresh(&workspace()).await.unwrap().snapshot.kill_switch(&workspace()));
    gate.set_kill_switch(&caller, to(true, "leak")).await.unwrap();
    gate.set_mode(&caller, mode("shadow", None)).await.unwrap();
    let in_shadow = gate.set_kill_switch(&caller, to(true, "still")).await.unwrap();
    assert!(in_shadow.active && !in_shadow.effective);
    let off = gate.set_kill_switch(&caller, to(false, "over")).await.unwrap();
    assert!(!off.active && !off.effective);
    let told = data_of(&gate, "settings.changed").await;
    assert_eq!(told.len(), 4);
    assert_eq!(told[0]["new"]["kill_switch"], true);
    assert_eq!(told[3]["old"]["kill_switch"], true);
    assert_eq!(code(gate.set_kill_switch(&caller, SetKillSwitchInput::default()).await), "invalid_active");
}

async fn changes_settings(bed: &Bed) {
    let gate = bed.gate().await;
    let caller = caller(&gate, Role::Operator, None).await;
    let read = |value: serde_json::Value| serde_json::from_value::<SetSettingsInput>(value).unwrap();
    let set = gate
        .set_settings(&caller, read(json!({"default_decision": "deny", "egress_max_requests_per_hour": 9})))
        .await
        .unwrap();
    assert_eq!((set.default_decision.as_str(), set.egress_max_requests_per_hour), ("deny", 9));
    let set = gate
        .set_settings(&caller, read(json!({"default_decision": null, "require_capability_token": true})))
        .await
        .unwrap();
    assert_eq!((set.default_decision.as_str(), set.egress_max_requests_per_hour), ("allow", 9));
    assert!(set.require_capability_token);
    gate.set_settings(&caller, read(json!({}))).await.unwrap();
    let told = data_of(&gate, "settings.changed").await;
    assert_eq!(
        told,
        [
            json!({
                "old": {"default_decision": null, "egress_max_requests_per_hour": null},
                "new": {"default_decision": "deny", "egress_max_requests_per_hour": 9},
            }),
            json!({
                "old": {"default_decision": "deny", "require_capability_token": false},
                "new": {"default_decision": null, "require_capability_token": true},
            }),
        ]
    );
    for (input, want) in [
        (json!({"default_decision": "ask"}), "invalid_default_decision"),
        (json!({"egress_max_requests_per_hour": -1}), "invalid_egress_max_requests_per_hour"),
        (json!({"egress_max_requests_per_hour": 1.5}), "invalid_egress_max_requests_per_hour"),
        (json!({"require_capability_token": "yes"}), "invalid_require_capability_token"),
    ] {
        assert_eq!(code(gate.set_settings(&caller, read(input)).await), want);
    }
}
