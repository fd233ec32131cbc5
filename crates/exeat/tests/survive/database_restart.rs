//! PostgreSQL goes away and comes back: 503 with `Retry-After`, then everything again, by itself.

use std::time::{Duration, Instant};

use crate::bed::{Bed, Load, WORKSPACE, allowed, ask};

#[test]
fn survives_a_restart_of_postgres_under_load() {
    let bed = Bed::own_postgres();
    let key = bed.setup.key("gateway", Some(WORKSPACE)).unwrap();
    let mut server = bed.setup.start().unwrap();
    let load = Load::start(|| server.client().bearer(&key), 8, &allowed());
    wait_for(&load, 100);
    let cluster = bed.cluster.as_ref().unwrap();
    cluster.stop().unwrap();
    let mut client = server.client().bearer(&key);
    let refused = ask(&mut client, &allowed()).unwrap();
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert!(refused.header("retry-after").is_some());
    assert_eq!(refused.json().unwrap()["error"], "event_log_failure");
    let ready = server.client().get("/readyz").unwrap();
    assert_eq!(ready.status, 503);
    cluster.start().unwrap();
    let before = load.acknowledged();
    wait_for(&load, before + 100);
    assert!(server.is_running().unwrap());
    let statuses = load.other_statuses();
    assert!(statuses.iter().all(|s| *s == 503), "only 503 while it was away: {statuses:?}");
    let acknowledged = load.stop();
    let stored = bed.sql("SELECT egress_request_id FROM sec_egress_requests").unwrap();
    let stored: std::collections::BTreeSet<&str> = stored.lines().collect();
    assert!(acknowledged.iter().all(|id| stored.contains(id.as_str())), "nothing acknowledged is gone");
    drop(server);
    bed.assert_sound();
}

fn wait_for(load: &Load, count: usize) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while load.acknowledged() < count {
        assert!(Instant::now() < deadline, "only {} of {count}: {:?}", load.acknowledged(), load.other_statuses());
        std::thread::sleep(Duration::from_millis(10));
    }
}
