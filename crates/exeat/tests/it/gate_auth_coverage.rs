//! The authentication gate at the command line: every command there is, found in the live tree, and what a wrong or too
//! small key makes of it. Commands that work on the store itself or on this machine alone ask for no key.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use testkit::TempStore;
use testkit::exeat::{Process, Setup};

const WORKSPACE: &str = "ws_test";
/// Stands for an approval that there is.
const APPROVAL: &str = "APPROVAL";

/// What a guarded command leaves when it runs.
const TRACE: &str = "ran";

/// What a command speaks with.
enum Reach {
    /// The server: the words it is tried with, and a role that may not; none where every role may.
    Server(&'static [&'static str], Option<&'static str>),
    /// The store, whose file or password is the authority.
    Store,
    /// Nobody, or a server of its own.
    Itself,
}

use Reach::{Itself, Server, Store};

const READER: Option<&str> = Some("agent");
const WRITER: Option<&str> = Some("auditor");
const ANYBODY: Option<&str> = None;

/// Every command, written down by hand.
const COMMANDS: &[(&str, Reach)] = &[
    ("demo", Itself),
    ("dev", Itself),
    ("doctor", Itself),
    // Without a server it has a gate of its own.
    ("exec", Server(&["--", "/usr/bin/touch", TRACE], WRITER)),
    ("serve", Store),
    ("worker", Store),
    ("keys create", Store),
    ("keys list", Store),
    ("keys revoke", Store),
    ("db migrate", Store),
    ("db status", Store),
    ("db rebuild", Store),
    ("db backup", Store),
    ("events verify", Store),
    ("events head", Store),
    ("config show", Itself),
    ("completions", Itself),
    ("man", Itself),
    ("version", Itself),
    ("capabilities attenuate", Itself),
    ("policy fmt", Itself),
    ("policy schema", Itself),
    ("policy validate", Itself),
    ("check egress", Server(&["https://example.com/"], WRITER)),
    ("check action", Server(&["email.send"], WRITER)),
    ("check tool-call", Server(&["grep"], WRITER)),
    ("check data", Server(&["read", "doc", "1"], WRITER)),
    ("approvals list", Server(&[], READER)),
    ("approvals get", Server(&["appr_1"], ANYBODY)),
    ("approvals request", Server(&["external.write"], WRITER)),
    ("approvals approve", Server(&[APPROVAL], READER)),
    ("approvals deny", Server(&[APPROVAL], READER)),
    ("approvals hold", Server(&[APPROVAL], READER)),
    ("approvals revoke", Server(&[APPROVAL], READER)),
    ("why", Server(&["dec_1"], ANYBODY)),
    ("egress ask", Server(&["https://example.com/"], WRITER)),
    ("egress list", Server(&[], READER)),
    ("egress get", Server(&["egr_1"], ANYBODY)),
    ("egress stats", Server(&[], READER)),
    ("egress tail", Server(&[], READER)),
    ("proxy env", Server(&[], WRITER)),
    ("events list", Server(&[], READER)),
    ("events get", Server(&["e"], READER)),
    ("events tail", Server(&[], READER)),
    ("runs create", Server(&[], WRITER)),
    ("runs list", Server(&[], READER)),
    ("runs get", Server(&["run_1"], ANYBODY)),
    ("runs watch", Server(&["run_1"], ANYBODY)),
    ("runs retry", Server(&["run_1"], ANYBODY)),
    ("runs cancel", Server(&["run_1"], WRITER)),
    ("status", Server(&[], READER)),
    ("mode get", Server(&[], READER)),
    ("mode set", Server(&["enforce", "--reason", "r"], WRITER)),
    ("kill-switch status", Server(&[], READER)),
    ("kill-switch on", Server(&["--reason", "r"], WRITER)),
    ("kill-switch off", Server(&["--reason", "r"], WRITER)),
    ("settings get", Server(&[], READER)),
    ("settings set", Server(&["--egress-max-requests-per-hour", "1000"], WRITER)),
    ("policy show", Server(&[], READER)),
    ("policy versions", Server(&[], READER)),
    ("policy diff", Server(&["active", "rules.toml"], READER)),
    ("policy test", Server(&["active"], READER)),
    ("policy replay", Server(&["active"], READER)),
    ("policy publish", Server(&["rules.toml"], WRITER)),
    ("policy allow", Server(&["a.example"], WRITER)),
    ("policy ask", Server(&["b.example"], WRITER)),
    ("policy deny", Server(&["c.example"], WRITER)),
    ("policy candidate set", Server(&["rules.toml"], WRITER)),
    ("policy candidate clear", Server(&[], WRITER)),
    ("policy rollback", Server(&[], WRITER)),
    ("shadow report", Server(&[], READER)),
    ("shadow propose", Server(&[], READER)),
    ("shadow review", Server(&["wb_0123456789abcdef0123456789abcdef"], WRITER)),
    ("agents create", Server(&["a"], WRITER)),
    ("agents list", Server(&[], READER)),
    ("agents get", Server(&["a"], READER)),
    ("agents quarantine", Server(&["a"], WRITER)),
    ("agents unquarantine", Server(&["a"], WRITER)),
    ("agents revoke", Server(&["a"], WRITER)),
    ("principals create", Server(&["user"], WRITER)),
    ("principals ensure", Server(&["user", "u"], WRITER)),
    ("capabilities grant", Server(&["--to", "p", "--by", "p"], WRITER)),
    ("capabilities list", Server(&[], READER)),
    ("capabilities tree", Server(&[], READER)),
    ("capabilities revoke", Server(&["t"], WRITER)),
    ("rooms create", Server(&["t"], WRITER)),
    ("rooms list", Server(&[], READER)),
    ("labels set", Server(&["doc", "1", "restricted"], WRITER)),
    ("labels list", Server(&[], READER)),
    ("registry set", Server(&["email.send", "--reversible", "true"], WRITER)),
    ("registry list", Server(&[], READER)),
    ("reason-codes", Server(&[], ANYBODY)),
];

