//! Many who wait for one answer.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::bed::Bed;
use crate::dns::Answer as Resolved;
use crate::network::inside;

const ASKS: usize = 50;

fn bed() -> Bed {
    let rules = "[[ask]]\nid = \"ask\"\nhost = \"asked.test\"\n[[allow]]\nid = \"rest\"\nhost = \"*\"\n";
    let bed = Bed::make_with(rules, |setup| setup.env("EXEAT_EGRESS_HOLD_SECONDS", "20"));
    bed.world.names.otherwise(Resolved::of(&["45.79.8.3"]));
    bed
}

/// Puts 50 equal asks at once, decides the approval they wait for once all wait, and returns the statuses and how long
/// after the decision the last one came.
fn decided(bed: &Bed, decision: &serde_json::Value) -> (Vec<u16>, Duration) {
    let (tell, told) = mpsc::channel();
    for _ in 0..ASKS {
        let (way, tell) = (bed.way.clone(), tell.clone());
        std::thread::spawn(move || tell.send(way.get("http://asked.test/once").unwrap().status));
    }
    let mut owner = bed.owner();
    let deadline = Instant::now() + Duration::from_secs(10);
    let pending = loop {
        let asked = owner.get("/v1/egress/requests?limit=100").unwrap().expect(200).unwrap();
        let asked = asked["requests"].as_array().unwrap().len();
        let pending = owner.get("/v1/approvals?status=pending").unwrap().expect(200).unwrap()["approvals"].clone();
        if asked >= ASKS && pending[0]["approval_id"].is_string() {
            break pending;
        }
        assert!(Instant::now() < deadline, "{asked} asks, approvals {pending}");
        std::thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(pending.as_array().unwrap().len(), 1, "all wait for one approval: {pending}");
    assert!(told.try_recv().is_err(), "all are held");
    let id = pending[0]["approval_id"].as_str().unwrap();
    owner.post(&format!("/v1/approvals/{id}/decide"), decision).unwrap().expect(200).unwrap();
    let began = Instant::now();
    let statuses = (0..ASKS).map(|_| told.recv_timeout(Duration::from_secs(15)).unwrap()).collect();
    (statuses, began.elapsed())
}

#[test]
fn survives_fifty_asks_that_wait_for_one_approval() {
    inside(module_path!(), "survives_fifty_asks_that_wait_for_one_approval", || {
        let bed = bed();
        let (statuses, took) = decided(&bed, &json!({"decision": "approve"}));
        println!("{ASKS} released within {took:?}");
        assert!(statuses.iter().all(|&status| status == 200), "{statuses:?}");
        assert!(took < Duration::from_secs(3), "released together: {took:?}");
        assert!(bed.world.arrived.requests(0).len() >= ASKS);
    });
}

#[test]
fn survives_fifty_asks_for_what_is_approved_once() {
    inside(module_path!(), "survives_fifty_asks_for_what_is_approved_once", || {
        let bed = bed();
        let (statuses, _) = decided(&bed, &json!({"decision": "approve", "scope": {"type": "once"}}));
        let passed = statuses.iter().filter(|&&status| status == 200).count();
        let refused = statuses.iter().filter(|&&status| status == 403).count();
        assert_eq!((passed, refused), (1, ASKS - 1), "{statuses:?}");
        assert_eq!(bed.world.arrived.requests(0).len(), 1, "exactly one arrives");
    });
}

#[test]
fn survives_fifty_asks_that_are_denied() {
    inside(module_path!(), "survives_fifty_asks_that_are_denied", || {
        let bed = bed();
        let (statuses, took) = decided(&bed, &json!({"decision": "deny"}));
        assert!(statuses.iter().all(|&status| status == 403), "{statuses:?}");
        assert!(took < Duration::from_secs(3), "told together: {took:?}");
        assert!(bed.world.arrived.requests(0).is_empty(), "nothing arrives");
        assert!(bed.world.names.questions().is_empty(), "and nobody was asked for the name");
    });
}
