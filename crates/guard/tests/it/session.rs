//! Many commands in one jail, and many jails at once.

use std::io::{Read as _, Write as _};
use std::time::Instant;

use super::*;

#[test]
fn commands_of_one_jail_share_what_is_theirs() {
    let jail = LAUNCHER.launch(&plan(Rung::A)).unwrap();
    let say = |script: &str| start(&jail, &shell(script)).unwrap().end();
    assert_eq!(
        say("echo kept > /tmp/note; echo kept > $HOME/note; sleep 60 >/dev/null 2>&1 & echo $! > /tmp/pid").exit,
        Exit::Code(0)
    );
    assert_eq!(say("cat /tmp/note $HOME/note").stdout, "kept\nkept\n");
    assert_eq!(say("kill $(cat /tmp/pid) && echo ended").stdout, "ended\n");
    let other = LAUNCHER.launch(&plan(Rung::A)).unwrap();
    assert_eq!(
        start(&other, &shell("ls -A /tmp $HOME | grep note; true")).unwrap().end().stdout,
        "",
        "others have their own"
    );
}

#[test]
fn commands_run_side_by_side_and_are_signalled_one_by_one() {
    for rung in [Rung::A, Rung::B] {
        let jail = LAUNCHER.launch(&plan(rung)).unwrap();
        let first = start(&jail, &shell("trap 'echo hup; exit 9' HUP; echo up; while :; do sleep 0.02; done")).unwrap();
        let second = start(&jail, &shell("sleep 60")).unwrap();
        assert_eq!(start(&jail, &shell("exit 5")).unwrap().end().exit, Exit::Code(5));
        std::thread::sleep(Duration::from_millis(150));
        first.process.signal(libc_signal("HUP")).unwrap();
        let said = first.end();
        assert_eq!((said.exit, said.stdout.as_str()), (Exit::Code(9), "up\nhup\n"), "{rung}");
        second.process.signal(libc_signal("KILL")).unwrap();
        assert_eq!(second.end().exit, Exit::Signal(9), "{rung}");
    }
}

fn libc_signal(name: &str) -> i32 {
    match name {
        "HUP" => rustix::process::Signal::HUP.as_raw(),
        _ => rustix::process::Signal::KILL.as_raw(),
    }
}

const SERVER: &str = "exec /usr/bin/python3 -c 'import socket\ns=socket.create_server((\"127.0.0.1\",8123))\nprint(\"up\",flush=True)\nwhile True:\n  c,_=s.accept(); c.sendall(b\"hello \"+c.recv(100)); c.close()'";

#[test]
fn a_server_inside_is_reached_when_it_is_dialled() {
    let jail = LAUNCHER.launch(&plan(Rung::A)).unwrap();
    let begun = Instant::now();
    assert!(jail.dial(8123).is_err(), "nobody serves yet");
    assert!(begun.elapsed() < Duration::from_secs(1));
    let (reader, stdout) = std::io::pipe().unwrap();
    let null = || OwnedFd::from(File::options().read(true).write(true).open("/dev/null").unwrap());
    let stdio = Stdio::Files { stdin: null(), stdout: stdout.into(), stderr: null() };
    let (_server, notify) = jail.spawn(&shell(SERVER), stdio).unwrap();
    answer(&jail, notify);
    let mut up = [0; 3];
    let mut reader = reader;
    reader.read_exact(&mut up).unwrap();
    for _ in 0..3 {
        let mut stream = jail.dial(8123).unwrap();
        stream.write_all(b"there").unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).unwrap();
        assert_eq!(said, "hello there");
    }
    assert!(std::net::TcpStream::connect("127.0.0.1:8123").is_err(), "only by dialling");
}

const BOTH: &str = "exec /usr/bin/python3 -c 'import os,select,socket
t=socket.create_server((\"127.0.0.1\",0)); u=socket.socket(socket.AF_UNIX); u.bind(os.environ[\"AT\"]); u.listen()
print(t.getsockname()[1],flush=True)
while True:
  for s in select.select([t,u],[],[])[0]:
    c,_=s.accept(); c.sendall(b\"served\"); c.close()'";

const ASK: &str = "import socket,sys
for to in ((socket.AF_INET,(\"127.0.0.1\",int(sys.argv[1]))),(socket.AF_UNIX,sys.argv[2])):
  s=socket.socket(to[0])
  try: s.connect(to[1]); print(s.recv(9))
  except OSError as e: print(type(e).__name__)";

#[test]
fn one_command_is_the_client_of_another() {
    for rung in [Rung::A, Rung::B] {
        let shared = folder();
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        std::fs::set_permissions(shared.path(), permissions).unwrap();
        let plan = writable(rung, shared.path());
        let jail = LAUNCHER.launch(&plan).unwrap();
        let at = shared.path().canonicalize().unwrap().join("socket");
        let mut server = shell(BOTH);
        server.env.push((b"AT".to_vec(), at.as_os_str().as_encoded_bytes().to_vec()));
        let (mut reader, stdout) = std::io::pipe().unwrap();
        let null = || OwnedFd::from(File::options().read(true).write(true).open("/dev/null").unwrap());
        let stdio = Stdio::Files { stdin: null(), stdout: stdout.into(), stderr: null() };
        let (_server, notify) = jail.spawn(&server, stdio).unwrap();
        answer(&jail, notify);
        let mut port = String::new();
        while !port.ends_with('\n') {
            let mut byte = [0];
            reader.read_exact(&mut byte).unwrap();
            port.push(byte[0].into());
        }
        let ask = command(&["/usr/bin/python3", "-c", ASK, port.trim(), at.to_str().unwrap()]);
        assert_eq!(start(&jail, &ask).unwrap().end().stdout, "b'served'\nb'served'\n", "{rung}");
        let stranger = LAUNCHER.launch(&plan).unwrap();
        let said = start(&stranger, &ask).unwrap().end();
        assert_eq!(said.stdout, "ConnectionRefusedError\nPermissionError\n", "{rung}: {}", said.stderr);
    }
}

#[test]
fn eight_jails_start_at_once() {
    let threads: Vec<_> = (0..8)
        .map(|number| {
            std::thread::spawn(move || {
                for round in 0..5 {
                    let rung = if (number + round) % 3 == 0 { Rung::B } else { Rung::A };
                    let said = run(&plan(rung), &shell(&format!("echo {number} {round}")));
                    assert_eq!((said.exit, said.stdout), (Exit::Code(0), format!("{number} {round}\n")), "{rung}");
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}
