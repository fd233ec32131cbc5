//! `process.exec` and the operator's tools: asked for, run once, and never twice blindly; however it ends,
//! it ends with a code.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use confine::{ConfineError, Ended, Exit, Network, OnRefused, Rulings, Told};
use gate::policies::{Expect, FileInput, PublishInput};
use model::run::RunStatus;
use model::{ApprovalId, EgressRequestId, Outcome, Role};
use runs::{CancelRunInput, ProcessConfig, Processes, Runs, Toolbox, Worker, WorkerConfig};
use serde_json::{Value, json};

use crate::bed::{
    Bed, assert_at_rest, assert_sound, caller, decide, error, events, on_both, queued, row, types, workspace,
};
use crate::guarded::{Guarded, Says, ended, evidence};

fn worker(runs: &Runs, processes: Processes) -> Worker {
    Worker::new(runs.clone(), WorkerConfig::default()).with_processes(processes)
}

fn exec(process: &Value) -> Value {
    json!({"runtime": {"process": process}})
}

/// What the tool of a run gave that succeeded.
async fn output(runs: &Runs, run: &model::RunId) -> Value {
    let succeeded = events(runs, run).await.into_iter().find(|event| event.event_type == "tool.succeeded").unwrap();
    succeeded.data.to_value()["output"].clone()
}

async fn a_command_is_recorded_run_and_what_it_said_kept(bed: &Bed) {
    let runs = bed.runs().await;
    let (work, owner) = (tempfile::tempdir().unwrap(), caller(&runs, Role::Owner).await);
    let guarded = Guarded::new(|_| {
        let secret = "token ghp_16C7e42F292c6912E7710c838347Ae178B4a\n";
        Some(Says { stdout: secret.into(), stderr: b"\xffbad".to_vec(), outcome: Ok(ended(Exit::Code(0))) })
    });
    let input = json!({"argv": ["cat"], "stdin": "hello", "env": {"A": "1"}, "cwd": "sub", "timeout_ms": 5000});
    let run = queued(&runs, &owner, exec(&input)).await;
    assert_eq!(worker(&runs, guarded.processes(work.path())).once().await.unwrap().completed, 1);

    let [seen] = guarded.seen().try_into().unwrap();
    assert_eq!((seen.command.argv, seen.stdin), (vec![b"cat".to_vec()], b"hello".to_vec()));
    assert_eq!(seen.command.timeout, Some(Duration::from_secs(5)));
    assert_eq!((seen.network, seen.tool_name.as_str()), (Network::None, "process.exec"));
    let folder = work.path().canonicalize().unwrap().join("runs").join(run.as_str()).join("work");
    assert_eq!((seen.plan.view.writable, seen.command.cwd), (vec![folder.clone()], folder.join("sub")));
    assert_eq!(seen.input_hmac.len(), 64);
    let names: Vec<_> = seen.command.env.iter().map(|(name, _)| String::from_utf8_lossy(name).into_owned()).collect();
    assert_eq!(names, ["PATH", "HOME", "LANG", "TERM", "TZ", "A"], "nothing of this process gets in");

    let output = output(&runs, &run).await;
    assert_eq!((&output["ok"], &output["exit_code"], &output["rung"]), (&json!(true), &json!(0), &json!("A")));
    assert_eq!((&output["stdout"], &output["stderr"]), (&json!("token [redacted]\n"), &json!("\u{fffd}bad")));
    assert_eq!((&output["stdout_bytes"], &output["stdout_truncated"]), (&json!(47), &json!(false)));
    let events = events(&runs, &run).await;
    let kept = events.iter().find(|event| event.event_type == "tool.succeeded").unwrap();
    assert!(kept.contains_secrets && kept.redaction_level == "partial");
    let expected = ["run.created", "run.started", "step.created", "tool.invoked", "tool.succeeded", "run.completed"];
    assert_eq!(types(&runs, &run).await, expected);
    assert_eq!(guarded.tests(), 1);
    assert_at_rest(&runs).await;
    assert_sound(bed, &runs).await;
}

