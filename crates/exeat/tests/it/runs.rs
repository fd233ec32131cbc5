use std::io::{BufRead as _, BufReader, Read as _, Write as _};

use serde_json::{Value, json};

use crate::program::{Ran, exeat_with};
use crate::server::Server;

/// The id of the run that a command made: the first line it printed.
fn made(ran: &Ran) -> String {
    let id = ran.stdout.lines().next().unwrap_or_default().to_owned();
    assert!(id.starts_with("run_"), "{ran:?}");
    id
}

fn run_json(server: &Server, id: &str) -> Value {
    server.run(&["runs", "get", id, "--json"]).exits(0).json()
}

fn json_lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn types(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["event_type"].as_str().unwrap()).collect()
}

const ALLOWED: [&str; 8] = [
    "run.created",
    "run.started",
    "step.created",
    "tool.invoked",
    "egress.requested",
    "egress.allowed",
    "tool.succeeded",
    "run.completed",
];

#[test]
fn a_run_is_made_followed_shown_and_listed() {
    let server = Server::start();
    let ran = server
        .run(&[
            "runs",
            "create",
            "--title",
            "one",
            "--goal",
            "g",
            "--tag",
            "a",
            "--egress",
            "https://example.com/",
            "--watch",
        ])
        .exits(0);
    let id = made(&ran);
    let drawn: Vec<&str> = ran.stdout.lines().skip(1).map(|line| line.split_whitespace().nth(2).unwrap()).collect();
    assert_eq!(drawn, ALLOWED);
    assert!(ran.stdout.contains("+0.000s  · run.created") && ran.stdout.contains("    ✓ tool.succeeded"), "{ran:?}");
    assert!(ran.stderr.contains(&format!("succeeded  {id}")), "{ran:?}");

    let shown = server.run(&["runs", "get", &id]).exits(0);
    assert!(shown.stdout.starts_with(&format!("{id}  succeeded  one\n")), "{shown:?}");
    assert!(shown.stdout.contains("✓ egress.request  default_allow"), "{shown:?}");
    let all = run_json(&server, &id);
    assert_eq!((&all["run"]["tags"], &all["run"]["goal"]), (&json!(["a"]), &json!("g")));
    assert_eq!(all["run"]["input"], json!({ "runtime": { "egress": { "target_url": "https://example.com/" } } }));
    for list in ["steps", "tool_calls", "attempts"] {
        assert_eq!(all[list].as_array().unwrap().len(), 1, "{all}");
    }

    server.run(&["runs", "create", "--input", r#"{"runtime":{"tool":"no.such"}}"#, "--watch"]).exits(1);
    let listed = server.run(&["runs", "list", "--status", "succeeded"]).exits(0);
    assert_eq!(listed.stdout.matches("run_").count(), 1, "{listed:?}");
    let listed = server.run(&["runs", "list", "--limit", "1", "--json"]).exits(0).json();
    assert_eq!(listed["runs"][0]["status"], "failed");
    assert!(server.run(&["runs", "list", "--room", "room_none"]).stdout.is_empty());
}

#[test]
fn watch_prints_the_events_as_json_lines() {
    let server = Server::start();
    let ran = server.run(&["runs", "create", "--egress", "https://example.com/", "--watch", "--json"]).exits(0);
    let lines = json_lines(&ran.stdout);
    assert_eq!(types(&lines[1..]), ALLOWED);
    assert_eq!(ran.stderr, "");
    // Once it has ended, the same events come from the list alone.
    let id = lines[0]["run_id"].as_str().unwrap();
    let again = server.run(&["runs", "watch", id, "--json"]).exits(0);
    assert_eq!(json_lines(&again.stdout), lines[1..]);
}

#[test]
fn a_run_that_needed_an_approval_fails_with_the_way_out() {
    let server = Server::start();
    let made_run = server
        .run(&[
            "runs",
            "create",
            "--title",
            "post",
            "--tag",
            "t",
            "--egress",
            "https://example.com/",
            "--action",
            "external.write",
            "--watch",
        ])
        .exits(1);
    let id = made(&made_run);
    let shown = server.run(&["runs", "get", &id]).exits(0);
    assert!(
        shown.stdout.contains("a write to the outside needs an approval (external_write_requires_approval)"),
        "{shown:?}"
    );
    let approval = run_json(&server, &id)["run"]["error"]["approval_id"].as_str().unwrap().to_owned();
    let next = format!("exeat approvals approve {approval} --scope host --for 10m && exeat runs retry {id}");
    assert!(shown.stdout.contains(&next) && made_run.stderr.contains(&next), "{shown:?}");
    assert!(shown.stdout.contains("exeat why egr_"), "{shown:?}");

    // What it says is done, word by word; it works.
    let approver = server.key("approver");
    server.run_as(&approver, &["approvals", "approve", &approval, "--scope", "host", "--for", "10m"]).exits(0);
    let ran = server.run(&["runs", "retry", &id, "--watch"]).exits(0);
    let again = made(&ran);
    assert!(again != id && ran.stderr.contains(&id), "{ran:?}");
    let (old, new) = (run_json(&server, &id), run_json(&server, &again));
    for member in ["room_id", "title", "goal", "input", "tags"] {
        assert_eq!(old["run"][member], new["run"][member], "{member}");
    }
    let told = server.run(&["runs", "retry", &id, "--json"]).exits(0).json();
    assert_eq!(told["retry_of"], id.as_str());
    assert!(told["run_id"].as_str().unwrap().starts_with("run_"), "{told}");
}

#[test]
fn a_retry_stays_in_its_room_and_says_that_a_secret_is_gone() {
    let server = Server::start();
    let room = server.run(&["rooms", "create", "r"]).exits(0).stdout.trim().to_owned();
    let input = r#"{"note":"x","password":"hunter2hunter2"}"#;
    let id = made(&server.run(&["runs", "create", "--room", &room, "--input", input, "--watch"]).exits(0));
    let ran = server.run(&["runs", "retry", &id, "--watch"]).exits(0);
    assert!(ran.stderr.contains("[redacted]"), "{ran:?}");
    assert_eq!(run_json(&server, &made(&ran))["run"]["room_id"], room.as_str());
    let listed = server.run(&["runs", "list", "--room", &room, "--json"]).exits(0).json();
    assert_eq!(listed["runs"].as_array().unwrap().len(), 2, "{listed}");
}

#[test]
fn a_waiting_run_tells_what_to_do_and_is_followed_to_its_end() {
    let server = Server::start();
    let words =
        ["runs", "create", "--egress", "https://example.com/", "--action", "external.write", "--wait-for-approval"];
    let id = made(&server.run(&words).exits(0));
    let parked = server.run(&["runs", "watch", &id, "--no-wait"]).exits(4);
    assert!(parked.stdout.lines().last().unwrap().contains("run.waiting"), "{parked:?}");
    let approval = run_json(&server, &id)["tool_calls"][0]["error"]["approval_id"].as_str().unwrap().to_owned();
    assert!(parked.stderr.contains(&format!("exeat approvals approve {approval}")), "{parked:?}");
    let shown = server.run(&["runs", "get", &id]).exits(0);
    assert!(shown.stderr.contains(&approval) && shown.stdout.contains("waiting_approval"), "{shown:?}");

    let mut watching = server.spawn(&["runs", "watch", &id]);
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    let before: Vec<String> =
        lines.by_ref().map(Result::unwrap).take_while(|line| !line.contains("run.waiting")).collect();
    assert!(before.iter().any(|line| line.contains("approval.requested")), "{before:?}");
    server.run_as(&server.key("approver"), &["approvals", "approve", &approval]).exits(0);
    let after: Vec<String> = lines.map(Result::unwrap).collect();
    assert!(after[0].contains("approval.decided") && after[1].contains("run.resumed"), "{after:?}");
    assert!(after.last().unwrap().contains("run.completed"), "{after:?}");
    assert_eq!(watching.wait().unwrap().code(), Some(0));
}

#[test]
fn a_cancelled_run_has_ended() {
    let server = Server::start();
    let words =
        ["runs", "create", "--egress", "https://example.com/", "--action", "external.write", "--wait-for-approval"];
    let id = made(&server.run(&words).exits(0));
    server.run(&["runs", "watch", &id, "--no-wait"]).exits(4);
    server.run(&["runs", "cancel", &id, "--reason", "not today"]).exits(0);
    let watched = server.run(&["runs", "watch", &id]).exits(1);
    assert!(watched.stdout.contains("run.cancelled") && watched.stdout.contains("not today"), "{watched:?}");
    let twice = server.run(&["runs", "cancel", &id]).exits(7);
    assert!(twice.stderr.contains("exeat runs get"), "{twice:?}");
}

#[test]
fn a_queued_run_says_that_no_worker_took_it() {
    let server = Server::start_with(&[("RUN_WORKER_EMBEDDED", "false")]);
    let id = made(&server.run(&["runs", "create"]).exits(0));
    server.run(&["runs", "retry", &id]).exits(7);
    let mut watching = server.spawn(&["runs", "watch", &id]);
    let mut talk = BufReader::new(watching.stderr.take().unwrap()).lines();
    let said = talk.next().unwrap().unwrap();
    assert!(said.contains("exeat worker"), "{said}");
    server.run(&["runs", "cancel", &id]).exits(0);
    let mut drawn = String::new();
    watching.stdout.take().unwrap().read_to_string(&mut drawn).unwrap();
    assert!(drawn.contains("run.cancelled"), "{drawn}");
    assert_eq!(watching.wait().unwrap().code(), Some(1));
}

#[test]
fn an_input_comes_from_a_file_or_standard_input() {
    let server = Server::start_with(&[("RUN_WORKER_EMBEDDED", "false")]);
    let input = json!({ "order": 7, "runtime": { "timeout_s": 5 } });
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), input.to_string()).unwrap();
    let at_file = format!("@{}", file.path().display());
    let flags = ["--as", "p1", "--capability", "t1", "--zone", "sandbox", "--timeout-s", "5"];
    let id = made(&server.run(&[&["runs", "create", "--input", &at_file][..], &flags[..]].concat()).exits(0));
    let policy = json!({ "principal_id": "p1", "capability_token_id": "t1", "zone": "sandbox" });
    let expected = json!({ "order": 7, "runtime": { "timeout_s": 5, "policy": policy } });
    assert_eq!(run_json(&server, &id)["run"]["input"], expected);

    let mut creating = server.spawn(&["runs", "create", "--input", "-", "--json"]);
    creating.stdin.take().unwrap().write_all(input.to_string().as_bytes()).unwrap();
    let done = creating.wait_with_output().unwrap();
    let id = serde_json::from_slice::<Value>(&done.stdout).unwrap()["run_id"].as_str().unwrap().to_owned();
    assert_eq!(run_json(&server, &id)["run"]["input"], input);
}

