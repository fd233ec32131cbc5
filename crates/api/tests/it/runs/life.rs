//! The life of a run, from the queue to its end.

use std::time::Duration;

use model::Role;
use serde_json::{Value, json};

use super::{claimed, events, get, id, post, queued, refusal, started, step, tool_call};
use crate::app::App;

#[test]
fn an_external_worker_drives_a_run() {
    let app = App::start();
    let (mut gateway, mut worker) = (app.client(Role::Gateway), app.client(Role::Worker));
    let room = id(&post(&mut gateway, "/v1/rooms", &json!({ "title": "t" }), 201), "room_id");
    let asked = json!({ "room_id": room, "title": "t", "goal": "g", "input": [1, "two"], "tags": ["a", "b"] });
    let made = post(&mut gateway, "/v1/runs", &asked, 201);
    assert_eq!(made["status"], "queued");
    let run = id(&made, "run_id");
    let path = format!("/v1/runs/{run}");

    let taken = post(&mut worker, "/v1/runs/claim", &json!({ "room_id": room, "lease_seconds": 60 }), 200);
    assert_eq!((&taken["claimed"], &taken["runs"].as_array().unwrap().len()), (&json!(true), &1));
    assert_eq!(taken["run"], taken["runs"][0]);
    let token = id(&taken["run"], "claim_token");
    // What a claim shows is the run, and what only its worker may know.
    let mut shown = taken["run"].clone();
    let expires = shown.as_object_mut().unwrap().remove("lease_expires_at").unwrap();
    shown.as_object_mut().unwrap().remove("claim_token").unwrap();
    let read = get(&mut worker, &path);
    assert_eq!(read, json!({ "run": shown }));
    assert_eq!((&shown["status"], &shown["attempt_no"]), (&json!("running"), &json!(1)));
    assert_eq!((&shown["input"], &shown["tags"]), (&asked["input"], &asked["tags"]));
    let nothing = post(&mut worker, "/v1/runs/claim", &json!({}), 200);
    assert_eq!(nothing, json!({ "claimed": false, "run": null, "runs": [] }));

    let step = step(&mut worker, &run, Some(&token));
    let call = tool_call(&mut worker, &step, Some(&token));
    let steps = get(&mut worker, &format!("{path}/steps"));
    assert_eq!(steps["steps"][0]["status"], "running", "{steps}");
    let kept = post(&mut worker, &format!("{path}/lease/heartbeat"), &json!({ "claim_token": token }), 200);
    assert_eq!(kept["ok"], true);
    assert!(kept["lease_expires_at"].as_str() >= expires.as_str(), "{kept}");
    let output = json!({ "claim_token": token, "output": ["any", { "value": null }] });
    let ended = post(&mut worker, &format!("/v1/toolcalls/{call}/succeed"), &output, 200);
    assert_eq!(ended["tool_call"]["output"], output["output"]);
    assert_eq!(ended, get(&mut worker, &format!("/v1/toolcalls/{call}")));
    let output = json!({ "claim_token": token, "summary": "done", "output": 7 });
    let done = post(&mut worker, &format!("{path}/complete"), &output, 200);
    assert_eq!((&done["run"]["status"], &done["run"]["output"]), (&json!("succeeded"), &json!(7)));
    assert_eq!(done, get(&mut worker, &path));

    let attempts = get(&mut worker, &format!("{path}/attempts"));
    assert_eq!(attempts["next_cursor"], Value::Null);
    let [attempt] = attempts["attempts"].as_array().unwrap().as_slice() else { panic!("{attempts}") };
    assert_eq!((&attempt["attempt_no"], &attempt["release_reason"]), (&json!(1), &json!("completed")));
    assert!(attempt.get("claim_token").is_none() && !attempts.to_string().contains(&token), "{attempts}");
    assert_eq!(
        events(&app, &run),
        ["run.created", "run.started", "step.created", "tool.invoked", "tool.succeeded", "run.completed"]
    );
    assert!(app.log_is_whole());
}

#[test]
fn a_run_without_a_lease_is_driven_by_whoever_started_it() {
    let app = App::start();
    let mut client = app.client(Role::Operator);
    let run = started(&mut client);
    assert_eq!(post(&mut client, "/v1/runs/claim", &json!({}), 200)["claimed"], false);
    let step = step(&mut client, &run, None);
    let call = tool_call(&mut client, &step, None);
    let said = json!({ "message": "no", "error": { "code": "x" } });
    let failed = post(&mut client, &format!("/v1/toolcalls/{call}/fail"), &said, 200);
    assert_eq!((&failed["tool_call"]["status"], &failed["tool_call"]["error"]), (&json!("failed"), &said["error"]));
    let ended = post(&mut client, &format!("/v1/runs/{run}/fail"), &said, 200);
    assert_eq!((&ended["run"]["status"], &ended["run"]["message"]), (&json!("failed"), &json!("no")));
    assert_eq!(get(&mut client, &format!("/v1/runs/{run}/attempts"))["attempts"], json!([]));
}