async fn every_end_has_a_code(bed: &Bed) {
    let runs = bed.runs().await;
    let (work, owner) = (tempfile::tempdir().unwrap(), caller(&runs, Role::Owner).await);
    let violated = |exit| Ended { evidence: Some(evidence()), ..ended(exit) };
    let failed = |outcome: fn() -> ConfineError| Says { outcome: Err(outcome()), ..Says::exit(Exit::Code(0)) };
    let guarded = Guarded::new(move |seen| {
        Some(match seen.command.argv[0].as_slice() {
            b"ok" => Says::exit(Exit::Code(0)),
            b"three" => Says::exit(Exit::Code(3)),
            b"signal" => Says::exit(Exit::Signal(9)),
            b"slow" => Says::exit(Exit::TimedOut),
            b"killed" => Says::exit(Exit::Killed),
            b"sly" => Says { outcome: Ok(violated(Exit::Code(0))), ..Says::exit(Exit::Code(0)) },
            b"crude" => Says { outcome: Ok(violated(Exit::Code(1))), ..Says::exit(Exit::Code(0)) },
            b"unheard" => failed(|| ConfineError::EventLog),
            b"odd" => failed(|| ConfineError::Plan("the folder is not there".to_owned())),
            _ => failed(|| ConfineError::Command {
                command: "none".to_owned(),
                error: std::io::ErrorKind::NotFound.into(),
            }),
        })
    });
    let processes = guarded.processes(work.path());
    for (program, code, exit) in [
        ("ok", None, Some(0)),
        ("three", Some("exit_nonzero"), Some(3)),
        ("signal", Some("exit_nonzero"), Some(137)),
        ("slow", Some("timeout"), Some(124)),
        ("killed", Some("killed"), Some(137)),
        ("sly", Some("network_egress_blocked"), None),
        ("crude", Some("network_egress_blocked"), None),
        ("unheard", Some("event_log_failure"), None),
        ("odd", Some("invalid_plan"), None),
        ("none", Some("command_not_executable"), None),
    ] {
        let run = queued(&runs, &owner, exec(&json!({"argv": [program]}))).await;
        let cycle = worker(&runs, processes.clone()).once().await.unwrap();
        let Some(code) = code else {
            assert_eq!((cycle.completed, &output(&runs, &run).await["stdout"]), (1, &json!("said")), "the control");
            continue;
        };
        assert_eq!(cycle.failed, 1, "{program}");
        let error = error(&runs, &run).await;
        assert_eq!((&error["code"], &error["stage"]), (&json!(code), &json!("process")), "{program}");
        assert_eq!(error["process"]["exit_code"], json!(exit), "{program}");
        if code == "network_egress_blocked" {
            let members: Vec<_> = error.as_object().unwrap().keys().cloned().collect();
            assert_eq!(members, ["code", "event_id", "source", "stage", "tool_name"], "ids only");
            let failed = events(&runs, &run).await.into_iter().find(|event| event.event_type == "tool.failed").unwrap();
            assert_eq!(failed.causation_id.unwrap().as_str(), error["event_id"], "it follows the evidence");
        }
    }
    assert_at_rest(&runs).await;
    assert_sound(bed, &runs).await;
}

async fn without_isolation_nothing_is_started(bed: &Bed) {
    let runs = bed.runs().await;
    let (work, owner) = (tempfile::tempdir().unwrap(), caller(&runs, Role::Owner).await);
    let guarded = Guarded::broken();
    let processes = guarded.processes(work.path());
    let inputs = [json!({"argv": ["true"]}), json!({"argv": ["true"], "network": {}})];
    for input in inputs {
        let run = queued(&runs, &owner, exec(&input)).await;
        assert_eq!(worker(&runs, processes.clone()).once().await.unwrap().failed, 1);
        let error = error(&runs, &run).await;
        assert_eq!((&error["code"], &error["layer"]), (&json!("isolation_unavailable"), &json!("seccomp")));
        assert_eq!(error["fix"], "allow seccomp");
    }
    assert_eq!((guarded.seen().len(), processes.spawned(), guarded.tests()), (0, 0, 1));
    // A worker that starts no processes says so.
    let run = queued(&runs, &owner, exec(&json!({"argv": ["true"]}))).await;
    assert_eq!(crate::bed::cycle(&runs).await.failed, 1);
    assert_eq!(error(&runs, &run).await["code"], "tool_unavailable");
    assert_at_rest(&runs).await;
}

