//! Tool calls that the server carries out: by a guard that only says so, to see what is answered and recorded.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use confine::{Call, ConfineError, Ended, Evidence, Exit, Finding, GuardState, Held, Rulings, Rung};
use futures::future::BoxFuture;
use guard::Layer;
use model::{EventId, Role, Time, ToolCallId, WorkspaceId};
use runs::{Confined, ProcessConfig, Processes};
use serde_json::{Value, json};
use store::rows::ToolExecutionRow;
use store::{Command, Reads, Tx};
use testkit::http::Client;
use tokio_util::sync::CancellationToken;

use super::{claimed, events, get, id, post, refusal, started, step};
use crate::app::{App, WORKSPACE};

/// Answers by the first word of the command.
#[derive(Clone, Default)]
struct Guarded {
    ran: Arc<Mutex<Vec<String>>>,
    broken: Arc<AtomicBool>,
}

impl Confined for Guarded {
    fn run(&self, call: Call, stop: CancellationToken) -> BoxFuture<'_, Result<Ended, ConfineError>> {
        Box::pin(async move {
            let word = String::from_utf8(call.command.argv[0].clone()).unwrap();
            let place = call.place.run_id.is_some() && call.place.step_id.is_some();
            self.ran.lock().unwrap().push(format!("{word} {place} {}", call.caller.principal_id.as_str().len()));
            let ended = |exit| Ended {
                exit,
                evidence: None,
                notices: 0,
                noticed: Vec::new(),
                rulings: Rulings::default(),
                rung: Rung::B,
                duration: Duration::from_millis(1),
            };
            let (event_id, digest) = (EventId::new(), "d".repeat(64));
            let evidence = Evidence { event_id, attempts: Vec::new(), overflow: false, digest };
            match word.as_str() {
                "ok" => Ok(ended(Exit::Code(0))),
                "three" => Ok(ended(Exit::Code(3))),
                "sly" => Ok(Ended { evidence: Some(evidence), ..ended(Exit::Code(0)) }),
                "unheard" => Err(ConfineError::EventLog),
                _ => {
                    stop.cancelled().await;
                    Ok(ended(Exit::Killed))
                }
            }
        })
    }

    fn self_test(&self) -> BoxFuture<'_, Arc<GuardState>> {
        Box::pin(async { Confined::state(self) })
    }

    fn state(&self) -> Arc<GuardState> {
        let live = !self.broken.load(Ordering::Acquire);
        let state = if live { Held::Live } else { Held::Broken };
        let finding =
            Finding { rung: Rung::B, layer: Layer::Landlock, state, reason: Some("/a/path".to_owned()), fix: None };
        let rungs = if live { vec![Rung::B] } else { Vec::new() };
        Arc::new(GuardState { rungs, findings: vec![finding], allowlist: Vec::new(), digest: "x".to_owned() })
    }

    fn spawned(&self) -> u64 {
        self.ran.lock().unwrap().len() as u64
    }
}

fn app() -> (App, Guarded, tempfile::TempDir) {
    let (guarded, work) = (Guarded::default(), tempfile::tempdir().unwrap());
    let processes = Processes::new(guarded.clone(), ProcessConfig::new(work.path().to_owned()));
    (App::with_processes(processes), guarded, work)
}

/// A tool call that may be carried out.
fn allowed(client: &mut Client, step: &str, tool: &str, input: &Value, token: Option<&str>) -> String {
    let body = json!({ "tool_name": tool, "input": input, "claim_token": token });
    id(&post(client, &format!("/v1/steps/{step}/toolcalls"), &body, 201), "tool_call_id")
}

fn run_of(client: &mut Client, word: &str) -> (String, String) {
    let run = started(client);
    let step = step(client, &run, None);
    let call = allowed(client, &step, "process.exec", &json!({ "argv": [word] }), None);
    (run, call)
}

fn execute(call: &str) -> String {
    format!("/v1/toolcalls/{call}/execute")
}

#[test]
fn a_call_is_carried_out_once() {
    let (app, guarded, _work) = app();
    let mut worker = app.client(Role::Worker);
    let (run, call) = run_of(&mut worker, "ok");
    let answer = post(&mut worker, &execute(&call), &json!({}), 200);
    let tool_call = &answer["tool_call"];
    assert_eq!((&tool_call["status"], &tool_call["output"]["exit_code"]), (&json!("succeeded"), &json!(0)));
    assert_eq!(answer, get(&mut worker, &format!("/v1/toolcalls/{call}")));
    assert_eq!(refusal(&worker.post(&execute(&call), &json!({})).unwrap()), (409, "tool_call_not_running".to_owned()));
    let expected = ["run.created", "run.started", "step.created", "tool.invoked", "tool.executing", "tool.succeeded"];
    assert_eq!(events(&app, &run), expected);
    assert_eq!(*guarded.ran.lock().unwrap(), ["ok true 36"]);

    // A command that fails is a call that failed.
    let (_, call) = run_of(&mut worker, "three");
    let answer = post(&mut worker, &execute(&call), &json!({}), 200);
    assert_eq!(answer["tool_call"]["status"], "failed");
    assert_eq!(answer["tool_call"]["error"]["code"], "exit_nonzero");
    assert!(app.log_is_whole());
}

