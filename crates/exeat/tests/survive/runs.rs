//! Workers killed, stopped and cut off in the middle: every run ends, once, and whole.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};
use testkit::http::Client;

use crate::bed::{Bed, WORKSPACE};

const KILLS: u64 = 50;
const RUNS_PER_KILL: u64 = 20;

/// A new bed whose servers drive no runs, and whose workers keep a run for a second.
fn quick_leases(mut bed: Bed) -> Bed {
    bed.setup = bed
        .setup
        .env("RUN_WORKER_EMBEDDED", "false")
        .env("RUN_WORKER_LEASE_SECONDS", "1")
        .env("RUN_WORKER_POLL_MS", "100")
        .env("RUN_WORKER_CONCURRENCY", "8");
    bed
}

fn create(client: &mut Client, runtime: &Value) -> String {
    let answer = client.post("/v1/runs", &json!({"input": {"runtime": runtime}})).unwrap();
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json().unwrap()["run_id"].as_str().unwrap().to_owned()
}

fn noops(count: usize) -> Value {
    json!({"steps": (0..count).map(|_| json!({"tool": "runtime.noop"})).collect::<Vec<_>>()})
}

fn wait_until(what: &str, within: Duration, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + within;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}: not within {within:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn unfinished(bed: &Bed) -> u64 {
    bed.count("SELECT count(*) FROM proj_runs WHERE status NOT IN ('succeeded','failed','cancelled')")
}

/// Nothing runs, is queued, leased or waits; each call and attempt ended once.
fn assert_at_rest(bed: &Bed) {
    for text in [
        "SELECT count(*) FROM proj_steps WHERE status IN ('queued','running')",
        "SELECT count(*) FROM proj_tool_calls WHERE status = 'running'",
        "SELECT count(*) FROM run_queue",
        "SELECT count(*) FROM run_leases",
        "SELECT count(*) FROM run_waits",
        "SELECT count(*) FROM run_attempts WHERE released_at IS NULL",
        // A number is given to one attempt of a run only, and none is left out.
        "SELECT count(*) FROM (SELECT run_id, attempt_no FROM run_attempts GROUP BY run_id, attempt_no \
         HAVING count(*) > 1) twice",
        "SELECT count(*) FROM proj_runs r WHERE r.attempt_no <> \
         (SELECT count(*) FROM run_attempts a WHERE a.run_id = r.run_id)",
        "SELECT count(*) FROM proj_runs r WHERE r.attempt_no <> \
         (SELECT count(*) FROM evt_events e WHERE e.run_id = r.run_id AND e.event_type = 'run.started')",
        // One end for every run and every tool call.
        "SELECT count(*) FROM proj_runs r WHERE 1 <> (SELECT count(*) FROM evt_events e WHERE e.run_id = r.run_id \
         AND e.event_type IN ('run.completed','run.failed','run.cancelled'))",
        "SELECT count(*) FROM proj_runs r WHERE \
         (SELECT count(*) FROM evt_events e WHERE e.run_id = r.run_id AND e.event_type = 'tool.invoked') <> \
         (SELECT count(*) FROM evt_events e WHERE e.run_id = r.run_id \
          AND e.event_type IN ('tool.succeeded','tool.failed'))",
    ] {
        assert_eq!(bed.count(text), 0, "{text}");
    }
}

/// Numbers without a pattern, the same each time; what they meet differs all the same.
struct Dice(u64);

impl Dice {
    fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

#[test]
fn survives_workers_killed_50_times_sqlite() {
    killed_at_random(&quick_leases(Bed::sqlite()));
}

#[test]
fn survives_workers_killed_50_times_postgres() {
    killed_at_random(&quick_leases(Bed::postgres()));
}

fn killed_at_random(bed: &Bed) {
    let key = bed.setup.key("owner", Some(WORKSPACE)).unwrap();
    let server = bed.setup.start().unwrap();
    let mut client = server.client().bearer(&key);
    let mut dice = Dice::new();
    let spawn = || bed.setup.spawn(&["worker"]).unwrap();
    let mut workers = vec![spawn(), spawn()];
    let kinds = [
        json!({}),
        json!({"egress": {"target_url": "https://example.com/a"}}),
        json!({"egress": {"target_url": "https://example.com/a", "action": "external.write"}}),
        noops(25),
    ];
    let mut created = [0_u64; 4];
    for _ in 0..KILLS {
        for number in 0..RUNS_PER_KILL {
            let kind = usize::try_from(number % 4).unwrap();
            create(&mut client, &kinds[kind]);
            created[kind] += 1;
        }
        std::thread::sleep(Duration::from_millis(dice.below(120)));
        let victim = usize::try_from(dice.below(2)).unwrap();
        workers.swap_remove(victim).kill9().unwrap();
        workers.push(spawn());
    }
    wait_until("all runs end", Duration::from_secs(120), || unfinished(bed) == 0);
    for worker in workers {
        assert!(worker.sigterm().unwrap().success());
    }
    drop(server);
    let expired = bed.count("SELECT count(*) FROM evt_events WHERE event_type = 'run.lease_expired'");
    assert!(expired > 0, "the control: some worker was killed while it had a run");
    assert_at_rest(bed);
    // Only what policy blocked has failed; what was interrupted still succeeded.
    let ended = |status: &str| bed.count(&format!("SELECT count(*) FROM proj_runs WHERE status = '{status}'"));
    assert_eq!((ended("succeeded"), ended("failed")), (created[0] + created[1] + created[3], created[2]));
    let of = |kind: &str| bed.count(&format!("SELECT count(*) FROM evt_events WHERE event_type = '{kind}'"));
    assert_eq!(of("egress.requested"), created[1] + created[2], "each effect is recorded once");
    assert_eq!((of("egress.allowed"), of("egress.blocked")), (created[1], created[2]));
    assert_eq!(of("tool.succeeded"), created[0] + created[1] + 25 * created[3]);
    bed.assert_sound();
}

#[test]
fn survives_a_worker_that_slept_through_its_lease_sqlite() {
    slept(&quick_leases(Bed::sqlite()));
}

#[test]
fn survives_a_worker_that_slept_through_its_lease_postgres() {
    slept(&quick_leases(Bed::postgres()));
}

/// How many steps of the run have ended.
fn steps_ended(bed: &Bed) -> u64 {
    bed.count("SELECT count(*) FROM proj_steps WHERE status = 'succeeded'")
}

fn slept(bed: &Bed) {
    const STEPS: u64 = 900;
    let key = bed.setup.key("owner", Some(WORKSPACE)).unwrap();
    let server = bed.setup.start().unwrap();
    let sleeper = bed.setup.spawn(&["worker"]).unwrap();
    let run = create(&mut server.client().bearer(&key), &noops(usize::try_from(STEPS).unwrap()));
    wait_until("the first worker begins", Duration::from_secs(30), || steps_ended(bed) >= 5);
    wait_until("the first worker is stopped between two transactions", Duration::from_secs(30), || {
        sleeper.signal(Signal::STOP).unwrap();
        let between = bed.is_writable();
        if !between {
            sleeper.signal(Signal::CONT).unwrap();
        }
        between
    });
    let before = steps_ended(bed);
    assert!(before < STEPS, "the control: the worker was stopped in the middle");
    let other = bed.setup.spawn(&["worker"]).unwrap();
    // Not by the steps: what the first had already sent may still be committed.
    wait_until("the second worker takes the run", Duration::from_secs(30), || {
        bed.count("SELECT attempt_no FROM proj_runs") == 2
    });
    sleeper.signal(Signal::CONT).unwrap();
    wait_until("the first worker finds that the run is lost", Duration::from_secs(30), || {
        sleeper.stderr().contains("no longer this worker's")
    });
    wait_until("the run ends", Duration::from_secs(60), || unfinished(bed) == 0);
    assert!(other.sigterm().unwrap().success());
    assert!(sleeper.sigterm().unwrap().success());
    drop(server);
    assert_at_rest(bed);
    let row = bed.sql(&format!("SELECT status, attempt_no FROM proj_runs WHERE run_id = '{run}'")).unwrap();
    assert_eq!(row, "succeeded|2");
    let of = |kind: &str| bed.count(&format!("SELECT count(*) FROM evt_events WHERE event_type = '{kind}'"));
    assert_eq!((of("step.created"), of("tool.succeeded"), of("run.lease_expired")), (STEPS, STEPS, 1));
    bed.assert_sound();
}

#[test]
fn survives_a_restart_of_postgres_while_runs_are_driven() {
    let mut bed = Bed::own_postgres();
    bed.setup = bed.setup.env("RUN_WORKER_LEASE_SECONDS", "2").env("RUN_WORKER_CONCURRENCY", "8");
    let key = bed.setup.key("owner", Some(WORKSPACE)).unwrap();
    let mut server = bed.setup.start().unwrap();
    let mut worker = bed.setup.spawn(&["worker"]).unwrap();
    let mut client = server.client().bearer(&key);
    let runs = 40;
    for _ in 0..runs {
        create(&mut client, &noops(40));
    }
    let cluster = bed.cluster.as_ref().unwrap();
    cluster.stop().unwrap();
    std::thread::sleep(Duration::from_secs(3));
    cluster.start().unwrap();
    assert!(unfinished(&bed) > 0, "the control: it went away in the middle");
    wait_until("all runs end", Duration::from_secs(90), || unfinished(&bed) == 0);
    assert!(server.is_running().unwrap() && worker.is_running().unwrap());
    assert_eq!(bed.count("SELECT count(*) FROM proj_runs WHERE status = 'succeeded'"), runs);
    drop((server, worker));
    assert_at_rest(&bed);
    bed.assert_sound();
}