async fn what_is_refused_or_misread_is_not_started(bed: &Bed) {
    let runs = bed.runs().await;
    let (work, owner) = (tempfile::tempdir().unwrap(), caller(&runs, Role::Owner).await);
    let guarded = Guarded::new(|_| Some(Says::exit(Exit::Code(0))));
    let processes = guarded.processes(work.path());
    let forbid = |text: &str| {
        let file = FileInput { name: "a.toml".to_owned(), text: text.to_owned() };
        PublishInput { files: Some(vec![file]), ..PublishInput::default() }
    };
    let rule = forbid("[[deny]]\nid = \"none\"\ntool = [\"process.exec\"]\n");
    runs.gate().publish_policies(&owner, rule, Expect::Any).await.unwrap();
    let run = queued(&runs, &owner, exec(&json!({"argv": ["true"]}))).await;
    assert_eq!(worker(&runs, processes.clone()).once().await.unwrap().failed, 1);
    assert_eq!(error(&runs, &run).await["stage"], "tool_policy");
    runs.gate().publish_policies(&owner, forbid(""), Expect::Any).await.unwrap();
    for (input, code) in [
        (exec(&json!({"argv": []})), "invalid_process"),
        (exec(&json!({"argv": ["true"], "unconfined": true})), "invalid_process"),
        (exec(&json!({"argv": ["x", "ghp_16C7e42F292c6912E7710c838347Ae178B4a"]})), "input_redacted"),
        (json!({"runtime": {"tool": "git.status"}}), "tool_unknown"),
        (json!({"runtime": {"tool": "process.exec"}}), "invalid_process"),
    ] {
        let run = queued(&runs, &owner, input.clone()).await;
        assert_eq!(worker(&runs, processes.clone()).once().await.unwrap().failed, 1);
        assert_eq!(error(&runs, &run).await["code"], code, "{input}");
    }
    assert!(guarded.seen().is_empty());
    // The control.
    queued(&runs, &owner, exec(&json!({"argv": ["true"]}))).await;
    assert_eq!(worker(&runs, processes).once().await.unwrap().completed, 1);
    assert_eq!(guarded.seen().len(), 1);
}

async fn the_operators_tools_run_as_they_are_written(bed: &Bed) {
    let runs = bed.runs().await;
    let (work, owner) = (tempfile::tempdir().unwrap(), caller(&runs, Role::Owner).await);
    let file = work.path().join("tools.toml");
    let text = "[tools.\"list.files\"]\nargv = [\"ls\"]\narguments = \"append\"\nenv = { B = \"2\" }\ntimeout = \"9s\"\n\
                memory = \"64MiB\"\nallow = [\"a.test\"]\nwritable = [\"/var/tmp\"]\n";
    std::fs::write(&file, text).unwrap();
    let guarded = Guarded::new(|_| Some(Says::exit(Exit::Code(0))));
    let tools = Toolbox::load(&file).unwrap();
    let masked = vec![work.path().join("secret")];
    let config = ProcessConfig { tools, masked: masked.clone(), ..ProcessConfig::new(work.path().join("runs")) };
    let processes = Processes::new(guarded.clone(), config);
    let one = json!({"tool": "list.files", "input": {"arguments": ["-l"]}});
    let steps = json!([{"tool": "list.files"}, {"tool": "process.exec", "input": {"argv": ["true"]}}]);
    for runtime in [one, json!({ "steps": steps })] {
        queued(&runs, &owner, json!({ "runtime": runtime })).await;
        assert_eq!(worker(&runs, processes.clone()).once().await.unwrap().completed, 1);
    }
    let seen = guarded.seen();
    let argv: Vec<Vec<String>> = seen
        .iter()
        .map(|seen| seen.command.argv.iter().map(|word| String::from_utf8(word.clone()).unwrap()).collect())
        .collect();
    assert_eq!(argv, [vec!["ls", "-l"], vec!["ls"], vec!["true"]]);
    let names: Vec<_> = seen.iter().map(|seen| seen.tool_name.as_str()).collect();
    assert_eq!(names, ["list.files", "list.files", "process.exec"]);
    let first = &seen[0];
    assert_eq!((first.command.timeout, first.plan.limits.memory_bytes), (Some(Duration::from_secs(9)), 64 << 20));
    assert_eq!(first.network, Network::Declared { on_refused: OnRefused::Continue });
    assert!(first.plan.view.writable.contains(&"/var/tmp".into()) && first.plan.view.masked == masked);
    assert!(first.command.env.contains(&(b"B".to_vec(), b"2".to_vec())));
    assert_eq!(seen[2].plan.view.writable.len(), 1, "what one tool may write is not another's");
    let work_of = |at: usize| seen[at].plan.view.writable[0].clone();
    assert!(work_of(1) == work_of(2) && work_of(0) != work_of(1), "a run has one folder");
}

