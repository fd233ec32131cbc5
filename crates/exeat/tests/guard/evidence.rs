//! Evidence: the same attempt comes to the same bytes, wherever and whenever it is made; what it says of secrets can
//! be compared by who has the key, and read by nobody.

use std::thread;

use serde_json::{Value, json};

use crate::ground::{As, inside};
use crate::no_egress::World;
use crate::runner::{By, Desk, Rung, Server};
use crate::sentinel::Scene;

/// What of an event's data says which call it was, not what was tried: all else is the same every time.
const EXCLUDED: [&str; 2] = ["run_id", "step_id"];

/// All that a summary may say, and all that it may say of one attempt: nothing that depends on how the kernel answered.
const MEMBERS: [&str; 7] = ["attempts", "classes", "digest", "input_hmac", "overflow", "rung", "subjects"];
const OF_AN_ATTEMPT: [&str; 5] = ["destination", "family", "op", "port", "protocol"];

/// What is tried each time, of every kind.
const ATTACKS: &str = "udp_sendto multicast ptrace vsock packet unix_workspace tcp_v4 unshare mount int80 dns_tunnel";

/// The violation of one call that tries all of it.
fn tried(desk: &Desk, scene: &Scene) -> Value {
    let script = "at=$0; for name in $ATTACKS; do \"$at/$name\" \"$@\" >/dev/null; done";
    let script = script.replace("$ATTACKS", ATTACKS);
    let mut words = vec!["/bin/sh".to_owned(), "-c".to_owned(), script, scene.probes.display().to_string()];
    // Not what differs from one test to the next: whose memory it is.
    words.extend(scene.words().into_iter().filter(|word| word.starts_with("WORKSPACE=")));
    let call = desk.routed("probe.write", &json!({ "arguments": words }));
    let mut data = desk.evidence(&call).unwrap_or_else(|| panic!("no violation: {call}"));
    let members = data.as_object_mut().unwrap();
    EXCLUDED.iter().for_each(|name| drop(members.remove(*name)));
    data
}

fn names(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn is_the_same_every_time() {
    inside(module_path!(), "is_the_same_every_time", |ground| {
        let world = World::make(ground);
        let scene = world.scene(As::Root);
        for rung in Rung::ALL {
            let mut server = Server::start(ground, &scene, By::Route, rung);
            let first = tried(&server.another(), &scene);
            assert!(first["summary"]["attempts"].as_array().unwrap().len() >= 6, "{first}");
            assert_eq!(names(&first["summary"]), MEMBERS);
            for attempt in first["summary"]["attempts"].as_array().unwrap() {
                assert_eq!(names(attempt), OF_AN_ATTEMPT);
            }
            let mut all = vec![first.clone()];
            for place in ["runs-there", "elsewhere/runs"] {
                let folder = server.folder.join(place);
                let temporary = ground.make(&format!("{rung:?}-{}", place.replace('/', "-")));
                let language = if place == "runs-there" { "C.utf8" } else { "tr_TR.UTF-8" };
                server.restart(&[
                    ("EXEAT_WORK_DIR", folder.to_str().unwrap()),
                    ("TMPDIR", temporary.to_str().unwrap()),
                    ("LANG", language),
                    ("LC_ALL", language),
                    ("TZ", "Pacific/Chatham"),
                ]);
                all.extend((0..5).map(|_| tried(&server.another(), &scene)));
            }
            let desks: Vec<Desk> = (0..8).map(|_| server.another()).collect();
            thread::scope(|scope| {
                let scene = &scene;
                let tries: Vec<_> = desks.into_iter().map(|desk| scope.spawn(move || tried(&desk, scene))).collect();
                all.extend(tries.into_iter().map(|tried| tried.join().unwrap()));
            });
            all.push(tried(&server.another(), &scene));
            let bytes = first.to_string();
            let differing: Vec<&Value> = all.iter().filter(|each| each.to_string() != bytes).collect();
            assert!(
                differing.is_empty(),
                "{rung:?}: {} of {} differ:\n{first}\n{}",
                differing.len(),
                all.len(),
                differing[0]
            );
            println!("cells: {} times the same on {rung:?}", all.len());
        }
    });
}

#[test]
fn is_keyed() {
    inside(module_path!(), "is_keyed", |ground| {
        let world = World::make(ground);
        let scene = world.scene(As::Root);
        let [one, other] = ["one", "other"].map(|name| {
            let server = Server::start_in(ground, &scene, By::Route, Rung::A, name);
            tried(&server.another(), &scene)
        });
        let (one, other) = (&one["summary"], &other["summary"]);
        assert_eq!(one["attempts"], other["attempts"], "two installations say the same of the same attempts");
        for digest in ["digest", "input_hmac", "subjects"] {
            assert!(!one[digest].is_null() && one[digest] != other[digest], "{digest} is keyed: {one}");
        }
    });
}
