//! Access to labelled data.

use gate::DataAccessInput;
use model::{Label, Outcome, ReasonCode};
use store::rows::LabelRow;

use super::*;
use crate::bed::{Bed, code, on_both};

async fn label(gate: &Gate, id: &str, label: Label, room: Option<&RoomId>, purposes: Value) {
    let (id, room) = (id.to_owned(), room.cloned());
    let change = Change {
        reads: |reads: &mut Reads| reads.moves_head(workspace().as_str()),
        settle: move |tx: &mut Tx<'_>| {
            tx.put(LabelRow {
                workspace_id: workspace(),
                resource_type: "doc".into(),
                resource_id: id.clone(),
                label,
                room_id: room.clone(),
                purpose_tags: Canonical::from(&purposes),
                created_at: tx.now(),
                updated_at: tx.now(),
            });
            tx.policy_changed(workspace().as_str(), ObjectKind::Label, &id);
        },
    };
    gate.store().submit(change).await.unwrap();
}

fn read(id: &str) -> DataAccessInput {
    DataAccessInput {
        action: Some("data_read".into()),
        resource_type: Some("doc".into()),
        resource_id: Some(id.into()),
        ..DataAccessInput::default()
    }
}

async fn every_label_says_its_own(bed: &Bed) {
    let gate = bed.gate().await;
    let caller = gateway(&gate).await;
    let (room, other) = (room(&gate).await, room(&gate).await);
    label(&gate, "pub", Label::Public, None, json!([])).await;
    label(&gate, "res", Label::Restricted, Some(&room), json!([])).await;
    label(&gate, "con", Label::Confidential, None, json!(["billing"])).await;
    label(&gate, "pii", Label::SensitivePii, None, json!(["support"])).await;
    let within = |id: &str, room: &RoomId| DataAccessInput { room_id: Some(room.to_string()), ..read(id) };
    let purpose = |id: &str, tags: Value| DataAccessInput { purpose_tags: Some(tags), ..read(id) };
    let mismatch = "data.access.purpose_hint_mismatch";
    let cases: Vec<(DataAccessInput, Outcome, Option<ReasonCode>, Vec<&str>)> = vec![
        (read("none"), Outcome::Allow, None, vec![]),
        (read("pub"), Outcome::Allow, None, vec![]),
        (within("res", &room), Outcome::Allow, None, vec![]),
        (
            within("res", &other),
            Outcome::Deny,
            Some(ReasonCode::DataAccessRestrictedRoomMismatch),
            vec!["policy.denied", "data.access.denied"],
        ),
        (
            read("res"),
            Outcome::Deny,
            Some(ReasonCode::DataAccessRestrictedRoomMismatch),
            vec!["policy.denied", "data.access.denied"],
        ),
        (purpose("con", json!(["billing", "x"])), Outcome::Allow, None, vec![]),
        (
            purpose("con", json!(["x"])),
            Outcome::RequireApproval,
            Some(ReasonCode::DataAccessPurposeHintMismatch),
            vec!["policy.requires_approval", mismatch, "data.access.unjustified"],
        ),
        (
            DataAccessInput { justification: Some(" an incident ".into()), ..read("pii") },
            Outcome::Allow,
            None,
            vec![mismatch, "data.access.justified"],
        ),
    ];
    for (input, outcome, reason, want) in cases {
        let skip = events(&gate).await.len();
        let shown = format!("{input:?}");
        let caller = gate.fresh(caller.clone()).await.unwrap();
        let answer = gate.request_data_access(&caller, input).await.unwrap();
        assert_eq!(answer.decision, outcome, "{shown}");
        assert_eq!(answer.blocked, outcome != Outcome::Allow);
        if let Some(reason) = reason {
            assert_eq!(answer.reason_code, reason, "{shown}");
        }
        let all = events(&gate).await;
        let after = &all[skip..];
        let mut got = types(after);
        // Events of rooms and of the workspace are listed stream by stream.
        got.sort_unstable();
        let mut want = want;
        want.sort_unstable();
        assert_eq!(got, want, "{shown}");
    }
    let caller = gate.fresh(caller).await.unwrap();
    let answer = gate.request_data_access(&caller, purpose("con", json!(["billing"]))).await.unwrap();
    assert_eq!(answer.resolved_label, Label::Confidential);
    assert_eq!(answer.resolved_purpose_tags, ["billing"]);
}

async fn refuses_what_it_cannot_read(bed: &Bed) {
    let gate = bed.gate().await;
    let caller = gateway(&gate).await;
    for (input, want) in [
        (DataAccessInput { action: None, ..read("a") }, "invalid_action"),
        (DataAccessInput { action: Some("data.delete".into()), ..read("a") }, "invalid_action"),
        (DataAccessInput { resource_type: Some(" ".into()), ..read("a") }, "invalid_resource"),
        (DataAccessInput { resource_id: None, ..read("a") }, "invalid_resource"),
        (DataAccessInput { purpose_tags: Some(json!("billing")), ..read("a") }, "invalid_purpose_tags"),
        (DataAccessInput { purpose_tags: Some(json!([" "])), ..read("a") }, "invalid_purpose_tags"),
        (DataAccessInput { purpose_tags: Some(json!([1])), ..read("a") }, "invalid_purpose_tags"),
        (DataAccessInput { room_id: Some("room_no".into()), ..read("a") }, "room_not_found"),
    ] {
        let shown = format!("{input:?}");
        assert_eq!(code(gate.request_data_access(&caller, input).await), want, "{shown}");
    }
}

mod cases {
    super::on_both!(every_label_says_its_own, refuses_what_it_cannot_read);
}