#[test]
fn what_tried_to_leave_is_told_by_code_and_ids_only() {
    let (app, _, _work) = app();
    let mut worker = app.client(Role::Worker);
    let (_, call) = run_of(&mut worker, "sly");
    let response = worker.post(&execute(&call), &json!({})).unwrap();
    assert_eq!(refusal(&response), (400, "network_egress_blocked".to_owned()));
    let body: Value = serde_json::from_slice(&response.body).unwrap();
    let members: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = ["detail", "error", "event_id", "request_id", "status", "title", "tool_call_id", "type"];
    assert_eq!(members, expected);
    let known = get(&mut worker, &format!("/v1/toolcalls/{call}"));
    assert_eq!(known["tool_call"]["status"], "failed");
    assert_eq!(known["tool_call"]["error"]["code"], "network_egress_blocked");
    // The command ended with 0: whoever drives the run cannot call it a success.
    let response = worker.post(&format!("/v1/toolcalls/{call}/succeed"), &json!({})).unwrap();
    assert_eq!(refusal(&response), (409, "tool_call_not_running".to_owned()));

    let (_, call) = run_of(&mut worker, "unheard");
    let response = worker.post(&execute(&call), &json!({})).unwrap();
    assert_eq!(refusal(&response), (500, "event_log_failure".to_owned()));
    assert_eq!(get(&mut worker, &format!("/v1/toolcalls/{call}"))["tool_call"]["status"], "failed");
}

#[test]
fn whoever_is_refused_has_nothing_started() {
    let (app, guarded, _work) = app();
    let mut worker = app.client(Role::Worker);
    let (_, call) = run_of(&mut worker, "ok");
    for role in [Role::Agent, Role::Approver, Role::Auditor] {
        let response = app.client(role).post(&execute(&call), &json!({})).unwrap();
        assert_eq!(refusal(&response), (403, "forbidden".to_owned()), "{role:?}");
    }
    let response = app.stranger().post(&execute(&call), &json!({})).unwrap();
    assert_eq!(refusal(&response), (401, "authentication_required".to_owned()));
    let response = worker.post(&execute("tc_unknown"), &json!({})).unwrap();
    assert_eq!(refusal(&response), (404, "tool_call_not_found".to_owned()));

    let (run, token) = claimed(&mut worker);
    let step = step(&mut worker, &run, Some(&token));
    let leased = allowed(&mut worker, &step, "process.exec", &json!({ "argv": ["ok"] }), Some(&token));
    let response = worker.post(&execute(&leased), &json!({})).unwrap();
    assert_eq!(refusal(&response), (409, "lease_token_mismatch".to_owned()));
    for (tool, input, status, code) in [
        ("http.request", json!({}), 409, "tool_not_executable"),
        ("git.status", json!({}), 409, "tool_not_executable"),
        ("process.exec", json!({ "argv": [] }), 400, "invalid_process"),
        ("process.exec", json!({ "argv": ["x"], "unconfined": true }), 400, "invalid_process"),
        ("process.exec", json!({ "argv": ["ghp_16C7e42F292c6912E7710c838347Ae178B4a"] }), 400, "input_redacted"),
    ] {
        let other = allowed(&mut worker, &step, tool, &input, Some(&token));
        let response = worker.post(&execute(&other), &json!({ "claim_token": token })).unwrap();
        assert_eq!(refusal(&response), (status, code.to_owned()), "{tool} {input}");
    }
    assert_eq!(guarded.spawned(), 0);
    // The control.
    post(&mut worker, &execute(&leased), &json!({ "claim_token": token }), 200);
    assert_eq!(guarded.spawned(), 1);
}

