//! Every probe outside the guard: there it gets out, and the sentinel hears it. What was never heard could not be
//! missed.

use std::process::Stdio;

use crate::ground::{As, inside, is_root};
use crate::outcome::{Outcome, Verdict};
use crate::programs::{Program, Programs};
use crate::sentinel::{Scene, Sentinel};
use crate::table::Control;

/// How much a probe that takes too much takes here, where nothing stops it.
const LITTLE: [&str; 3] = ["CONTROL=1", "MIB=4", "COUNT=20"];

fn run(scene: &Scene, program: &Program) -> Outcome {
    let mut command = scene.who.command(program.words[0].as_ref());
    command.args(&program.words[1..]).args(scene.words()).args(LITTLE);
    command.current_dir(&scene.workspace).env("HOME", &scene.home).stdin(Stdio::null());
    scene.give_away(|| {
        let output = command.output().unwrap();
        let (said, talked) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        Outcome::read(&program.name, &said, output.status.code().unwrap_or(200), &talked)
    })
}

/// What a control showed.
enum Shown {
    /// It got out, as it should.
    Leaked,
    /// It cannot on this machine, for a reason that the table states.
    Stated(String),
    /// It did something else.
    Wrong(String),
}

fn check(sentinel: &Sentinel, scene: &Scene, program: &Program) -> Shown {
    let mark = sentinel.mark();
    let outcome = run(scene, program);
    let heard = sentinel.since(mark);
    let name = &program.name;
    let leaks = |begins: &str| {
        if outcome.verdict != Verdict::Leaked {
            return Shown::Wrong(format!("{name}: {outcome}"));
        }
        let found = begins.is_empty() || heard.iter().any(|what| what.starts_with(begins));
        if found { Shown::Leaked } else { Shown::Wrong(format!("{name} leaks, the sentinel heard only {heard:?}")) }
    };
    match program.probe.control {
        Control::Leaks(begins) => leaks(begins),
        Control::LeaksAsNobody => leaks(""),
        Control::LeaksUnless { hears, .. } if outcome.verdict == Verdict::Leaked => leaks(hears),
        Control::LeaksUnless { says, why, .. } if says.iter().any(|word| outcome.said.contains(word)) => {
            Shown::Stated(format!("{name}: {why} ({})", outcome.said))
        }
        Control::Works if outcome.verdict == Verdict::Works => Shown::Leaked,
        Control::LeaksUnless { .. } | Control::Works => Shown::Wrong(format!("{name}: {outcome}")),
    }
}

/// The daemon is the one that is heard after its maker has said that all is well.
fn daemons_are_heard(sentinel: &Sentinel, scene: &Scene, programs: &Programs) {
    let daemon = programs.all().into_iter().find(|program| program.name == "daemon").unwrap();
    let mark = sentinel.mark();
    run(scene, &daemon);
    std::thread::sleep(std::time::Duration::from_millis(2_500));
    let heard = sentinel.since(mark);
    assert!(heard.iter().any(|what| what == "tcp 443"), "{heard:?}");
    assert!(scene.workspace.join("fired").exists());
}

#[test]
fn every_probe_gets_out_where_there_is_no_guard() {
    inside(module_path!(), "every_probe_gets_out_where_there_is_no_guard", |ground| {
        let programs = Programs::build(ground);
        let sentinel = Sentinel::start(ground, &programs);
        let root = Scene::set(&sentinel, ground, &programs, As::Root);
        let nobody = is_root().then(|| Scene::set(&sentinel, ground, &programs, As::Nobody));
        let (mut shown, mut stated, mut wrong) = (0, Vec::new(), Vec::new());
        for program in programs.all() {
            let as_nobody = program.probe.control == Control::LeaksAsNobody;
            let Some(scene) = (if as_nobody { nobody.as_ref() } else { Some(&root) }) else {
                stated.push(format!("{}: it takes root to become somebody without privilege", program.name));
                continue;
            };
            match check(&sentinel, scene, &program) {
                Shown::Leaked => shown += 1,
                Shown::Stated(why) => stated.push(why),
                Shown::Wrong(why) => wrong.push(why),
            }
        }
        daemons_are_heard(&sentinel, &root, &programs);
        println!("cells: {shown} controls got out, {} stated impossible here:", stated.len());
        stated.iter().for_each(|why| println!("  {why}"));
        assert!(wrong.is_empty(), "without a guard:\n  {}", wrong.join("\n  "));
        assert!(shown > 100, "almost all of them get out");
    });
}