#[test]
fn bad_input_is_usage_and_makes_nothing() {
    let server = Server::start();
    let cases: [(&[&str], &str); 9] = [
        (&["--input", "{x"], "not JSON"),
        (&["--input", r#"{"a":1,"a":2}"#], "twice"),
        (&["--input", "@/no/such/file"], "/no/such/file"),
        (
            &["--egress", "https://a.test", "--input", r#"{"runtime":{"egress":{"target_url":"https://b.test"}}}"#],
            "contradict",
        ),
        (
            &["--egress", "https://a.test", "--input", r#"{"runtime":{"steps":[{"tool":"runtime.noop"}]}}"#],
            "runtime.steps",
        ),
        (&["--zone", "sandbox", "--input", "[1]"], "no object"),
        (&["--action", "external.write"], "--egress"),
        (&["--zone", "moon"], "sandbox"),
        (&["--timeout-s", "0"], "above 0"),
    ];
    for (words, text) in cases {
        let ran = server.run(&[&["runs", "create"], words].concat()).exits(2);
        assert!(ran.stdout.is_empty() && ran.stderr.contains(text), "{words:?}: {ran:?}");
    }
    // The server's own refusals are usage, too.
    server.run(&["runs", "create", "--title", &"x".repeat(301)]).exits(2);
    let listed = server.run(&["runs", "list", "--json"]).exits(0).json();
    assert_eq!(listed["runs"], json!([]));
}

#[test]
fn unknown_ids_missing_keys_and_absent_servers_have_their_codes() {
    let server = Server::start();
    let id = "run_01ARZ3NDEKTSV4RRFFQ69G5FAV";
    for words in [["get", id], ["watch", id], ["cancel", id], ["retry", id], ["get", "nonsense"]] {
        let ran = server.run(&[&["runs"], &words[..]].concat()).exits(6);
        assert!(ran.stderr.contains("exeat runs list"), "{ran:?}");
    }
    server.run(&["runs", "create", "--room", "room_none"]).exits(6);
    let gone = [("EXEAT_URL", "http://127.0.0.1:9"), ("EXEAT_KEY", "exk_x")];
    for words in [&["list"][..], &["create"], &["get", id], &["watch", id], &["cancel", id], &["retry", id]] {
        let words = [&["runs"], words].concat();
        server.run_without_key(&words).exits(5);
        exeat_with(&gone, &words).exits(8);
    }
    // An auditor may look and not touch.
    let auditor = server.key("auditor");
    server.run_as(&auditor, &["runs", "list"]).exits(0);
    server.run_as(&auditor, &["runs", "create"]).exits(5);
}

/// The JSON blocks of the guide: each is the input of a run.
fn inputs_of_the_guide() -> Vec<String> {
    let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/guide/runs.md");
    let text = std::fs::read_to_string(guide).unwrap();
    text.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

#[test]
fn the_examples_of_the_guide_work() {
    let server = Server::start();
    let inputs = inputs_of_the_guide();
    assert_eq!(inputs.len(), 4);
    for input in inputs {
        let id = made(&server.run(&["runs", "create", "--input", &input]).exits(0));
        let waits = input.contains("on_approval");
        // What is really to be sent needs an approval first, and here nobody waits for one.
        let sends = input.contains("\"http\"");
        server.run(&["runs", "watch", &id, "--no-wait"]).exits(if waits { 4 } else { i32::from(sends) });
        let run = run_json(&server, &id);
        let calls = run["tool_calls"].as_array().unwrap();
        let failed = calls.iter().filter(|call| call["status"] == "failed").count();
        assert_eq!(failed, input.matches("external.write").count() + usize::from(sends), "{run}");
    }
}