async fn a_command_that_was_cut_off_is_not_run_again_blindly(bed: &Bed) {
    let runs = bed.runs().await;
    let (work, owner) = (tempfile::tempdir().unwrap(), caller(&runs, Role::Owner).await);
    let hanging = Guarded::new(|_| None);
    let inputs = [json!({"argv": ["once"]}), json!({"argv": ["again"], "idempotent": true})];
    let once = queued(&runs, &owner, exec(&inputs[0])).await;
    let again = queued(&runs, &owner, exec(&inputs[1])).await;
    let config = WorkerConfig { lease: Duration::from_secs(1), ..WorkerConfig::default() };
    let dying = Worker::new(runs.clone(), config).with_processes(hanging.processes(work.path()));
    let process = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    process.spawn(dying.once());
    while hanging.seen().len() < 2 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    process.shutdown_background();
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    let guarded = Guarded::new(|_| Some(Says::exit(Exit::Code(0))));
    let processes = guarded.processes(work.path());
    while row(&runs, &once).await.status != RunStatus::Failed || row(&runs, &again).await.status != RunStatus::Succeeded
    {
        worker(&runs, processes.clone()).once().await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(error(&runs, &once).await["code"], "effect_uncertain");
    let ran: Vec<_> = guarded.seen().into_iter().map(|seen| seen.command.argv).collect();
    assert_eq!(ran, [vec![b"again".to_vec()]]);
    assert_at_rest(&runs).await;
    assert_sound(bed, &runs).await;
}

async fn a_run_that_is_called_off_takes_its_command_along(bed: &Bed) {
    let runs = bed.runs().await;
    let (work, owner) = (tempfile::tempdir().unwrap(), caller(&runs, Role::Owner).await);
    let guarded = Guarded::new(|_| None);
    let run = queued(&runs, &owner, exec(&json!({"argv": ["sleep"]}))).await;
    let config = WorkerConfig { lease: Duration::from_millis(900), ..WorkerConfig::default() };
    let working = Worker::new(runs.clone(), config).with_processes(guarded.processes(work.path()));
    let working = tokio::spawn(working.once());
    while guarded.seen().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // The control: while it is the worker's, it goes on.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!((guarded.stopped(), row(&runs, &run).await.status), (0, RunStatus::Running));
    runs.cancel(&owner, run.as_str(), CancelRunInput::default()).await.unwrap();
    assert_eq!(working.await.unwrap().unwrap().skipped, 1);
    assert_eq!((guarded.stopped(), row(&runs, &run).await.status), (1, RunStatus::Cancelled));
    assert_sound(bed, &runs).await;
}

async fn what_may_be_repeated_waits_for_an_approval(bed: &Bed) {
    let runs = bed.runs().await;
    let (work, owner) = (tempfile::tempdir().unwrap(), caller(&runs, Role::Owner).await);
    let gateway = caller(&runs, Role::Gateway).await;
    let ask = async |run: Option<&model::RunId>| {
        let asked = gate::approvals::RequestApprovalInput {
            action: Some("external.read".to_owned()),
            run_id: run.map(ToString::to_string),
            ..gate::approvals::RequestApprovalInput::default()
        };
        runs.gate().request_approval(&gateway, asked, None).await.unwrap().value.approval_id
    };
    let asked = ask(None).await;
    let approval = Arc::new(Mutex::new(asked.clone()));
    let lacking = Arc::clone(&approval);
    let guarded = Guarded::new(move |_| {
        let told = Told {
            host: "a.test".to_owned(),
            port: 443,
            method: "CONNECT".to_owned(),
            decision: Some(Outcome::RequireApproval),
            reason_code: "external_read_requires_approval".to_owned(),
            egress_request_id: Some(EgressRequestId::new()),
            approval_id: Some(ApprovalId::clone(&lacking.lock().unwrap())),
            captured: false,
            count: 1,
        };
        let rulings = Rulings { asked: vec![told], ..Rulings::default() };
        Some(Says { outcome: Ok(Ended { rulings, ..ended(Exit::Code(56)) }), ..Says::exit(Exit::Code(0)) })
    });
    let processes = guarded.processes(work.path());
    let input = |idempotent: bool| {
        let process = json!({"argv": ["curl"], "network": {}, "idempotent": idempotent});
        json!({"runtime": {"process": process, "on_approval": "wait"}})
    };
    let run = queued(&runs, &owner, input(false)).await;
    assert_eq!(worker(&runs, processes.clone()).once().await.unwrap().failed, 1, "it may have done half of it");
    assert_eq!(error(&runs, &run).await["process"]["network"]["approval_ids"], json!([asked]));
    let run = queued(&runs, &owner, input(true)).await;
    let asked = ask(Some(&run)).await;
    approval.lock().unwrap().clone_from(&asked);
    assert_eq!(worker(&runs, processes.clone()).once().await.unwrap().waiting, 1);
    decide(&runs, asked.as_str(), "approve").await;
    let satisfied = Guarded::new(|_| Some(Says::exit(Exit::Code(0))));
    assert_eq!(worker(&runs, satisfied.processes(work.path())).once().await.unwrap().completed, 1);
    assert_eq!((satisfied.seen().len(), row(&runs, &run).await.status), (1, RunStatus::Succeeded));
}

async fn an_agents_command_asks_as_the_agent(bed: &Bed) {
    let runs = bed.runs().await;
    let (work, owner) = (tempfile::tempdir().unwrap(), caller(&runs, Role::Owner).await);
    let register = gate::agents::RegisterAgentInput { display_name: Some("a".to_owned()), ..Default::default() };
    let agent = runs.gate().register_agent(&owner, register, None).await.unwrap().value.principal_id;
    let guarded = Guarded::new(|_| Some(Says::exit(Exit::Code(0))));
    let policy = json!({"principal_id": agent});
    queued(&runs, &owner, json!({"runtime": {"process": {"argv": ["true"]}, "policy": policy}})).await;
    queued(&runs, &owner, exec(&json!({"argv": ["true"]}))).await;
    let processes = guarded.processes(work.path());
    worker(&runs, processes).once().await.unwrap();
    let who: Vec<_> = guarded.seen().into_iter().map(|seen| seen.principal_id).collect();
    assert_eq!(who.iter().filter(|id| **id == agent.as_str()).count(), 1, "{who:?}");
}

async fn the_folder_of_a_run_goes_after_its_end(bed: &Bed) {
    let runs = bed.runs().await;
    let (work, owner) = (tempfile::tempdir().unwrap(), caller(&runs, Role::Owner).await);
    let guarded = Guarded::new(|seen| (seen.command.argv[0] == b"true").then(|| Says::exit(Exit::Code(0))));
    let root = work.path().join("runs");
    let config = |kept_for| ProcessConfig { kept_for, ..ProcessConfig::new(root.clone()) };
    let keeping = Processes::new(guarded.clone(), config(Duration::from_secs(3_600)));
    let ended = queued(&runs, &owner, exec(&json!({"argv": ["true"]}))).await;
    worker(&runs, keeping.clone()).once().await.unwrap();
    let going_on = queued(&runs, &owner, exec(&json!({"argv": ["sleep"]}))).await;
    let working = tokio::spawn(worker(&runs, keeping.clone()).once());
    while guarded.seen().len() < 2 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    std::fs::create_dir(root.join("something else")).unwrap();
    let there = |run: &model::RunId| root.join(run.as_str()).exists();
    keeping.sweep(runs.gate().store()).await;
    assert!(there(&ended) && there(&going_on), "the control: it is kept for a while");
    let removing = Processes::new(guarded, config(Duration::ZERO));
    removing.sweep(runs.gate().store()).await;
    assert!(!there(&ended) && there(&going_on) && root.join("something else").exists());
    working.abort();
    let known = runs.gate().store().run(&workspace(), &going_on).await.unwrap();
    assert!(known.is_some());
}

mod tests {
    super::on_both!(
        a_command_is_recorded_run_and_what_it_said_kept,
        every_end_has_a_code,
        without_isolation_nothing_is_started,
        what_is_refused_or_misread_is_not_started,
        the_operators_tools_run_as_they_are_written,
        a_command_that_was_cut_off_is_not_run_again_blindly,
        a_run_that_is_called_off_takes_its_command_along,
        what_may_be_repeated_waits_for_an_approval,
        an_agents_command_asks_as_the_agent,
        the_folder_of_a_run_goes_after_its_end,
    );
}