/// The commands without commands of their own.
fn leaves(command: &clap::Command, path: &str, found: &mut BTreeSet<String>) {
    let mut any = false;
    for inner in command.get_subcommands() {
        any = true;
        leaves(inner, format!("{path} {}", inner.get_name()).trim(), found);
    }
    if !any {
        found.insert(path.to_owned());
    }
}

/// The exit code; none of a command that goes on, as those do that follow something.
fn run(home: &Path, server: &Process, key: Option<&str>, name: &str, words: &[String]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_exeat"));
    command.args(name.split(' ')).arg("--no-input").args(words).env_clear();
    // Its home is elsewhere: nobody gives that to a guarded command.
    command.env("HOME", home.join("home")).env("EXEAT_URL", server.url()).current_dir(home.join("work"));
    command.envs(key.map(|key| ("EXEAT_KEY", key)));
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(if name.ends_with("tail") { 3 } else { 60 });
    let code = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status.code(),
            None if Instant::now() > deadline => {
                child.kill().unwrap();
                child.wait().unwrap();
                break None;
            }
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    let mut said = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut said).unwrap();
    (code, said)
}

#[test]
fn gate_auth_coverage_knows_every_command() {
    let mut live = BTreeSet::new();
    leaves(&exeat::cli::command(), "", &mut live);
    let known: BTreeSet<String> = COMMANDS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(live, known, "every command is said to need a key or not");
    assert_eq!(known.len(), COMMANDS.len(), "nothing is said twice");
    println!("auth-coverage: {} commands known", known.len());
}

#[test]
fn gate_auth_coverage_of_every_command() {
    let store = TempStore::create().unwrap();
    let home = tempfile::tempdir().unwrap();
    let work = home.path().join("work");
    std::fs::create_dir(home.path().join("home")).unwrap();
    std::fs::create_dir(&work).unwrap();
    std::fs::write(work.join("rules.toml"), "[[allow]]\nid = \"a\"\nhost = \"example.com\"\n").unwrap();
    let setup = Setup::with_binary(env!("CARGO_BIN_EXE_exeat").into(), &store.url()).unwrap();
    let made = |role: &str| setup.run_json(&["keys", "create", "--role", role, "--workspace", WORKSPACE, "--json"]);
    let key = |role: &str| made(role).unwrap()["key"].as_str().unwrap().to_owned();
    let (owner, agent, auditor) = (key("owner"), key("agent"), key("auditor"));
    let revoked = made("owner").unwrap();
    setup.run_json(&["keys", "revoke", revoked["key_id"].as_str().unwrap(), "--json"]).unwrap();
    let revoked = revoked["key"].as_str().unwrap();
    let server = setup.start().unwrap();
    let events = || {
        let all = server.client().bearer(&owner).get("/v1/events?limit=500").unwrap().expect(200).unwrap();
        all["events"].as_array().unwrap().len()
    };
    let asked = server.client().bearer(&agent).post("/v1/approvals", &json!({"action": "external.write"})).unwrap();
    let approval = asked.expect(201).unwrap()["approval_id"].as_str().unwrap().to_owned();
    let filled = |words: &[&'static str]| -> Vec<String> {
        words.iter().map(|word| if *word == APPROVAL { approval.clone() } else { (*word).to_owned() }).collect()
    };
    let before = events();
    let (mut refused, mut admitted) = (0, 0);
    for (name, reach) in COMMANDS {
        let Server(words, too_small) = reach else { continue };
        let small = too_small.map(|role| if role == "agent" { agent.as_str() } else { auditor.as_str() });
        let wrong = [None, Some("exk_garbage"), Some(revoked), Some("exp1.a.b")];
        for key in wrong.into_iter().chain(small.map(Some)) {
            let (code, said) = run(home.path(), &server, key, name, &filled(words));
            assert_eq!(code, Some(5), "{name} with {key:?}: {said}");
            assert!(key.is_none_or(|key| !said.contains(key)), "{name} shows the key: {said}");
            refused += 1;
        }
    }
    assert_eq!(events(), before, "nothing was done");
    assert!(!work.join(TRACE).exists(), "nothing was run");
    // The control: the owner is let in everywhere, whatever else is wrong with what is asked.
    for (name, reach) in COMMANDS {
        let Server(words, _) = reach else { continue };
        let (code, said) = run(home.path(), &server, Some(&owner), name, &filled(words));
        // Nobody is called `p`: the server has looked.
        let looked = *name == "capabilities grant" && said.contains("principal not found");
        assert!(!matches!(code, Some(2 | 5 | 8)) || looked, "{name}: {code:?} {said}");
        admitted += 1;
    }
    assert!(events() > before + 10, "the control does something");
    assert!(work.join(TRACE).exists(), "the control runs something");
    println!("auth-coverage: {refused} refusals at the command line, {admitted} controls");
}
