//! The tools of runs: by the worker that drives them, and by the route that carries out a call.
//!
//! What a tool that failed for what it tried had said is not told to anybody, on purpose. So a program in C also writes
//! its verdict to the folder it was given, where there is one; for the others the code of the failure stands.

use std::cell::RefCell;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::exeat::{Process, Setup};
use testkit::http::Client;

use super::{Access, Cell, Rung, Runner, binary};
use crate::ground::{As, Ground, nobody};
use crate::outcome::{Outcome, Told, Verdict};
use crate::sentinel::Scene;

/// Who starts the tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    Worker,
    Route,
}

/// A server of the scene's user, held on one rung.
pub struct Server {
    by: By,
    rung: Rung,
    desk: Desk,
    /// Where a program in C writes its verdict.
    verdict: PathBuf,
    process: Option<Process>,
    /// How it was started, and can be again.
    setup: Setup,
    key: String,
    /// All that it keeps.
    pub folder: PathBuf,
}

/// A server is ready, and a tool has ended, within this time.
const PATIENCE: Duration = Duration::from_secs(90);

impl Server {
    pub fn start(ground: &Ground, scene: &Scene, by: By, rung: Rung) -> Self {
        Self::start_in(ground, scene, by, rung, "server")
    }

    /// As [`Server::start`], with a folder of this name for all that it keeps.
    pub fn start_in(ground: &Ground, scene: &Scene, by: By, rung: Rung, name: &str) -> Self {
        let folder = ground.make_for(&format!("{name}-{:?}-{by:?}-{rung:?}", scene.who), scene.who);
        let tools = folder.join("tools.toml");
        fs::write(&tools, tools_of(&scene.workspace, &scene.probes)).unwrap();
        let text = |path: PathBuf| path.to_str().unwrap().to_owned();
        let url = format!("sqlite:{}", folder.join("exeat.db").display());
        let setup = Setup::with_binary(program(ground, scene, rung), &url)
            .unwrap()
            .env("HOME", scene.home.to_str().unwrap())
            .env("EXEAT_HMAC_KEY_FILE", &text(folder.join("hmac.key")))
            .env("EXEAT_TOOLS_FILE", &text(tools))
            .env("EXEAT_WORK_DIR", &text(folder.join("runs")))
            .env("RUN_WORKER_EMBEDDED", if by == By::Worker { "true" } else { "false" })
            .env("RUN_WORKER_POLL_MS", "50")
            // Nobody is here to approve anything: what is held would be refused in the end.
            .env("EXEAT_EGRESS_HOLD_SECONDS", "0");
        let key = setup.key("owner", Some("ws_test")).unwrap();
        let process = scene.give_away(|| setup.start().unwrap());
        let (desk, verdict) = (Desk::new(&process, &key), scene.workspace.join("verdict"));
        Self { by, rung, desk, verdict, process: Some(process), setup, key, folder }
    }

    /// Ends it, and starts it again on the same store, with another environment.
    pub fn restart(&mut self, environment: &[(&str, &str)]) {
        assert!(self.process.take().unwrap().sigterm().unwrap().success(), "the server ends well");
        for (name, value) in environment {
            self.setup.set(name, value);
        }
        self.process = Some(self.setup.start().unwrap());
        self.desk = self.another();
    }

    /// Another client of the same owner.
    pub fn another(&self) -> Desk {
        Desk::new(self.process(), &self.key)
    }

    pub fn process(&self) -> &Process {
        self.process.as_ref().unwrap()
    }
}

/// A client that has tools run.
pub struct Desk(RefCell<Client>);

impl Desk {
    fn new(process: &Process, key: &str) -> Self {
        Self(RefCell::new(process.client().bearer(key).timeout(PATIENCE)))
    }

    pub fn get(&self, path: &str) -> Value {
        self.0.borrow_mut().get(path).unwrap().expect(200).unwrap()
    }

    fn post(&self, path: &str, body: &Value, status: u16) -> Value {
        self.0.borrow_mut().post(path, body).unwrap().expect(status).unwrap()
    }

