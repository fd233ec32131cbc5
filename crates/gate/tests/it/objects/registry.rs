//! The action registry.

use gate::registry::SetRegistryInput;
use model::{Action, Role, Zone};
use serde_json::json;

use crate::bed::{Bed, caller, code, data_of, head, workspace};

mod both {
    use crate::bed::on_both;
    on_both!(overrides_the_install_for_one_workspace, refuses_bad_entries);
}

async fn overrides_the_install_for_one_workspace(bed: &Bed) {
    let gate = bed.gate().await;
    let caller = caller(&gate, Role::Operator, None).await;
    let before = head(&gate).await;
    let input = SetRegistryInput { requires_pre_approval: Some(false), ..SetRegistryInput::default() };
    let set = gate.set_registry(&caller, " Email.Send ", input.clone()).await.unwrap();
    assert_eq!((set.action.action_type.as_str(), set.action.reversible), ("email.send", false));
    assert!(!set.action.requires_pre_approval);
    let changed = data_of(&gate, "registry.changed").await;
    assert_eq!(changed[0]["old"]["requires_pre_approval"], true);
    assert_eq!(changed[0]["new"]["requires_pre_approval"], false);
    assert_eq!(changed[0]["new"]["zone_required"], "high_stakes");
    assert_eq!(head(&gate).await, before + 1);
    assert_eq!(gate.set_registry(&caller, "email.send", input).await.unwrap(), set);
    assert_eq!(data_of(&gate, "registry.changed").await.len(), 1, "the same again changes nothing");

    let view = gate.store().fresh(&workspace()).await.unwrap();
    let action = Action::parse("email.send").unwrap();
    assert!(!view.snapshot.registry(&workspace(), &action).unwrap().requires_pre_approval);
    let other = model::WorkspaceId::parse("ws_other").unwrap();
    assert!(view.snapshot.registry(&other, &action).unwrap().requires_pre_approval);

    let new = SetRegistryInput {
        reversible: Some(true),
        zone_required: Some("sandbox".to_owned()),
        metadata: Some(json!({"owner": "ops"})),
        ..SetRegistryInput::default()
    };
    let set = gate.set_registry(&caller, "report.print", new).await.unwrap();
    assert_eq!((set.action.zone_required, set.action.metadata), (Zone::Sandbox, json!({"owner": "ops"})));
    assert_eq!(data_of(&gate, "registry.changed").await[1]["old"], json!(null));
}

async fn refuses_bad_entries(bed: &Bed) {
    let gate = bed.gate().await;
    let caller = caller(&gate, Role::Operator, None).await;
    let none = SetRegistryInput::default;
    let zone = SetRegistryInput { zone_required: Some("moon".to_owned()), ..none() };
    let metadata = SetRegistryInput { metadata: Some(json!([1])), ..none() };
    for (action, input, want) in [
        ("a b", none(), "invalid_action"),
        ("email.send", zone, "invalid_zone_required"),
        ("email.send", metadata, "invalid_request"),
        ("never.heard.of", none(), "invalid_request"),
    ] {
        assert_eq!(code(gate.set_registry(&caller, action, input).await), want, "{action}");
    }
}
