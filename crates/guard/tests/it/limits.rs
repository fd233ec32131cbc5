//! A command has as much as it was given: time, memory, processes, files.

use std::time::Instant;

use super::*;

#[test]
fn a_command_that_takes_too_long_is_asked_and_then_killed() {
    for rung in [Rung::A, Rung::B] {
        for (script, said) in [
            ("sleep 60", ""),
            ("trap 'echo asked; exit 3' TERM; while :; do sleep 0.02; done", "asked\n"),
            ("trap '' TERM; while :; do sleep 0.02; done", ""),
            ("sleep 60 & setsid sleep 60", ""),
        ] {
            let mut command = shell(script);
            command.timeout = Some(Duration::from_millis(250));
            command.grace = Duration::from_millis(300);
            let begun = Instant::now();
            let ended = run(&plan(rung), &command);
            assert_eq!((ended.exit, ended.stdout.as_str()), (Exit::TimedOut, said), "{rung} {script}");
            let took = begun.elapsed();
            assert!(took >= Duration::from_millis(250) && took < Duration::from_secs(3), "{rung} {script}: {took:?}");
        }
        let mut quick = shell("exit 4");
        quick.timeout = Some(Duration::from_secs(5));
        assert_eq!(run(&plan(rung), &quick).exit, Exit::Code(4), "{rung}: the control has time");
    }
}

#[test]
fn those_it_started_have_no_more_time_than_it() {
    let folder = folder();
    let top = folder.path().canonicalize().unwrap();
    for rung in [Rung::A, Rung::B] {
        let jail = LAUNCHER.launch(&writable(rung, &top)).unwrap();
        let mut command = shell("(trap '' TERM; while :; do echo x >> beat; sleep 0.02; done) & sleep 60");
        command.cwd.clone_from(&top);
        command.timeout = Some(Duration::from_millis(200));
        command.grace = Duration::from_millis(100);
        assert_eq!(start(&jail, &command).unwrap().process.wait(), Exit::TimedOut);
        std::thread::sleep(Duration::from_millis(200));
        let then = std::fs::read(top.join("beat")).unwrap().len();
        std::thread::sleep(Duration::from_millis(200));
        assert_eq!(std::fs::read(top.join("beat")).unwrap().len(), then, "{rung}: it goes on in a jail that lives");
    }
}

/// Whether a count of processes binds who runs this: never the machine's root, who rung B runs as then.
fn bound(rung: Rung) -> bool {
    rung == Rung::A || !am_root()
}

#[test]
fn processes_are_counted() {
    let mut plan = plan(Rung::A);
    plan.limits.processes = 24;
    let script = "i=0; while [ $i -lt 60 ]; do sleep 20 & i=$((i+1)); done 2>/dev/null; ls /proc | grep -c '^[0-9]'";
    let crowded = run(&plan, &shell(script));
    assert_eq!(crowded.stdout, "", "the count itself could not be made: {crowded:?}");
    plan.limits.processes = 200;
    let count: u32 = prints(&plan, script).parse().unwrap();
    assert!(count > 60, "the control has them all: {count}");
}

#[test]
fn a_bomb_of_processes_stays_inside() {
    for rung in [Rung::A, Rung::B] {
        if !bound(rung) {
            continue;
        }
        let mut plan = plan(rung);
        plan.limits.processes = 64;
        let mut bomb = shell("bomb() { bomb | bomb & }; bomb 2>/dev/null; sleep 60");
        bomb.timeout = Some(Duration::from_millis(700));
        bomb.grace = Duration::from_millis(50);
        let begun = Instant::now();
        let jail = LAUNCHER.launch(&plan).unwrap();
        let (process, notify) = jail.spawn(&bomb, Stdio::null().unwrap()).unwrap();
        answer(&jail, notify);
        let exit = process.wait();
        assert!(matches!(exit, Exit::TimedOut | Exit::Code(_) | Exit::Signal(_)), "{exit:?}");
        drop(jail);
        assert!(begun.elapsed() < Duration::from_secs(8), "{rung}: {:?}", begun.elapsed());
        // Who shares the user outside is not out of processes.
        assert!(std::process::Command::new("true").status().unwrap().success());
    }
}

#[test]
fn memory_and_files_are_bounded() {
    for rung in [Rung::A, Rung::B] {
        let folder = folder();
        let mut plan = writable(rung, folder.path());
        let take = "/usr/bin/python3 -c 'b = bytearray(300 << 20); print(len(b))' 2>/dev/null; true";
        assert_eq!(prints(&plan, take), "314572800", "the control has it");
        plan.limits.memory_bytes = 200 << 20;
        plan.limits.open_files = 32;
        plan.limits.file_bytes = 1 << 20;
        assert_eq!(prints(&plan, take), "", "{rung}");
        let open = "/usr/bin/python3 -c 'import os\ntry:\n  [os.dup(1) for _ in range(64)]; print(\"all\")\nexcept OSError as e: print(e.errno)'";
        assert_eq!(prints(&plan, open), "24", "{rung}");
        let script = format!("head -c 3000000 /dev/zero > {}/big; stat -c %s {0}/big", folder.path().display());
        let said = run(&plan, &shell(&script));
        assert_eq!(said.stdout.trim(), (1 << 20).to_string(), "{rung}: {said:?}");
        assert_eq!(prints(&plan, "ulimit -c"), "0", "{rung}: no dumps");
    }
}
