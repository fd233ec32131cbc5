//! What confined commands tried: one event each, whoever writes it.

use std::time::Duration;

use gate::{Caller, Gate, Place, Violation, ViolationOf};
use model::{GatewayId, Role};
use serde_json::{Value, json};
use store::rows::{EventRow, GatewayRow};

use crate::bed::{Bed, assert_sound, caller, events};
use crate::leaving::silence;

fn of(gate: &Gate, agent: &Caller) -> Violation {
    gate.violation(agent, &Place::default(), ViolationOf { tool_name: Some("build"), ..ViolationOf::default() })
}

async fn told(gate: &Gate) -> Vec<EventRow> {
    let events = events(gate).await;
    events.into_iter().filter(|event| event.event_type == "security.egress_violation").collect()
}

/// The gateway that holds what this gate does.
async fn own_gateway(gate: &Gate) -> GatewayId {
    gate.prove_log().await.unwrap();
    let now = model::Time::parse("2999-01-01T00:00:00.000Z").unwrap();
    let rows: Vec<GatewayRow> = gate.store().silent_gateways(now).await.unwrap();
    rows.last().unwrap().gateway_id.clone()
}

async fn marked_and_recorded_it_is_one_event(bed: &Bed) {
    let gate = bed.gate().await;
    let agent = caller(&gate, Role::Agent, None).await;
    let violation = of(&gate, &agent);
    gate.mark_violation(&violation, &json!({ "attempts": [1] })).await.unwrap();
    assert!(told(&gate).await.is_empty(), "not before the end");
    gate.mark_violation(&violation, &json!({ "attempts": [1, 2] })).await.unwrap();
    let id = gate.record_violation(&violation, &json!({ "attempts": [1, 2, 3] })).await.unwrap();
    assert_eq!(gate.record_violation(&violation, &json!({})).await.unwrap(), id, "once");
    gate.mark_violation(&violation, &json!({})).await.unwrap();
    let [event] = told(&gate).await.try_into().unwrap();
    let want = json!({ "violation_code": "network_egress_blocked", "tool_name": "build", "summary": { "attempts": [1, 2, 3] } });
    assert_eq!((event.event_id, event.data.to_value()), (id, want));
    // Without a mark: whoever reports what is over already.
    let other = gate.record_violation(&of(&gate, &agent), &json!({ "attempts": [] })).await.unwrap();
    assert_eq!(told(&gate).await.last().unwrap().event_id, other);
    assert_sound(bed, &gate).await;
}

async fn what_a_dead_process_marked_is_recorded_by_the_sweep(bed: &Bed) {
    let (gate, other) = (bed.gate().await, bed.gate().await);
    let agent = caller(&gate, Role::Agent, None).await;
    let gateway = own_gateway(&gate).await;
    let marked = of(&gate, &agent);
    gate.mark_violation(&marked, &json!({ "attempts": ["first"] })).await.unwrap();
    let done = of(&gate, &agent);
    gate.mark_violation(&done, &json!({ "attempts": ["done"] })).await.unwrap();
    let done_id = gate.record_violation(&done, &json!({ "attempts": ["done"] })).await.unwrap();
    // It gives signs of life all the time; one may come between.
    for _ in 0..50 {
        silence(&other, &gateway).await;
        if other.sweep_gateways().await.unwrap() > 0 {
            break;
        }
    }
    let events = told(&other).await;
    assert_eq!(events.len(), 2, "what was recorded is not recorded again");
    let swept = events.iter().find(|event| event.event_id != done_id).unwrap();
    assert_eq!(swept.data.to_value()["summary"], json!({ "attempts": ["first"] }));
    // It only slept: its own event is the one that was written for it.
    let own = gate.record_violation(&marked, &json!({ "attempts": ["first", "second"] })).await.unwrap();
    assert_eq!((own, told(&other).await.len()), (swept.event_id.clone(), 2));
    assert_eq!(other.sweep_gateways().await.unwrap(), 0);
    gate.store().remove_expired(Duration::from_secs(60)).await.unwrap();
    assert_sound(bed, &gate).await;
}

async fn an_input_has_a_keyed_digest_that_no_id_changes(bed: &Bed) {
    let (gate, other) = (bed.gate().await, bed.gate().await);
    let input = json!({ "argv": ["a", "b"], "cwd": "/x" });
    let digest = gate.input_hmac(&input);
    assert_eq!(digest.len(), 64);
    for same in [
        json!({ "cwd": "/x", "argv": ["a", "b"] }),
        json!({ "argv": ["a", "b"], "cwd": "/x", "run_id": "run_1", "step_id": "s", "tool_call_id": "t" }),
    ] {
        assert_eq!(gate.input_hmac(&same), digest, "{same}");
    }
    for different in [json!({ "argv": ["a"], "cwd": "/x" }), json!({ "argv": ["a", "b"] }), Value::Null] {
        assert_ne!(gate.input_hmac(&different), digest, "{different}");
    }
    assert_ne!(other.input_hmac(&input), digest, "another install has another key");
}

mod both {
    crate::bed::on_both!(
        marked_and_recorded_it_is_one_event,
        what_a_dead_process_marked_is_recorded_by_the_sweep,
        an_input_has_a_keyed_digest_that_no_id_changes,
    );
}