#[test]
fn without_isolation_the_call_can_be_carried_out_elsewhere() {
    let (app, guarded, _work) = app();
    guarded.broken.store(true, Ordering::Release);
    let mut worker = app.client(Role::Worker);
    let (_, call) = run_of(&mut worker, "ok");
    let response = worker.post(&execute(&call), &json!({})).unwrap();
    assert_eq!(refusal(&response), (503, "isolation_unavailable".to_owned()));
    assert!(!String::from_utf8_lossy(&response.body).contains("/a/path"), "why is the operator's to know");
    assert_eq!(get(&mut worker, &format!("/v1/toolcalls/{call}"))["tool_call"]["status"], "running");
    assert_eq!(guarded.spawned(), 0);
    let ready = app.stranger().get("/readyz").unwrap();
    let body: Value = serde_json::from_slice(&ready.body).unwrap();
    assert_eq!((ready.status, &body["guard"]["failing"]), (503, &json!(["B.landlock"])), "{body}");
    assert_eq!((&body["guard"]["allowlist"], &body["guard"]["spawned"]), (&json!([]), &json!(0)));
    assert!(!body.to_string().contains("/a/path"), "{body}");

    let plain = App::start();
    let mut other = plain.client(Role::Worker);
    let (_, call) = run_of(&mut other, "ok");
    let response = other.post(&execute(&call), &json!({})).unwrap();
    assert_eq!(refusal(&response), (503, "isolation_unavailable".to_owned()), "a server that starts no processes");
    assert!(get(&mut plain.stranger(), "/readyz").get("guard").is_none());
    assert_eq!(get(&mut plain.client(Role::Auditor), "/v1/guard")["guard"], Value::Null);
}

#[test]
fn the_guard_is_told_layer_by_layer() {
    let (app, _, _work) = app();
    let mut worker = app.client(Role::Worker);
    let (_, call) = run_of(&mut worker, "ok");
    post(&mut worker, &execute(&call), &json!({}), 200);
    let guard = get(&mut app.client(Role::Auditor), "/v1/guard")["guard"].clone();
    assert_eq!((&guard["ready"], &guard["rungs"], &guard["spawned"]), (&json!(true), &json!(["B"]), &json!(1)));
    assert_eq!(guard["layers"], json!([{ "rung": "B", "layer": "landlock", "state": "live", "reason": "/a/path" }]));
    assert_eq!(guard["allowlist"], json!([]));
    let ready = get(&mut app.stranger(), "/readyz");
    assert_eq!((&ready["ready"], &ready["guard"]["layers"]), (&json!(true), &json!(["B.landlock"])));
}

#[test]
fn of_two_who_carry_it_out_one_does_and_its_end_stops_it() {
    let (app, guarded, _work) = app();
    let mut worker = app.client(Role::Worker);
    let (_, call) = run_of(&mut worker, "forever");
    let path = execute(&call);
    let mut other = app.client(Role::Worker);
    let first = std::thread::spawn({
        let path = path.clone();
        move || refusal(&other.post(&path, &json!({})).unwrap())
    });
    while guarded.spawned() == 0 {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(refusal(&worker.post(&path, &json!({})).unwrap()), (409, "tool_call_executing".to_owned()));
    post(&mut worker, &format!("/v1/toolcalls/{call}/fail"), &json!({ "message": "enough" }), 200);
    assert_eq!(first.join().unwrap(), (409, "tool_call_not_running".to_owned()));
    assert_eq!(guarded.spawned(), 1);
}

/// What a server that died left behind.
struct Left(ToolExecutionRow);

impl Command for Left {
    type Output = ();
    type Refusal = gate::Refusal;

    fn reads(&self, reads: &mut Reads) {
        reads.row::<ToolExecutionRow>(&[self.0.tool_call_id.as_str()]);
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<(), gate::Refusal> {
        tx.put(self.0.clone());
        Ok(())
    }
}

#[test]
fn a_call_that_was_cut_off_is_not_carried_out_again_blindly() {
    let (app, guarded, _work) = app();
    let mut worker = app.client(Role::Worker);
    let run = started(&mut worker);
    let step = step(&mut worker, &run, None);
    let inputs = [json!({ "argv": ["ok"] }), json!({ "argv": ["ok"], "idempotent": true })];
    let calls = inputs.map(|input| allowed(&mut worker, &step, "process.exec", &input, None));
    for call in &calls {
        // As a server leaves it that died a while ago.
        let row = ToolExecutionRow {
            tool_call_id: ToolCallId::parse(call).unwrap(),
            workspace_id: WorkspaceId::parse(WORKSPACE).unwrap(),
            capability_token_id: None,
            ends_by: Some(Time::from_millis(1)),
            created_at: Time::from_millis(0),
        };
        app.block_on(app.store().submit(Left(row))).unwrap();
    }
    let response = worker.post(&execute(&calls[0]), &json!({})).unwrap();
    assert_eq!(refusal(&response), (409, "effect_uncertain".to_owned()));
    let failed = get(&mut worker, &format!("/v1/toolcalls/{}", calls[0]));
    assert_eq!(failed["tool_call"]["error"]["code"], "effect_uncertain");
    assert_eq!(guarded.spawned(), 0);
    post(&mut worker, &execute(&calls[1]), &json!({}), 200);
    assert_eq!(guarded.spawned(), 1);
}
