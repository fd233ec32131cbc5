//! Labels.

use gate::labels::SetLabelInput;
use model::Role;
use serde_json::{Value, json};

use crate::bed::{Bed, caller, code, data_of, first, head, once};

mod both {
    use crate::bed::on_both;
    on_both!(sets_and_changes_labels, refuses_bad_labels);
}

fn label(label: &str, tags: Option<Value>) -> SetLabelInput {
    SetLabelInput {
        resource_type: Some("document".to_owned()),
        resource_id: Some(" doc-1 ".to_owned()),
        label: Some(label.to_owned()),
        purpose_tags: tags,
        room_id: None,
    }
}

async fn sets_and_changes_labels(bed: &Bed) {
    let gate = bed.gate().await;
    let caller = caller(&gate, Role::Operator, None).await;
    let before = head(&gate).await;
    let input = label("confidential", Some(json!(["b", " a ", "b"])));
    let set = first(gate.set_label(&caller, input.clone(), once(&caller, "k", "1")).await);
    assert_eq!(
        (set.label.resource_id.as_str(), set.label.purpose_tags.clone()),
        ("doc-1", vec!["a".into(), "b".into()])
    );
    let again = gate.set_label(&caller, input, once(&caller, "k", "1")).await.unwrap();
    assert!(again.replayed && again.value == set);
    let changed = first(gate.set_label(&caller, label("public", None), None).await);
    assert_eq!(changed.label.created_at, set.label.created_at);
    let told = data_of(&gate, "label.changed").await;
    assert_eq!(told.len(), 2);
    assert_eq!(
        (&told[0]["old"], &told[1]["old"]["label"], &told[1]["new"]["label"]),
        (&json!(null), &json!("confidential"), &json!("public"))
    );
    assert_eq!(head(&gate).await, before + 2);
    let row = gate.store().label(&caller.workspace_id, "document", "doc-1").await.unwrap().unwrap();
    assert_eq!(row.label.as_str(), "public");
}

async fn refuses_bad_labels(bed: &Bed) {
    let gate = bed.gate().await;
    let caller = caller(&gate, Role::Operator, None).await;
    let good = || label("public", None);
    for (input, want) in [
        (SetLabelInput { resource_type: None, ..good() }, "invalid_resource"),
        (SetLabelInput { resource_id: Some("a\u{1}".to_owned()), ..good() }, "invalid_resource"),
        (SetLabelInput { label: None, ..good() }, "invalid_label"),
        (label("secret", None), "invalid_label"),
        (label("public", Some(json!("a"))), "invalid_purpose_tags"),
        (label("public", Some(json!([1]))), "invalid_purpose_tags"),
        (label("public", Some(json!([" "]))), "invalid_purpose_tags"),
        (SetLabelInput { room_id: Some("a b".to_owned()), ..good() }, "invalid_request"),
    ] {
        assert_eq!(code(gate.set_label(&caller, input, None).await), want);
    }
    assert!(data_of(&gate, "label.changed").await.is_empty());
}
