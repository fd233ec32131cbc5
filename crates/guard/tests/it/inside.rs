//! What a command has inside: no descriptor, no process, no privilege but its own.

use std::process::Command as Outside;

use super::*;

#[test]
fn nothing_is_open_but_three_descriptors() {
    // Things of the supervisor's that would be inherited by whatever it starts.
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = File::open("/").unwrap();
    for fd in [OwnedFd::from(socket.try_clone().unwrap()), OwnedFd::from(folder)] {
        rustix::io::fcntl_setfd(&fd, rustix::io::FdFlags::empty()).unwrap();
        std::mem::forget(fd);
    }
    let control = Outside::new("sh").args(["-c", "ls /proc/$$/fd | wc -l"]).output().unwrap();
    let inherited: u32 = String::from_utf8_lossy(&control.stdout).trim().parse().unwrap();
    assert!(inherited >= 5, "the control inherits them: {inherited}");
    let launcher = Launcher::start_with(&spawner()).unwrap();
    for rung in [Rung::A, Rung::B] {
        let jails: Vec<Jail> = (0..3).map(|_| launcher.launch(&plan(rung)).unwrap()).collect();
        for jail in &jails {
            let said = start(jail, &shell("ls /proc/$$/fd")).unwrap().end();
            assert_eq!(said.stdout.split_whitespace().collect::<Vec<_>>(), ["0", "1", "2"], "{rung} {said:?}");
        }
    }
}

#[test]
fn only_its_own_processes_are_there() {
    let pids = prints(&plan(Rung::A), "ls /proc | grep '^[0-9]'");
    let pids: Vec<u32> = pids.lines().map(|pid| pid.parse().unwrap()).collect();
    assert!(pids.len() <= 5 && pids.contains(&1) && pids.iter().all(|pid| *pid < 20), "{pids:?}");
    // The keeper is the first of them, and nobody looks into it.
    for (part, look) in
        [("environ", "cat"), ("maps", "cat"), ("mem", "head -c 1"), ("fd/", "ls"), ("root/", "ls"), ("cwd/", "ls")]
    {
        let script =
            format!("{look} /proc/self/{part} >/dev/null 2>&1 && echo own; {look} /proc/1/{part} && echo seen; true");
        let said = run(&plan(Rung::A), &shell(&script));
        let own = if part == "mem" { "" } else { "own\n" };
        assert_eq!(said.stdout, own, "{part}");
    }
    // It cannot be stopped by those it keeps.
    assert_eq!(prints(&plan(Rung::A), "kill -9 1; kill -STOP 1; kill -TERM 1; sleep 0.1; echo alive"), "alive");
}

#[test]
fn others_cannot_be_signalled_or_looked_into_without_namespaces() {
    let mut outside = Outside::new("sleep").arg("60").spawn().unwrap();
    let pid = outside.id();
    let script = format!(
        "kill -0 {pid} 2>/dev/null && echo signalled; kill -9 $PPID 2>/dev/null && echo keeper signalled; \
         cat /proc/{pid}/environ >/dev/null 2>&1 && echo environ; readlink /proc/{pid}/fd/0 >/dev/null 2>&1 && echo fds; \
         ls /proc/{pid}/root/ >/dev/null 2>&1 && echo root; readlink /proc/$PPID/fd/0 >/dev/null 2>&1 && echo keeper fds; true"
    );
    assert_eq!(prints(&plan(Rung::B), &script), "");
    let control = Outside::new("sh")
        .args(["-c", &format!("kill -0 {pid} && cat /proc/{pid}/environ >/dev/null && readlink /proc/{pid}/fd/0")])
        .status();
    assert!(control.unwrap().success(), "the control may");
    outside.kill().unwrap();
    outside.wait().unwrap();
}

#[test]
fn it_has_no_capability_and_gains_none() {
    for rung in [Rung::A, Rung::B] {
        let status = prints(&plan(rung), "grep -E '^(Cap...|NoNewPrivs|Seccomp):' /proc/self/status");
        for line in status.lines() {
            let (name, value) = line.split_once(':').unwrap();
            let want = match name {
                "NoNewPrivs" => "1",
                "Seccomp" => "2",
                // Who never had one cannot drop it from this set either; without new privileges it is worth nothing.
                "CapBnd" if rung == Rung::B && !am_root() => continue,
                _ => "0000000000000000",
            };
            assert_eq!(value.trim(), want, "{rung} {name}");
        }
        assert!(status.lines().count() >= 7, "{status}");
    }
}