    /// Runs a tool by the worker; the call as it is recorded.
    fn worked(&self, tool: &str, input: &Value) -> Value {
        let runtime =
            if tool == "process.exec" { json!({"process": input}) } else { json!({"tool": tool, "input": input}) };
        let made = self.post("/v1/runs", &json!({"input": {"runtime": runtime}}), 201);
        let run = made["run_id"].as_str().or(made["run"]["run_id"].as_str()).unwrap().to_owned();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let calls = self.get(&format!("/v1/toolcalls?run_id={run}"));
            let call = calls.as_object().and_then(|members| members.values().find_map(|list| list.as_array()?.first()));
            if let Some(call) = call.filter(|call| matches!(call["status"].as_str(), Some("succeeded" | "failed"))) {
                return call.clone();
            }
            assert!(Instant::now() < deadline, "the worker does not run {tool}: {calls}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Runs a tool by the route; the call as it is recorded.
    pub fn routed(&self, tool: &str, input: &Value) -> Value {
        let id = |value: Value, name: &str| value[name].as_str().unwrap_or_else(|| panic!("{value}")).to_owned();
        let made = self.post("/v1/runs", &json!({"input": {}}), 201);
        let run = made["run_id"].as_str().or(made["run"]["run_id"].as_str()).unwrap().to_owned();
        self.post(&format!("/v1/runs/{run}/start"), &json!({}), 200);
        let step = id(self.post(&format!("/v1/runs/{run}/steps"), &json!({"kind": "tool"}), 201), "step_id");
        let body = json!({"tool_name": tool, "input": input});
        let call = id(self.post(&format!("/v1/steps/{step}/toolcalls"), &body, 201), "tool_call_id");
        let answer = self.0.borrow_mut().post(&format!("/v1/toolcalls/{call}/execute"), &json!({})).unwrap();
        let blocked = answer.json().is_ok_and(|body| body["error"] == "network_egress_blocked");
        assert!(answer.status == 200 || answer.status == 400 && blocked, "{}: {}", answer.status, answer.text());
        self.get(&format!("/v1/toolcalls/{call}"))["tool_call"].clone()
    }

    /// The data of the event that a call failed with.
    pub fn evidence(&self, call: &Value) -> Option<Value> {
        let event = self.get(&format!("/v1/events/{}", call["error"]["event_id"].as_str()?));
        let event = if event["event"].is_object() { &event["event"] } else { &event };
        assert_eq!(event["event_type"], "security.egress_violation");
        Some(event["data"].clone())
    }
}

impl Runner for Server {
    fn name(&self) -> &'static str {
        match self.by {
            By::Worker => "worker",
            By::Route => "route",
        }
    }

    fn api_port(&self) -> Option<u16> {
        Some(self.process().address().port())
    }

    fn run(&self, cell: Cell<'_>) -> Outcome {
        let Cell { program, rung, access, .. } = cell;
        assert_eq!(rung, self.rung, "a server holds on one rung");
        let _ = fs::remove_file(&self.verdict);
        let mut words = self.words(cell);
        if access == Access::Write {
            words.push(format!("VERDICT={}", self.verdict.display()));
        }
        let (tool, input) = match access {
            Access::Own => ("process.exec", json!({ "argv": words })),
            Access::Read => ("probe.read", json!({ "arguments": words })),
            Access::Write => ("probe.write", json!({ "arguments": words })),
        };
        let call = match self.by {
            By::Worker => self.desk.worked(tool, &input),
            By::Route => self.desk.routed(tool, &input),
        };
        let error = &call["error"];
        let tainted = error["code"] == "network_egress_blocked";
        let output = if error["process"].is_object() { &error["process"] } else { &call["output"] };
        let evidence = self.desk.evidence(&call);
        let told = Told {
            attempts: evidence.and_then(|data| data["summary"]["attempts"].as_array().cloned()).unwrap_or_default(),
            refused: error["egress_request_ids"].as_array().map_or(0, |ids| u64::try_from(ids.len()).unwrap()),
            notices: 0,
            tainted,
            whole: false,
            report: call.clone(),
        };
        let written = fs::read_to_string(&self.verdict).unwrap_or_default();
        let outcome = if tainted && written.is_empty() {
            Outcome { verdict: Verdict::Blocked, said: "the call failed".into(), exit: 0, told: None }
        } else if tainted {
            Outcome::read(&program.name, &written, 0, "")
        } else {
            let said = output["stdout"].as_str().unwrap_or_else(|| panic!("{}: {call}", program.name));
            assert_eq!(output["rung"], rung.name(), "{}: {call}", program.name);
            let exit = i32::try_from(output["exit_code"].as_i64().unwrap()).unwrap();
            Outcome::read(&program.name, said, exit, output["stderr"].as_str().unwrap_or_default())
        };
        Outcome { told: Some(told), ..outcome }
    }
}

/// The binary as the scene's user runs it. Where no user namespace is to be had, a server holds its tools on rung B.
fn program(ground: &Ground, scene: &Scene, rung: Rung) -> PathBuf {
    let become_nobody = match scene.who {
        As::Root => String::new(),
        As::Nobody => format!("setpriv --reuid {0} --regid {0} --clear-groups -- ", nobody()),
    };
    let binary = binary(ground);
    let start = match rung {
        Rung::A => format!("exec {become_nobody}{} \"$@\"\n", binary.display()),
        Rung::B => format!(
            "exec {become_nobody}unshare --user --map-root-user -- sh -c \
             'echo 0 >/proc/sys/user/max_user_namespaces && exec {} \"$@\"' exeat \"$@\"\n",
            binary.display()
        ),
    };
    let script = ground.path(&format!("exeat-{:?}-{rung:?}", scene.who));
    fs::write(&script, format!("#!/bin/sh\ncd '{}' || exit 9\n{start}", scene.home.display())).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    script
}

/// The operator's tools: any program, with the scene's folder to read or to write.
fn tools_of(workspace: &Path, probes: &Path) -> String {
    let (workspace, probes) = (workspace.display(), probes.display());
    let common = "argv = [\"/usr/bin/env\"]\narguments = \"append\"\ntimeout = \"60s\"";
    format!(
        "[tools.\"probe.write\"]\n{common}\nwritable = [\"{workspace}\"]\nread_only = [\"{probes}\"]\n\
         [tools.\"probe.read\"]\n{common}\nread_only = [\"{workspace}\", \"{probes}\"]\n"
    )
}
