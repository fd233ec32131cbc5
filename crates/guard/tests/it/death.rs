//! Nothing outlives its jail, however the jail ends.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command as Outside, Stdio as OutsideStdio};
use std::time::Instant;

use super::*;

/// Leaves three that beat behind: a child, a daemon in a session of its own, and a daemon's daemon that ignores
/// signals. Each grows its own file.
/// They end by themselves after a while, should a test show that nothing else ends them.
const BEATING: &str = "beat() { i=0; while [ $i -lt 1000 ]; do i=$((i+1)); echo x >> $1; sleep 0.02; done; }; \
     beat child & (setsid sh -c 'i=0; while [ $i -lt 1000 ]; do i=$((i+1)); echo x >> daemon; sleep 0.02; done' &) ; \
     (setsid sh -c '(trap \"\" TERM HUP INT; setsid sh -c \"i=0; while [ \\$i -lt 1000 ]; do i=\\$((i+1)); echo x >> deep; sleep 0.02; done\" &) ; exit' &) ; ";

fn sizes(folder: &Path) -> [u64; 3] {
    ["child", "daemon", "deep"].map(|name| std::fs::metadata(folder.join(name)).map_or(0, |file| file.len()))
}

/// Waits until all three beat.
fn beats(folder: &Path) {
    let deadline = Instant::now() + Duration::from_secs(10);
    let before = sizes(folder);
    while sizes(folder).iter().zip(before).any(|(now, before)| *now <= before) {
        assert!(Instant::now() < deadline, "they never began: {:?}", sizes(folder));
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Expects that after so long none beats.
fn silent_within(folder: &Path, time: Duration, what: &str) {
    std::thread::sleep(time);
    let then = sizes(folder);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(sizes(folder), then, "{what}: somebody lives");
}

/// A supervisor in a process of its own, with a jail for each script.
fn hold(rung: Rung, folder: &Path, scripts: &[&str]) -> Child {
    let mut holder = Outside::new(spawner())
        .args(["hold", rung.as_str(), folder.to_str().unwrap()])
        .args(scripts)
        .stdin(OutsideStdio::piped())
        .stdout(OutsideStdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(holder.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    holder
}

#[test]
fn everybody_dies_with_a_supervisor_that_is_killed() {
    for rung in [Rung::A, Rung::B] {
        let folder = folder();
        let top = folder.path().canonicalize().unwrap();
        // Two others beside it: none may hold what tells another of its end.
        let mut holder = hold(rung, &top, &[&format!("{BEATING} sleep 60"), "sleep 60", "sleep 60"]);
        beats(&top);
        holder.kill().unwrap();
        holder.wait().unwrap();
        silent_within(&top, Duration::from_millis(700), rung.as_str());
    }
}

#[test]
fn what_a_finished_command_leaves_behind_dies_with_the_jail() {
    for rung in [Rung::A, Rung::B] {
        let folder = folder();
        let top = folder.path().canonicalize().unwrap();
        let jail = LAUNCHER.launch(&writable(rung, &top)).unwrap();
        let other = LAUNCHER.launch(&plan(rung)).unwrap();
        let lasting = start(&other, &shell("sleep 60")).unwrap();
        let mut beating = shell(&format!("exec >/dev/null 2>&1; {BEATING} true"));
        beating.cwd.clone_from(&top);
        assert_eq!(start(&jail, &beating).unwrap().end().exit, Exit::Code(0));
        beats(&top);
        drop(jail);
        silent_within(&top, Duration::from_millis(500), rung.as_str());
        assert!(other.lives(), "{rung}: another jail goes on");
        other.kill();
        assert_eq!(lasting.end().exit, Exit::Killed, "{rung}");
    }
}

#[test]
fn a_jail_dies_while_a_command_is_waited_for() {
    for rung in [Rung::A, Rung::B] {
        let jail = Arc::new(LAUNCHER.launch(&plan(rung)).unwrap());
        let sleeping = start(&jail, &shell("sleep 60")).unwrap();
        let killer = Arc::clone(&jail);
        let killing = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(100));
            killer.kill();
        });
        let begun = Instant::now();
        assert_eq!(sleeping.end().exit, Exit::Killed, "{rung}");
        assert!(begun.elapsed() < Duration::from_secs(1), "{rung}");
        killing.join().unwrap();
        assert!(matches!(start(&jail, &shell("true")).map(Heard::end), Err(LaunchError::Gone)), "{rung}");
        let deadline = Instant::now() + Duration::from_secs(1);
        while jail.lives() {
            assert!(Instant::now() < deadline, "{rung}: its keeper lives");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[test]
fn a_spawner_that_died_is_replaced() {
    let launcher = Launcher::start_with(&spawner()).unwrap();
    let jail = launcher.launch(&plan(Rung::A)).unwrap();
    let sleeping = start(&jail, &shell("sleep 60")).unwrap();
    let first = rustix::process::Pid::from_raw(i32::try_from(launcher.spawner_id()).unwrap()).unwrap();
    rustix::process::kill_process(first, rustix::process::Signal::KILL).unwrap();
    assert_eq!(sleeping.end().exit, Exit::Killed, "what it started in rung A dies with it");
    let next = launcher.launch(&plan(Rung::A)).unwrap();
    assert_eq!(start(&next, &shell("true")).unwrap().end().exit, Exit::Code(0));
    assert_ne!(launcher.spawner_id(), u32::try_from(first.as_raw_nonzero().get()).unwrap());
}
