//! What cannot be recorded does not happen.

use confine::{ConfineError, Network, Rung};

use crate::bed::{Bed, DECLARED};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_whose_attempt_cannot_be_recorded_is_killed() {
    let bed = Bed::new(None).await;
    for rung in [Rung::A, Rung::B] {
        // The control: it is recorded, and the command goes on.
        let ran = bed.run(rung, DECLARED, "unshare -Un true; echo on").await;
        assert!(ran.ended().evidence.is_some() && ran.out.ends_with("on\n"), "{}", ran.out);
    }
    bed.sql("ALTER TABLE guard_marks RENAME TO gone");
    for rung in [Rung::A, Rung::B] {
        let ran = bed.run(rung, DECLARED, "unshare -Un true; sleep 0.2; echo on").await;
        assert!(matches!(ran.ended, Err(ConfineError::EventLog)), "{rung}: {:?}", ran.ended);
        assert!(!ran.out.contains("on\n"), "{rung}: {}", ran.out);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_run_while_the_log_cannot_be_written() {
    let bed = Bed::new(None).await;
    assert_eq!(bed.run(Rung::A, Network::None, "cat /etc/hostname >/dev/null").await.ended().exit.code(), 0);
    let spawned = bed.confiner.spawned();
    bed.sql("ALTER TABLE egress_gateways RENAME TO gone");
    for rung in [Rung::A, Rung::B] {
        let ran = bed.run(rung, Network::None, "cat /etc/hostname").await;
        assert!(matches!(ran.ended, Err(ConfineError::EventLog)), "{rung}: {:?}", ran.ended);
        assert_eq!(ran.out, "", "{rung}: reads included");
    }
    assert_eq!(bed.confiner.spawned(), spawned);
}
