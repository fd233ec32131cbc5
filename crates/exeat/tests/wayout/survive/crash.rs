//! kill -9 with hundreds of tunnels open: every request has its record, and every record of an allowed one an end.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::{Duration, Instant};

use super::bed;
use crate::carrier::Answer;
use crate::network::inside;

const TUNNELS: usize = 500;

#[test]
fn survives_kill_9_in_the_middle_of_tunnels() {
    inside(module_path!(), "survives_kill_9_in_the_middle_of_tunnels", || {
        let bed = bed();
        let mut open = Vec::new();
        for number in 0..TUNNELS {
            let tunnel = bed.way.connect(&format!("t{number}.test:443")).unwrap();
            let mut secured = bed.tls.over(tunnel, &format!("t{number}.test"));
            if number % 10 == 0 {
                // Some carry something, some of those end in time.
                write!(secured, "GET /x HTTP/1.1\r\nHost: t{number}.test\r\n\r\n").unwrap();
                assert_eq!(Answer::read(&mut secured).unwrap().status, 200);
            }
            if number % 100 != 0 {
                open.push(secured);
            }
        }
        // And requests that are under way.
        let mut streams = Vec::new();
        for _ in 0..20 {
            let mut stream = bed.way.open();
            stream.write_all(bed.way.head("GET", "http://origin.test/drip", "", 0).as_bytes()).unwrap();
            streams.push(stream);
        }
        std::thread::sleep(Duration::from_millis(500));
        let crate::bed::Bed { world, setup, server, owner_key, .. } = &bed;
        let _world = world;
        rustix::process::kill_process(
            rustix::process::Pid::from_raw(server.pid().try_into().unwrap()).unwrap(),
            rustix::process::Signal::KILL,
        )
        .unwrap();
        drop((open, streams));
        let again = setup.start().unwrap();
        let mut owner = again.client().bearer(owner_key);
        let mut requests = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = owner.get(&format!("/v1/egress/requests?limit=100{cursor}")).unwrap().expect(200).unwrap();
            requests.extend(page["requests"].as_array().unwrap().clone());
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(requests.len(), TUNNELS + 20, "every request that was let through has its record");
        // What was cut off is swept once its time is over.
        let deadline = Instant::now() + Duration::from_secs(60);
        let ends = loop {
            let (mut ends, mut cursor) = (BTreeMap::<String, Vec<String>>::new(), String::new());
            loop {
                let path = format!("/v1/events?event_type=egress.completed&limit=500{cursor}");
                let page = owner.get(&path).unwrap().expect(200).unwrap();
                for event in page["events"].as_array().unwrap() {
                    let data = &event["data"];
                    let id = data["egress_request_id"].as_str().unwrap().to_owned();
                    ends.entry(id).or_default().push(data["outcome"].as_str().unwrap().to_owned());
                }
                let Some(next) = page["next_cursor"].as_str() else { break };
                cursor = format!("&cursor={next}");
            }
            if ends.len() >= TUNNELS + 20 {
                break ends;
            }
            assert!(Instant::now() < deadline, "{} of {} have an end", ends.len(), TUNNELS + 20);
            std::thread::sleep(Duration::from_millis(500));
        };
        for request in &requests {
            let id = request["egress_request_id"].as_str().unwrap();
            assert_eq!(request["policy_decision"], "allow");
            assert_eq!(ends[id].len(), 1, "{id} has one end: {:?}", ends[id]);
        }
        let unknown = ends.values().filter(|end| end[0] == "unknown").count();
        println!("{} requests, {unknown} of unknown outcome", requests.len());
        assert!(unknown >= TUNNELS - 5, "those that were open: {unknown}");
        let report = setup.run_json(&["events", "verify", "--json"]).unwrap();
        assert_eq!(report["valid"], true, "{report}");
    });
}
