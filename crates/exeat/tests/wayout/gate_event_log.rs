//! The fail-closed gate: what cannot be written down does not happen. The store refuses to write, all events or one kind
//! of them; every kind of effect then fails with `event_log_failure`, nothing has changed, and the world outside hears
//! nothing. Each is shown to work once the store writes again.

mod routes;

use std::io::Write as _;

use serde_json::{Value, json};

use crate::attacks::{Carrier, SENDING, Told, ask, assert_ended};
use crate::bed::{ANYWHERE, Bed};
use crate::carrier::{Answer, NoTunnel};
use crate::dns::Answer as Resolved;
use crate::network::inside;
use crate::origin::What;

const HOST: &str = "good.test";
/// The events of a request that is let out, and what must not be missing before it leaves.
const OF_A_REQUEST: [&str; 2] = ["egress.requested", "egress.allowed"];

fn bed() -> Bed {
    let bed = Bed::make_with(ANYWHERE, |setup| setup.env("RUN_WORKER_EMBEDDED", "false"));
    bed.world.names.say(HOST, vec![Resolved::of(&["45.79.7.1"])]);
    bed
}

/// A store that refuses events of a kind, or all, while this lives.
struct Broken<'a>(&'a Bed);

impl<'a> Broken<'a> {
    fn all(bed: &'a Bed) -> Self {
        Self::when(bed, "")
    }

    fn of(bed: &'a Bed, kind: &str) -> Self {
        Self::when(bed, &format!("WHEN NEW.event_type = '{kind}'"))
    }

    fn when(bed: &'a Bed, when: &str) -> Self {
        bed.sql(&format!(
            "CREATE TRIGGER broken BEFORE INSERT ON evt_events {when} BEGIN SELECT RAISE(ABORT, 'disk on fire'); END;"
        ));
        Self(bed)
    }
}

impl Drop for Broken<'_> {
    fn drop(&mut self) {
        self.0.sql("DROP TRIGGER broken;");
    }
}

/// What the outside heard since a mark: any byte at all. A connection may be opened while the record is written.
fn heard(bed: &Bed, mark: usize) -> Vec<What> {
    let arrivals = bed.world.arrived.since(mark).into_iter().map(|arrival| arrival.what);
    arrivals.filter(|what| !matches!(what, What::Connected)).collect()
}

/// What a client is told when nothing can be written down.
fn is_event_log_failure(told: &Told) -> bool {
    match told {
        // Replies of SOCKS have no room for more: general failure.
        Told::Refused { status: 1, .. } => true,
        Told::Refused { status: 500 | 503, code } => code == "event_log_failure",
        _ => false,
    }
}

fn verify(bed: &Bed) {
    assert_eq!(bed.setup.run_json(&["events", "verify", "--json"]).unwrap()["valid"], true);
    let rebuilt = bed.setup.run_json(&["db", "rebuild", "--json"]).unwrap();
    assert!(rebuilt["tables"].as_array().unwrap().iter().all(|table| table["differing"] == 0), "{rebuilt}");
}

#[test]
fn gate_event_log_at_every_carrier() {
    inside(module_path!(), "gate_event_log_at_every_carrier", || {
        let (bed, mut cases) = (bed(), 0);
        for carrier in SENDING.into_iter().chain([Carrier::Api]) {
            for kind in OF_A_REQUEST.map(Some).into_iter().chain([None]) {
                let (mark, before) = (bed.world.arrived.mark(), bed.newest());
                let broken = kind.map_or_else(|| Broken::all(&bed), |kind| Broken::of(&bed, kind));
                let told = ask(&bed, carrier, HOST, HOST);
                assert!(is_event_log_failure(&told), "{carrier:?} without {kind:?}: {told:?}");
                assert!(heard(&bed, mark).is_empty(), "{carrier:?} without {kind:?}: {:?}", heard(&bed, mark));
                assert_eq!(bed.newest(), before, "{carrier:?} without {kind:?}");
                drop(broken);
                cases += 1;
            }
            let told = ask(&bed, carrier, HOST, HOST);
            assert!(matches!(told, Told::Arrived(_) | Told::Allowed), "the control: {carrier:?}: {told:?}");
        }
        // A denial that cannot be written down is no denial that somebody may build on, and no allow either.
        bed.publish("[[deny]]\nid = \"none\"\nhost = \"*\"\n");
        for carrier in SENDING {
            let (mark, broken) = (bed.world.arrived.mark(), Broken::of(&bed, "egress.blocked"));
            let told = ask(&bed, carrier, HOST, HOST);
            assert!(is_event_log_failure(&told), "{carrier:?}: {told:?}");
            assert!(heard(&bed, mark).is_empty(), "{carrier:?}");
            drop(broken);
            cases += 1;
            assert!(matches!(ask(&bed, carrier, HOST, HOST), Told::Refused { .. }), "the control: {carrier:?}");
        }
        verify(&bed);
        println!("event-log-fail-closed: {cases} asks by {} carriers", SENDING.len() + 1);
    });
}

