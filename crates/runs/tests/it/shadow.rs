//! Shadow mode decides and records, and blocks nothing.

use model::run::RunStatus;
use model::{DecisionId, Role, ToolCallId};
use runs::Runs;
use serde_json::{Value, json};

use crate::bed::{Bed, assert_at_rest, assert_sound, caller, cycle, error, events, on_both, queued, row};

fn inputs() -> [(Value, &'static str); 4] {
    let url = "https://example.com/x";
    [
        (json!({"runtime": {"policy": {"principal_id": "nobody"}}}), "principal_not_found"),
        (json!({"runtime": {"policy": {"capability_token_id": "none"}}}), "capability_token_not_found"),
        (
            json!({"runtime": {"egress": {"target_url": url, "action": "external.write"}}}),
            "external_write_requires_approval",
        ),
        // Nobody is waited for where nothing blocks.
        (
            json!({"runtime": {"on_approval": "wait", "steps": [
                {"tool": "egress.request", "input": {"target_url": url, "action": "external.write"}},
                {"tool": "runtime.noop"}]}}),
            "external_write_requires_approval",
        ),
    ]
}

/// The decision that the run's first tool call, or its egress, was kept with.
async fn decided(runs: &Runs, caller: &gate::Caller, events: &[store::rows::EventRow]) -> (String, String) {
    let id: DecisionId = match events.iter().find(|event| event.event_type == "egress.requested") {
        Some(event) => {
            let id = event.data.to_value()["egress_request_id"].as_str().unwrap().to_owned();
            model::EgressRequestId::parse(&id).unwrap().into()
        }
        None => {
            let event = events.iter().find(|event| event.event_type == "tool.invoked").unwrap().data.to_value();
            ToolCallId::parse(event["tool_call_id"].as_str().unwrap()).unwrap().into()
        }
    };
    let row = runs.gate().why(caller, &id).await.unwrap().unwrap();
    (row.row.decision, row.row.reason_code)
}

async fn what_enforce_blocks_shadow_lets_through(bed: &Bed) {
    let strict = bed.runs().await;
    let owner = caller(&strict, Role::Owner).await;
    let mut blocked = Vec::new();
    for (input, _) in inputs() {
        blocked.push(queued(&strict, &owner, input).await);
    }
    let done = cycle(&strict).await;
    assert_eq!((done.completed, done.failed, done.waiting), (0, 3, 1));
    for (run, (_, reason)) in blocked[..3].iter().zip(inputs()) {
        let error = error(&strict, run).await;
        assert_eq!((&error["reason_code"], &error["blocked"]), (&json!(reason), &json!(true)));
    }
    assert_eq!(row(&strict, &blocked[3]).await.status, RunStatus::WaitingApproval);
    strict.cancel(&owner, blocked[3].as_str(), runs::CancelRunInput::default()).await.unwrap();

    let runs = bed.shadow_runs().await;
    let owner = caller(&runs, Role::Owner).await;
    let mut made = Vec::new();
    for (input, _) in inputs() {
        made.push(queued(&runs, &owner, input).await);
    }
    let done = cycle(&runs).await;
    assert_eq!((done.completed, done.failed, done.waiting), (4, 0, 0));
    for (run, (_, reason)) in made.iter().zip(inputs()) {
        let row = row(&runs, run).await;
        assert_eq!(row.status, RunStatus::Succeeded, "{:?}", row.error);
        let events = events(&runs, run).await;
        let (decision, kept) = decided(&runs, &owner, &events).await;
        assert_eq!(kept, reason);
        assert_ne!(decision, "allow");
        let told = ["policy.denied", "policy.requires_approval"];
        let told = events.iter().find(|event| told.contains(&event.event_type.as_str())).unwrap().data.to_value();
        assert_eq!(
            (&told["reason_code"], &told["blocked"], &told["enforcement_mode"]),
            (&json!(reason), &json!(false), &json!("shadow"))
        );
        let given = events.iter().find(|event| event.event_type == "tool.succeeded").unwrap().data.to_value();
        if let Some(blocked) = given["output"].get("blocked") {
            assert_eq!((blocked, &given["output"]["reason_code"]), (&json!(false), &json!(reason)));
        }
    }
    assert_at_rest(&runs).await;
    assert_sound(bed, &runs).await;
}

mod both {
    use super::on_both;
    on_both!(what_enforce_blocks_shadow_lets_through);
}