#[test]
fn a_setuid_program_runs_as_whoever_runs_it() {
    let mounts = prints(&plan(Rung::A), "grep -v nosuid /proc/self/mountinfo || true");
    assert_eq!(mounts, "", "mounts where setuid would count");
    if !am_root() {
        // Only root can make one; what the system has must not work.
        let said = run(&plan(Rung::A), &shell("su -c 'echo root' </dev/null 2>&1 | grep -x root; echo end"));
        assert_eq!(said.stdout, "end\n");
        return;
    }
    let folder = folder();
    let copy = folder.path().join("id");
    std::fs::copy("/usr/bin/id", &copy).unwrap();
    for path in [folder.path(), &copy] {
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o4755)).unwrap();
    }
    let nobody = ["--reuid", "65534", "--regid", "65534", "--clear-groups"];
    let control = Outside::new("setpriv").args(nobody).arg(&copy).arg("-u").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&control.stdout).trim(), "0", "the control becomes root");
    let mut plan = plan(Rung::A);
    plan.view.writable.push(folder.path().canonicalize().unwrap());
    assert_eq!(prints(&plan, &format!("{} -u", copy.display())), "65534");
}

/// Makes a raw system call; prints its result, or the number of its error.
fn call(arguments: &str) -> String {
    format!(
        "/usr/bin/python3 -c 'import ctypes,struct; c=ctypes.CDLL(None,use_errno=True); \
         f=ctypes.create_string_buffer(struct.pack(\"HBBI\",6,0,0,0x7fff0000)); \
         p=ctypes.create_string_buffer(struct.pack(\"HxxxxxxQ\",1,ctypes.addressof(f))); \
         r=c.syscall({arguments}); print(r if r>=0 else -ctypes.get_errno())'"
    )
}

#[test]
fn nobody_inside_can_listen_to_the_filter() {
    let number = if cfg!(target_arch = "x86_64") { 317 } else { 277 };
    for rung in [Rung::A, Rung::B] {
        assert_eq!(prints(&plan(rung), &call(&format!("{number},1,8,p"))), "-16", "{rung}: a second listener");
        // Filters of its own are fine: they can only take more away.
        assert_eq!(prints(&plan(rung), &call(&format!("{number},1,0,p"))), "0", "{rung}: a filter");
    }
}

#[test]
fn no_namespace_can_be_made_inside() {
    for rung in [Rung::A, Rung::B] {
        for kind in ["-U", "-Ur", "-n", "-m", "-p", "-Un"] {
            let said = run(&plan(rung), &shell(&format!("unshare {kind} true && echo made; true")));
            assert_eq!(said.stdout, "", "{rung} {kind}");
        }
    }
    assert_eq!(prints(&plan(Rung::A), "cat /proc/sys/user/max_user_namespaces"), "0");
}

/// Containers cover parts of `/proc`; the kernel then gives nobody in them a new one.
#[test]
fn where_proc_is_covered_the_one_that_is_there_cannot_be_changed() {
    let folder = folder();
    let covering = folder.path().join("spawner");
    let user = if am_root() { "" } else { "-U --map-current-user --keep-caps" };
    let script = format!(
        "#!/bin/sh\nexec unshare {user} -m sh -c 'mount -t tmpfs none /proc/acpi && exec \"$0\" \"$@\"' {} \"$@\"\n",
        spawner().display()
    );
    std::fs::write(&covering, script).unwrap();
    std::fs::set_permissions(&covering, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let launcher = Launcher::start_with(&covering).unwrap();
    let jail = launcher.launch(&plan(Rung::A)).unwrap();
    let probe = format!(
        "[ -d /proc/{0} ] && echo listed; cat /proc/{0}/environ >/dev/null 2>&1 && echo environ; kill -0 {0} 2>/dev/null && echo \
         signalled; for p in /proc/sys/kernel/core_pattern /proc/self/oom_score_adj; do (echo 0 > $p) 2>/dev/null && echo changed; \
         done; sleep 60 & true",
        std::process::id()
    );
    let said = start(&jail, &shell(&probe)).unwrap();
    assert_eq!(said.process.wait(), Exit::Code(0));
    let mut slow = shell("trap '' TERM; sleep 60 & sleep 60");
    slow.timeout = Some(Duration::from_millis(100));
    slow.grace = Duration::from_millis(100);
    assert_eq!(start(&jail, &slow).unwrap().process.wait(), Exit::TimedOut);
    drop(jail);
    assert_eq!(said.stdout.join().unwrap(), "listed\n");
}
