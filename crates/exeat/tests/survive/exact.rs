//! Quotas and `once` approvals over HTTP: exact on one process and on two that share PostgreSQL.

use serde_json::{Value, json};
use testkit::exeat::Process;
use testkit::http::Client;

use crate::bed::{Bed, WORKSPACE, allowed, ask, writing};

#[test]
fn survives_a_rush_on_a_quota_sqlite() {
    let bed = Bed::sqlite();
    rush_on_a_quota(&bed, 1);
}

#[test]
fn survives_a_rush_on_a_quota_two_replicas() {
    let bed = Bed::postgres();
    rush_on_a_quota(&bed, 2);
}

#[test]
fn survives_a_rush_on_a_once_approval_sqlite() {
    let bed = Bed::sqlite();
    rush_on_a_once_approval(&bed, 1);
}

#[test]
fn survives_a_rush_on_a_once_approval_two_replicas() {
    let bed = Bed::postgres();
    rush_on_a_once_approval(&bed, 2);
}

fn servers(bed: &Bed, count: usize) -> Vec<Process> {
    (0..count).map(|_| bed.setup.start().unwrap()).collect()
}

/// Sends `count` requests at once, spread over the servers, and gives the answers.
fn rush(servers: &[Process], key: &str, body: &Value, count: usize) -> Vec<Value> {
    let barrier = std::sync::Arc::new(std::sync::Barrier::new(count));
    let threads: Vec<_> = (0..count)
        .map(|n| {
            let mut client: Client = servers[n % servers.len()].client().bearer(key);
            let (barrier, body) = (barrier.clone(), body.clone());
            std::thread::spawn(move || {
                barrier.wait();
                ask(&mut client, &body).unwrap().expect(201).unwrap()
            })
        })
        .collect();
    threads.into_iter().map(|t| t.join().unwrap()).collect()
}

fn rush_on_a_quota(bed: &Bed, replicas: usize) {
    let key = bed.setup.key("gateway", Some(WORKSPACE)).unwrap();
    let owner = bed.setup.key("owner", Some(WORKSPACE)).unwrap();
    let servers = servers(bed, replicas);
    let mut operator = servers[0].client().bearer(&owner);
    operator.put("/v1/policy/settings", &json!({"egress_max_requests_per_hour": 50})).unwrap().expect(200).unwrap();
    let answers = rush(&servers, &key, &allowed(), 200);
    let denied = answers.iter().filter(|a| a["reason_code"] == "quota_exceeded").count();
    assert_eq!(answers.len() - denied, 50, "exactly the limit passes");
    assert_eq!(bed.count("SELECT count(*) FROM evt_events WHERE event_type = 'quota.exceeded'"), 150);
    bed.assert_sound();
}

fn rush_on_a_once_approval(bed: &Bed, replicas: usize) {
    let key = bed.setup.key("gateway", Some(WORKSPACE)).unwrap();
    let owner = bed.setup.key("owner", Some(WORKSPACE)).unwrap();
    let servers = servers(bed, replicas);
    // Asked at once from everywhere: one approval stands for all.
    let asked = rush(&servers, &key, &writing(), 20);
    let approvals: std::collections::BTreeSet<&str> =
        asked.iter().map(|a| a["approval_id"].as_str().unwrap()).collect();
    assert_eq!(approvals.len(), 1, "one pending approval for equal asks");
    let path = format!("/v1/approvals/{}/decide", approvals.first().unwrap());
    let mut approver = servers[0].client().bearer(&owner);
    approver.post(&path, &json!({"decision": "approve"})).unwrap().expect(200).unwrap();
    let answers = rush(&servers, &key, &writing(), 40);
    let passed = answers.iter().filter(|a| a["decision"] == "allow").count();
    assert_eq!(passed, 1, "a once approval lets exactly one through");
    assert!(answers.iter().all(|a| a["decision"] == "allow" || a["decision"] == "require_approval"));
    bed.assert_sound();
}
