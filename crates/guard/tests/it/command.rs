//! A command runs with what it is given, and its end is told.

use std::io::Write as _;
use std::os::fd::AsFd as _;

use super::*;

#[test]
fn says_what_it_says_and_ends_as_it_ends() {
    for rung in [Rung::A, Rung::B] {
        for (script, exit) in [
            ("echo out; echo err >&2; exit 7", Exit::Code(7)),
            ("echo out; echo err >&2; kill -9 $$", Exit::Signal(9)),
            ("echo out; echo err >&2; kill -TERM $$", Exit::Signal(15)),
        ] {
            let said = run(&plan(rung), &shell(script));
            assert_eq!((said.exit, said.stdout.as_str(), said.stderr.as_str()), (exit, "out\n", "err\n"), "{rung}");
        }
    }
}

#[test]
fn runs_as_nobody_special_where_it_was_told_to() {
    let folder = folder();
    let plan = writable(Rung::A, folder.path());
    let mut command = shell("pwd; id -u; hostname; echo $HOME $MARK");
    command.cwd = folder.path().canonicalize().unwrap();
    command.env.push((b"MARK".to_vec(), b"seen".to_vec()));
    let said = run(&plan, &command);
    let uid = if am_root() { 65534 } else { rustix::process::geteuid().as_raw() };
    let want = format!("{}\n{uid}\njail\n{} seen\n", folder.path().display(), plan::HOME);
    assert_eq!(said.stdout, want, "{said:?}");
}

#[test]
fn arguments_and_environment_are_exactly_those_given() {
    for rung in [Rung::A, Rung::B] {
        let mut command = command(&["/usr/bin/env", "-0"]);
        command.env = vec![(b"A".to_vec(), b"b=c\n\xff".to_vec()), (b"HOME".to_vec(), b"/x".to_vec())];
        command.env.push((b"TMPDIR".to_vec(), b"/y".to_vec()));
        let said = run(&plan(rung), &command);
        assert_eq!(said.stdout, "A=b=c\n\u{fffd}\0HOME=/x\0TMPDIR=/y\0", "{rung}: {said:?}");
        let said = run(&plan(rung), &super::command(&["printf", "[%s]", "", "two words", "$(id)"]));
        assert_eq!(said.stdout, "[][two words][$(id)]", "{rung}");
    }
}

#[test]
fn what_cannot_be_executed_is_told_as_a_shell_would() {
    let folder = folder();
    let write = |name: &str, text: &str, mode: u32| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (plain, script) = (write("plain", "data", 0o644), write("script", "echo I am $1", 0o755));
    for rung in [Rung::A, Rung::B] {
        let plan = writable(rung, folder.path());
        let jail = LAUNCHER.launch(&plan).unwrap();
        for (name, want) in [
            ("no-such-program", std::io::ErrorKind::NotFound),
            ("/no/such/program", std::io::ErrorKind::NotFound),
            (plain.as_str(), std::io::ErrorKind::PermissionDenied),
        ] {
            match start(&jail, &command(&[name])).map(Heard::end) {
                Err(LaunchError::Command { command, error }) => {
                    assert_eq!((command.as_str(), error.kind()), (name, want));
                }
                other => panic!("{rung} {name}: {other:?}"),
            }
        }
        // The jail is as good as before; and a script without a first line is the shell's.
        let said = start(&jail, &command(&[&script, "fine"])).unwrap().end();
        assert_eq!(said.stdout, "I am fine\n", "{rung}: {said:?}");
        let mut lost = shell("true");
        lost.cwd = "/nowhere".into();
        assert!(matches!(start(&jail, &lost).map(Heard::end), Err(LaunchError::Plan(_))), "{rung}");
        for bad in [command(&[]), command(&["echo", "a\0b"])] {
            assert!(matches!(start(&jail, &bad).map(Heard::end), Err(LaunchError::Plan(_))), "{rung}");
        }
    }
}

#[test]
fn reads_its_input_and_writes_a_lot() {
    for rung in [Rung::A, Rung::B] {
        let jail = LAUNCHER.launch(&plan(rung)).unwrap();
        let (stdin, mut writer) = std::io::pipe().unwrap();
        let (reader, stdout) = std::io::pipe().unwrap();
        let stderr = File::options().write(true).open("/dev/null").unwrap();
        let stdio = Stdio::Files { stdin: stdin.into(), stdout: stdout.into(), stderr: stderr.into() };
        let (process, notify) = jail.spawn(&command(&["cat"]), stdio).unwrap();
        answer(&jail, notify);
        let read = collect(reader);
        let bytes = vec![b'x'; 3 << 20];
        writer.write_all(&bytes).unwrap();
        drop(writer);
        assert_eq!(process.wait(), Exit::Code(0));
        assert_eq!(process.wait(), Exit::Code(0), "asked twice");
        assert_eq!(read.join().unwrap().len(), bytes.len());
    }
}

#[test]
fn its_end_is_never_missed_however_soon_it_comes() {
    for rung in [Rung::A, Rung::B] {
        let jail = LAUNCHER.launch(&plan(rung)).unwrap();
        for _ in 0..40 {
            let (process, notify) = jail.spawn(&command(&["true"]), Stdio::null().unwrap()).unwrap();
            answer(&jail, notify);
            let mut ready = [rustix::event::PollFd::from_borrowed_fd(process.as_fd(), rustix::event::PollFlags::IN)];
            rustix::event::poll(&mut ready, None).unwrap();
            assert_eq!(process.wait(), Exit::Code(0));
        }
        for _ in 0..5 {
            assert_eq!(run(&plan(rung), &command(&["true"])).exit, Exit::Code(0));
        }
    }
}

#[test]
fn a_socket_or_folder_is_no_input() {
    let (unix, _peer) = std::os::unix::net::UnixStream::pair().unwrap();
    let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let jail = LAUNCHER.launch(&plan(Rung::A)).unwrap();
    let null = || OwnedFd::from(File::options().read(true).write(true).open("/dev/null").unwrap());
    for (what, fd) in [("unix", OwnedFd::from(unix)), ("tcp", tcp.into()), ("folder", File::open("/").unwrap().into())]
    {
        for place in 0..3 {
            let mut files: Vec<OwnedFd> = (0..3).map(|_| null()).collect();
            files[place] = fd.try_clone().unwrap();
            let [stdin, stdout, stderr]: [OwnedFd; 3] = files.try_into().unwrap();
            let refused = jail.spawn(&command(&["true"]), Stdio::Files { stdin, stdout, stderr });
            assert!(matches!(refused, Err(LaunchError::Plan(_))), "{what} as {place}");
        }
    }
    // And with what may be passed in, the same jail works.
    assert_eq!(start(&jail, &command(&["true"])).unwrap().end().exit, Exit::Code(0));
}

#[test]
fn its_output_has_the_usual_names() {
    for rung in [Rung::A, Rung::B] {
        let said =
            run(&plan(rung), &shell("echo out > /dev/stdout && echo err > /dev/stderr && echo more | tee /dev/stderr"));
        assert_eq!((said.stdout.as_str(), said.stderr.as_str()), ("out\nmore\n", "err\nmore\n"), "{rung}: {said:?}");
    }
}
