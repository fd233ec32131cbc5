//! Mode, kill switch and settings.

use gate::EvaluateInput;
use gate::settings::{SetKillSwitchInput, SetModeInput, SetSettingsInput, SettingSource};
use gate::shadow::ReviewInput;
use model::{Mode, Role};
use serde_json::json;

use crate::bed::{Bed, caller, code, data_of, head, refusal, workspace};

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

async fn wants_a_reason_to_enforce_what_shadow_recorded(bed: &Bed) {
    let gate = bed.shadow_gate().await;
    let caller = caller(&gate, Role::Operator, None).await;
    let ask = |action: &str| EvaluateInput { action: Some(action.to_owned()), ..EvaluateInput::default() };
    gate.evaluate(&caller, ask("internal.read")).await.unwrap();
    gate.set_mode(&caller, mode("enforce", None)).await.unwrap();
    // What was blocked is no would-block.
    gate.evaluate(&caller, ask("external.write")).await.unwrap();
    gate.set_mode(&caller, mode("shadow", None)).await.unwrap();
    gate.set_mode(&caller, mode("enforce", None)).await.unwrap();
    gate.set_mode(&caller, mode("shadow", None)).await.unwrap();
    let caller = gate.fresh(caller).await.unwrap();
    gate.evaluate(&caller, ask("external.write")).await.unwrap();
    // Another setting is no review of what shadow recorded.
    let quota = SetSettingsInput { egress_max_requests_per_hour: Some(json!(5)), ..SetSettingsInput::default() };
    gate.set_settings(&caller, quota).await.unwrap();
    let refused = refusal(gate.set_mode(&caller, mode("enforce", None)).await);
    assert_eq!(refused.code, "unreviewed_would_blocks");
    let groups = refused.members.iter().find(|(name, _)| *name == "groups").unwrap().1.clone();
    assert_eq!((&groups[0]["action"], &groups[0]["count"]), (&json!("external.write"), &json!(1)));
    assert_eq!(code(gate.set_mode(&caller, mode("enforce", Some(" "))).await), "unreviewed_would_blocks");
    gate.set_mode(&caller, mode("enforce", Some("looked at"))).await.unwrap();
    gate.set_mode(&caller, mode("shadow", None)).await.unwrap();
    // A review says so once and for all.
    let review = ReviewInput { groups: Some(vec![groups[0]["id"].as_str().unwrap().to_owned()]), note: None };
    gate.review_would_blocks(&caller, review).await.unwrap();
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
