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
fn what_its_user_has_outside_is_not_the_calls() {
    let outside: Vec<_> = (0..40).map(|_| std::process::Command::new("sleep").arg("20").spawn().unwrap()).collect();
    for rung in [Rung::A, Rung::B] {
        let mut plan = plan(rung);
        plan.limits.processes = 24;
        let script = "i=0; while [ $i -lt 12 ]; do sleep 5 & i=$((i+1)); done; echo all";
        assert_eq!(prints(&plan, script), "all", "{rung}");
    }
    for mut sleeper in outside {
        sleeper.kill().unwrap();
        sleeper.wait().unwrap();
    }
}

#[test]
fn a_bomb_of_processes_stays_inside() {
    // Where the kernel counts. It does not for the machine's root, who rung B runs root's calls as: see the next test.
    let rungs: &[Rung] = if am_root() { &[Rung::A] } else { &[Rung::A, Rung::B] };
    for rung in rungs {
        let mut plan = plan(*rung);
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
fn where_the_kernel_does_not_count_processes_the_keeper_does() {
    let mut plan = plan(Rung::B);
    let many = "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 1 & done; wait; echo done";
    assert_eq!(prints(&plan, many), "done", "the control has them");
    // The kernel counts all that a user has, so one is too many; it does not count root's.
    let (bound, exit) = if am_root() { (8, Exit::Signal(9)) } else { (1, Exit::Code(2)) };
    plan.limits.processes = bound;
    let said = run(&plan, &shell(many));
    assert_eq!((said.exit, said.stdout.as_str()), (exit, ""), "{said:?}");
}

#[test]
fn a_command_is_as_nice_as_who_starts_it() {
    let of_the_spawner = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", LAUNCHER.spawner_id())).unwrap();
        stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(16)).unwrap().to_owned()
    };
    for rung in [Rung::A, Rung::B] {
        // Somebody may change it meanwhile.
        let before = of_the_spawner();
        let said = prints(&plan(rung), "nice");
        assert!(said == before || said == of_the_spawner(), "{rung}: {said} instead of {before}");
    }
}

#[test]
fn threads_count_as_processes_do() {
    let mut plan = plan(Rung::B);
    let many = "import threading, time
wait = threading.Event()
for _ in range(60): threading.Thread(target=wait.wait, daemon=True).start()
time.sleep(1.5); print('made')";
    let many = command(&["/usr/bin/python3", "-c", many]);
    plan.limits.processes = 1000;
    assert_eq!(run(&plan, &many).stdout, "made\n", "the control has them");
    plan.limits.processes = 30;
    let said = run(&plan, &many);
    let exit = if am_root() { Exit::Signal(9) } else { Exit::Code(1) };
    assert_eq!((said.exit, said.stdout.as_str()), (exit, ""), "{said:?}");
}

/// Many at once, but not without end: should they not be stopped, they end by themselves.
#[test]
fn many_processes_at_once_are_noticed_at_once() {
    let folder = folder();
    let top = folder.path().canonicalize().unwrap();
    let mut plan = writable(Rung::B, &top);
    let many = "import os, sys, time
made = os.open(sys.argv[1] + '/made', os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
for at in range(600):
  try: child = os.fork()
  except BlockingIOError: break
  if child == 0: time.sleep(3); os._exit(0)
  os.pwrite(made, b'%4d' % at, 0)
time.sleep(1.5); print('made')";
    let many = command(&["/usr/bin/python3", "-c", many, top.to_str().unwrap()]);
    let made = || std::fs::read_to_string(top.join("made")).unwrap().trim().parse::<u32>().unwrap_or(0);
    plan.limits.processes = 1000;
    assert_eq!((run(&plan, &many).stdout.as_str(), made()), ("made\n", 599), "the control has them all");
    plan.limits.processes = 40;
    let said = run(&plan, &many);
    // Others of the same user count where the kernel does it.
    let exit = if am_root() { Exit::Signal(9) } else { Exit::Code(0) };
    assert_eq!(said.exit, exit, "{said:?}");
    println!("{} of 40", made());
    assert!(am_root() || made() < 599, "the kernel let all of them");
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

/// Starts so many that each hold memory, all at once, for a moment; those that hold nothing share it.
fn holders(count: u32, megabytes: u32, together: bool) -> String {
    let (own, shared) = if together { (0, megabytes) } else { (megabytes, 0) };
    format!(
        "/usr/bin/python3 -c 'import os,time\ns=b\"x\"*({shared}<<20)\nfor _ in range({count}):\n  if os.fork()==0:\n    \
         b=b\"y\"*({own}<<20); time.sleep(1); os._exit(0)\nfor _ in range({count}): os.wait()\nprint(\"held\")'"
    )
}

#[test]
fn memory_is_counted_for_all_together() {
    for rung in [Rung::A, Rung::B] {
        let mut plan = plan(rung);
        plan.limits.memory_bytes = 400 << 20;
        let said = run(&plan, &shell(&format!("exec {}", holders(6, 100, false))));
        assert_eq!((said.exit, said.stdout.as_str()), (Exit::Signal(9), ""), "{rung}: 600 of 400");
        assert_eq!(prints(&plan, &holders(6, 100, true)), "held", "{rung}: what is shared counts once");
        assert_eq!(prints(&plan, &holders(2, 100, false)), "held", "{rung}: the control has it");
    }
}