#[test]
fn a_run_that_is_given_back_goes_to_the_next() {
    let app = App::start();
    let mut worker = app.client(Role::Worker);
    let (run, first) = claimed(&mut worker);
    let path = format!("/v1/runs/{run}");
    let call = step(&mut worker, &run, Some(&first));
    let call = tool_call(&mut worker, &call, Some(&first));
    let back = post(&mut worker, &format!("{path}/lease/release"), &json!({ "claim_token": first }), 200);
    assert_eq!(back["run"]["status"], "queued");
    // Nothing is left running behind a worker that is gone.
    assert_eq!(get(&mut worker, &format!("/v1/toolcalls/{call}"))["tool_call"]["status"], "failed");
    let mut other = app.client(Role::Worker);
    let second = post(&mut other, "/v1/runs/claim", &json!({}), 200);
    assert_eq!((&second["run"]["run_id"], &second["run"]["attempt_no"]), (&json!(run), &json!(2)));
    let second = id(&second["run"], "claim_token");
    assert_ne!(first, second);
    let complete = format!("{path}/complete");
    let late = worker.post(&complete, &json!({ "claim_token": first })).unwrap();
    assert_eq!(refusal(&late), (409, "lease_token_mismatch".to_owned()));
    post(&mut other, &complete, &json!({ "claim_token": second }), 200);
    let attempts = get(&mut other, &format!("{path}/attempts"));
    let reasons: Vec<&Value> = attempts["attempts"].as_array().unwrap().iter().map(|a| &a["release_reason"]).collect();
    assert_eq!(reasons, ["released", "completed"]);
}

#[test]
fn a_worker_that_is_too_late_has_lost_its_run() {
    let app = App::start();
    let mut worker = app.client(Role::Worker);
    let run = queued(&mut worker);
    let taken = post(&mut worker, "/v1/runs/claim", &json!({ "lease_seconds": 1 }), 200);
    let shown = json!({ "claim_token": taken["run"]["claim_token"], "kind": "k" });
    let mut send = |what: &str| worker.post(&format!("/v1/runs/{run}/{what}"), &shown).unwrap();
    assert_eq!(send("steps").status, 201);
    std::thread::sleep(Duration::from_millis(1_100));
    for what in ["lease/heartbeat", "lease/release", "steps", "complete", "fail"] {
        assert_eq!(refusal(&send(what)), (409, "lease_expired".to_owned()), "{what}");
    }
    let again = post(&mut worker, "/v1/runs/claim", &json!({}), 200);
    assert_eq!((&again["run"]["run_id"], &again["run"]["attempt_no"]), (&json!(run), &json!(2)));
}

#[test]
fn of_two_ends_exactly_one_wins() {
    let app = App::start();
    let mut client = app.client(Role::Operator);
    let key = app.secret(Role::Operator);
    for _ in 0..10 {
        let run = started(&mut client);
        let step = step(&mut client, &run, None);
        let call = tool_call(&mut client, &step, None);
        for (path, code) in [
            (format!("/v1/toolcalls/{call}"), "tool_call_not_running"),
            (format!("/v1/runs/{run}"), "run_already_ended"),
        ] {
            let well = if path.contains("runs") { "complete" } else { "succeed" };
            let ends: Vec<_> = [well, "fail"]
                .map(|how| {
                    let (path, mut client) = (format!("{path}/{how}"), app.stranger().bearer(&key));
                    std::thread::spawn(move || client.post(&path, &json!({})).unwrap())
                })
                .into_iter()
                .map(|end| end.join().unwrap())
                .collect();
            let (won, lost): (Vec<_>, Vec<_>) = ends.iter().partition(|answer| answer.status == 200);
            assert_eq!(won.len(), 1, "{path}");
            assert_eq!(refusal(lost[0]), (409, code.to_owned()), "{path}");
        }
        let ends = events(&app, &run);
        let ends =
            ends.iter().filter(|kind| ["succeeded", "completed", "failed"].iter().any(|end| kind.ends_with(end)));
        assert_eq!(ends.count(), 2, "{run}");
    }
    assert!(app.log_is_whole());
}

#[test]
fn a_run_that_is_called_off_is_over_for_its_worker_too() {
    let app = App::start();
    let (mut operator, mut worker) = (app.client(Role::Operator), app.client(Role::Worker));
    let (run, token) = claimed(&mut worker);
    let step = step(&mut worker, &run, Some(&token));
    let call = tool_call(&mut worker, &step, Some(&token));
    let path = format!("/v1/runs/{run}");
    // Nobody who calls a run off knows the token of its worker.
    let off = post(&mut operator, &format!("{path}/cancel"), &json!({ "reason": "enough" }), 200);
    assert_eq!(off["run"]["status"], "cancelled");
    let shown = json!({ "claim_token": token, "kind": "k", "tool_name": "t" });
    for (what, code) in [
        (format!("{path}/lease/heartbeat"), "run_not_running"),
        (format!("{path}/lease/release"), "run_not_running"),
        (format!("{path}/steps"), "run_not_running"),
        (format!("/v1/steps/{step}/toolcalls"), "run_not_running"),
        (format!("/v1/toolcalls/{call}/succeed"), "tool_call_not_running"),
        (format!("{path}/complete"), "run_already_ended"),
        (format!("{path}/fail"), "run_already_ended"),
        (format!("{path}/cancel"), "run_already_ended"),
        (format!("{path}/start"), "run_not_queued"),
    ] {
        assert_eq!(refusal(&worker.post(&what, &shown).unwrap()), (409, code.to_owned()), "{what}");
    }
    // A queued run is called off as well, and then nobody can take it.
    let waiting = queued(&mut operator);
    post(&mut operator, &format!("/v1/runs/{waiting}/cancel"), &json!({}), 200);
    assert_eq!(post(&mut worker, "/v1/runs/claim", &json!({}), 200)["claimed"], false);
}