#[test]
fn gate_event_log_inside_a_connection_that_was_let_in() {
    inside(module_path!(), "gate_event_log_inside_a_connection_that_was_let_in", || {
        let bed = bed();
        // One connection, kept: what was recorded for the first request is no record of the second.
        let mut stream = bed.way.open();
        let mut again = || {
            stream.write_all(bed.way.head("GET", &format!("http://{HOST}/once"), "", 0).as_bytes()).unwrap();
            Answer::read(&mut stream).unwrap()
        };
        assert_eq!(again().status, 200);
        let (mark, broken) = (bed.world.arrived.mark(), Broken::all(&bed));
        let answer = again();
        assert_eq!((answer.status, answer.code().as_str()), (503, "event_log_failure"));
        assert!(heard(&bed, mark).is_empty());
        drop(broken);
        assert_eq!(again().status, 200, "the control");
        // A tunnel that was opened by a name may not be opened again while nothing can be written.
        assert!(bed.way.connect(&format!("{HOST}:443")).is_ok());
        let (mark, broken) = (bed.world.arrived.mark(), Broken::all(&bed));
        let Err(NoTunnel::Http(answer)) = bed.way.connect(&format!("{HOST}:443")) else { panic!("a tunnel") };
        assert_eq!((answer.status, answer.code().as_str()), (503, "event_log_failure"));
        assert!(heard(&bed, mark).is_empty());
        drop(broken);
        println!("event-log-fail-closed: 2 cases on connections that were let in");
    });
}

/// The events of a run with one tool before the tool has its effect, and whether the tool's effect is outside.
fn of_a_run(tool: &str) -> &'static [&'static str] {
    match tool {
        "runtime.noop" => &["run.started", "step.created", "tool.invoked", "tool.succeeded"],
        "egress.request" => &["run.started", "step.created", "tool.invoked", "egress.requested", "egress.allowed"],
        "http.request" => &["run.started", "step.created", "tool.invoked", "egress.requested", "egress.allowed"],
        "process.exec" => &["run.started", "step.created", "tool.invoked", "egress.requested", "egress.allowed"],
        other => panic!("nobody said what `{other}` writes down before it does anything"),
    }
}

/// Tools that really send something.
const SENDING_TOOLS: [&str; 2] = ["http.request", "process.exec"];

fn input(tool: &str) -> Value {
    match tool {
        "egress.request" => json!({"target_url": format!("http://{HOST}/once"), "action": "external.read"}),
        "http.request" => json!({"url": format!("http://{HOST}/once")}),
        "process.exec" => json!({"argv": ["curl", "-fsS", format!("http://{HOST}/once")], "network": {}}),
        _ => json!({}),
    }
}

fn run(bed: &Bed, tool: &str) -> String {
    let input = json!({"runtime": {"steps": [{"tool": tool, "input": input(tool)}]}});
    let made = bed.owner().post("/v1/runs", &json!({"input": input})).unwrap().expect(201).unwrap();
    format!("/v1/runs/{}", made["run_id"].as_str().unwrap())
}

fn status(bed: &Bed, run: &str) -> Value {
    bed.owner().get(run).unwrap().expect(200).unwrap()["run"]["status"].clone()
}

#[test]
fn gate_event_log_of_every_tool() {
    inside(module_path!(), "gate_event_log_of_every_tool", || {
        let (bed, mut cases) = (bed(), 0);
        for tool in &runs::plan::Tool::ALL {
            let tool = tool.name();
            for kind in of_a_run(tool) {
                let path = run(&bed, tool);
                let (mark, broken) = (bed.world.arrived.mark(), Broken::of(&bed, kind));
                // The worker says what it could do, and does no harm; how it says so is not the matter here.
                let _told = bed.setup.run(&["worker", "--once", "--json"]).unwrap();
                assert!(heard(&bed, mark).is_empty(), "{tool} without {kind}: {:?}", heard(&bed, mark));
                assert_ne!(status(&bed, &path), "succeeded", "{tool} without {kind}");
                drop(broken);
                cases += 1;
                bed.owner().post(&format!("{path}/cancel"), &json!({})).unwrap();
            }
            let (path, mark) = (run(&bed, tool), bed.world.arrived.mark());
            bed.setup.run_json(&["worker", "--once", "--json"]).unwrap();
            assert_eq!(status(&bed, &path), "succeeded", "the control: {tool}");
            assert_eq!(heard(&bed, mark).len(), usize::from(SENDING_TOOLS.contains(&tool)), "the control: {tool}");
        }
        assert_ended(&bed, "completed", None, "the last request");
        verify(&bed);
        println!("event-log-fail-closed: {cases} tool calls of {} tools", runs::plan::Tool::ALL.len());
    });
}

#[test]
fn gate_event_log_on_every_route_that_changes_something() {
    inside(module_path!(), "gate_event_log_on_every_route_that_changes_something", || {
        let bed = bed();
        routes::all(&bed);
        verify(&bed);
    });
}
