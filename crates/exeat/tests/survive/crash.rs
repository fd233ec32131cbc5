//! kill -9 under load, again and again: what was acknowledged is there, whole.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::bed::{Bed, Load, WORKSPACE, allowed};

const KILLS: usize = 20;

#[test]
fn survives_kill_9_under_load_sqlite() {
    killed_under_load(&Bed::sqlite());
}

#[test]
fn survives_kill_9_under_load_postgres() {
    killed_under_load(&Bed::postgres());
}

fn killed_under_load(bed: &Bed) {
    let key = bed.setup.key("gateway", Some(WORKSPACE)).unwrap();
    let mut acknowledged = Vec::new();
    for round in 0..KILLS {
        let server = bed.setup.start().unwrap();
        let load = Load::start(|| server.client().bearer(&key), 8, &allowed());
        // A different moment each round, but always after some were acknowledged.
        let enough = 20 + round * 7;
        for _ in 0..2_000 {
            if load.acknowledged() >= enough {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(
            load.acknowledged() >= enough,
            "the control: requests are answered, statuses {:?}",
            load.other_statuses()
        );
        server.kill9().unwrap();
        acknowledged.extend(load.stop());
    }
    let stored: BTreeSet<String> =
        bed.sql("SELECT egress_request_id FROM sec_egress_requests").unwrap().lines().map(str::to_owned).collect();
    let lost: Vec<&String> = acknowledged.iter().filter(|id| !stored.contains(*id)).collect();
    assert!(lost.is_empty(), "{} acknowledged requests are gone: {lost:?}", lost.len());
    assert_eq!(acknowledged.iter().collect::<BTreeSet<_>>().len(), acknowledged.len(), "no id was given twice");
    whole(bed, stored.len() as u64);
    bed.assert_sound();
}

/// Every stored request has exactly its two events and its decision; there is nothing besides.
fn whole(bed: &Bed, requests: u64) {
    assert_eq!(bed.count("SELECT count(*) FROM evt_events WHERE event_type = 'egress.requested'"), requests);
    assert_eq!(bed.count("SELECT count(*) FROM evt_events WHERE event_type = 'egress.allowed'"), requests);
    assert_eq!(bed.count("SELECT count(*) FROM gate_decisions"), requests);
    let orphans = "SELECT count(*) FROM sec_egress_requests r WHERE \
                   (SELECT count(*) FROM evt_events e WHERE e.correlation_id = r.correlation_id) <> 2";
    // Without an index on the correlation this is a scan per request: a sample is enough beside the counts.
    let sample =
        orphans.replace("sec_egress_requests r WHERE", "(SELECT * FROM sec_egress_requests LIMIT 200) r WHERE");
    assert_eq!(bed.count(&sample), 0);
}
