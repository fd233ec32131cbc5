//! `exeat exec`: what a command is given, what it gets out, and what is said about it.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use crate::program::Ran;
use crate::server::Server;

/// A folder to work in, with a home beside it.
pub(crate) struct Ground {
    dir: tempfile::TempDir,
    variables: Vec<(String, String)>,
}

impl Ground {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["home", "work"] {
            std::fs::create_dir(dir.path().join(folder)).unwrap();
        }
        Self { dir, variables: Vec::new() }
    }

    pub(crate) fn set(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    /// With names that lead to a site of the test, at port 80.
    fn with_site(self, name: &str, site: &Site) -> Self {
        self.set("EXEAT_HOSTS", format!("{name}:80=127.0.0.1:{}", site.port))
            .set("EXEAT_TRUSTED_UPSTREAMS", format!("{name}=127.0.0.0/8:80"))
    }

    fn work(&self) -> std::path::PathBuf {
        self.dir.path().join("work")
    }

    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_exeat"));
        command
            .arg("exec")
            .args(words)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.dir.path().join("home"))
            .env("NO_COLOR", "1")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(self.work());
        command
    }

    pub(crate) fn exec(&self, words: &[&str]) -> Ran {
        let output = self.command(words).stdin(Stdio::null()).output().unwrap();
        Ran {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// A site that says hello, and counts who came.
struct Site {
    port: u16,
    hits: Arc<AtomicUsize>,
}

impl Site {
    fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let hits: Arc<AtomicUsize> = Arc::default();
        let counted = Arc::clone(&hits);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let counted = Arc::clone(&counted);
                std::thread::spawn(move || {
                    let mut head = [0; 4096];
                    if !matches!(stream.read(&mut head), Ok(1..)) {
                        return;
                    }
                    counted.fetch_add(1, Ordering::AcqRel);
                    let _ =
                        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close\r\n\r\nhello\n");
                });
            }
        });
        Self { port, hits }
    }

    fn hits(&self) -> usize {
        self.hits.load(Ordering::Acquire)
    }
}

fn report(ran: &Ran) -> Value {
    let line = ran.stderr.lines().last().unwrap_or_default();
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

#[test]
fn output_and_exit_codes_are_the_commands_own() {
    let ground = Ground::new();
    for (words, code, stdout) in [
        (&["--", "true"][..], 0, ""),
        (&["--", "sh", "-c", "echo out; echo err >&2; exit 7"], 7, "out\n"),
        (&["sh", "-c", "kill -TERM $$"], 143, ""),
        (&["--timeout", "200ms", "--", "sleep", "5"], 124, ""),
        (&["--", "no-such-program"], 127, ""),
        (&["--", "/etc/passwd"], 126, ""),
    ] {
        let ran = ground.exec(words);
        assert_eq!((ran.code, ran.stdout.as_str()), (code, stdout), "{words:?} {ran:?}");
        assert!(!ran.stderr.contains("exeat:"), "nothing was asked for, so nothing is said: {ran:?}");
    }
    assert!(ground.exec(&["--", "sh", "-c", "echo err >&2"]).stderr.starts_with("err\n"));
}

#[test]
fn nothing_leaves_but_what_is_named() {
    let site = Site::open();
    let ground = Ground::new().with_site("site.test", &site);
    let fetch = ["curl", "-sS", "--fail-with-body", "http://site.test/"];
    let without = ground.exec(&[&["--"][..], &fetch].concat()).exits(22);
    assert!(without.stderr.contains("exeat exec --allow site.test"), "{without:?}");
    assert_eq!(site.hits(), 0);
    let with = ground.exec(&[&["--allow", "site.test", "--"][..], &fetch].concat()).exits(0);
    assert_eq!((with.stdout.as_str(), site.hits()), ("hello\n", 1));
    assert!(with.stderr.contains("allowed 1"), "{with:?}");
    // A program that knows nothing of proxies is asked about under the name it looked up.
    let direct = ["curl", "-sS", "--noproxy", "*", "http://site.test/"];
    let ran = ground.exec(&[&["--allow", "site.test", "--"][..], &direct].concat()).exits(0);
    assert_eq!((ran.stdout.as_str(), site.hits()), ("hello\n", 2));
    let ran = ground.exec(&[&["--allow", "other.test", "--json", "--"][..], &direct].concat());
    assert_ne!(ran.stdout, "hello\n", "{ran:?}");
    let told = report(&ran);
    assert_eq!((told["rung"].as_str().is_some(), site.hits()), (true, 2));
    let held: Vec<&Value> = ["asked", "blocked"].iter().flat_map(|list| told[list].as_array().unwrap()).collect();
    assert_eq!(held[0]["host"], "site.test", "{told}");
}

#[test]
fn what_is_tried_around_the_gate_is_told_and_strict_says_so() {
    let ground = Ground::new();
    let sends = "import socket; s=socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\ntry: s.sendto(b'x', ('192.0.2.1', 9))\nexcept OSError: pass";
    let ran = ground.exec(&["--json", "--", "python3", "-c", sends]).exits(0);
    let told = report(&ran);
    assert_eq!(told["violations"]["violation_code"], "network_egress_blocked", "{told}");
    assert_eq!(told["exit_code"], 0);
    let again = report(&ground.exec(&["--json", "--", "python3", "-c", sends]));
    assert_eq!(told["violations"]["attempts"], again["violations"]["attempts"]);
    assert_eq!(told["violations"]["digest"], again["violations"]["digest"], "keyed by the install");
    ground.exec(&["--strict", "--", "python3", "-c", sends]).exits(3);
    ground.exec(&["--strict", "--", "true"]).exits(0);
}

#[test]
fn it_sees_what_it_was_given_and_changes_no_more() {
    let ground = Ground::new().set("SECRET", "hunter2").set("LANG", "C.UTF-8");
    let home = ground.dir.path().join("home");
    std::fs::create_dir_all(home.join(".ssh")).unwrap();
    std::fs::write(home.join(".ssh/id_ed25519"), "key").unwrap();
    std::fs::write(home.join("notes"), "notes").unwrap();
    std::fs::create_dir_all(ground.work().join(".git/hooks")).unwrap();
    std::fs::write(ground.work().join(".git/config"), "[core]\n").unwrap();
    let home = home.to_str().unwrap();
    let check = |words: &[&str], script: &str, code: i32, stdout: &str| {
        let ran = ground.exec(&[words, &["--", "sh", "-c", script]].concat());
        assert_eq!((ran.code, ran.stdout.as_str()), (code, stdout), "{words:?} {script}: {ran:?}");
    };
    check(&[], "echo made > file; cat file; pwd -P > place", 0, "made\n");
    assert_eq!(std::fs::read_to_string(ground.work().join("file")).unwrap(), "made\n");
    let place = std::fs::read_to_string(ground.work().join("place")).unwrap();
    assert_eq!(Path::new(place.trim_end()), ground.work().canonicalize().unwrap());
    check(&[], &format!("cat {home}/notes"), 1, "");
    check(&["--ro", home], &format!("cat {home}/notes; test -s {home}/.ssh/id_ed25519"), 1, "notes");
    check(&["--ro", home, "--rw", "."], &format!("echo x > {home}/notes"), 2, "");
    check(&["--ro", "."], "echo x > other", 2, "");
    check(&[], "echo evil > .git/hooks/post-checkout", 2, "");
    check(&[], "echo evil >> .git/config", 2, "");
    check(&[], "echo \"${SECRET-none} $LANG $HOME\"", 0, "none C.UTF-8 /home/exeat\n");
    check(&["--env", "SECRET", "--env", "A=b"], "echo \"$SECRET $A\"", 0, "hunter2 b\n");
    check(&[], "env | grep -c '^EXEAT_'", 1, "0\n");
    for words in [&["--rw", home][..], &["--rw", "/"], &["--rw", "/etc"], &["--env", "EXEAT_KEY=x"], &["--force"]] {
        let ran = ground.exec(&[words, &["--", "true"]].concat()).exits(2);
        assert!(ran.stderr.starts_with("error:"), "{ran:?}");
    }
}

#[test]
fn a_socket_or_a_folder_is_not_handed_over() {
    let ground = Ground::new();
    let (mut ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let theirs: std::os::fd::OwnedFd = theirs.into();
    let script = "test -S /dev/stdout && echo socket || echo no socket";
    let mut child = ground.command(&["--", "sh", "-c", script]).stdin(Stdio::null()).stdout(theirs).spawn().unwrap();
    assert!(child.wait().unwrap().success());
    drop(child);
    let mut said = [0; 32];
    let read = ours.read(&mut said).unwrap();
    assert_eq!(&said[..read], b"no socket\n");
    let folder = std::fs::File::open(ground.work()).unwrap();
    let status = ground.command(&["--", "true"]).stdin(folder).stderr(Stdio::null()).status().unwrap();
    assert_eq!(status.code(), Some(125), "nothing was run");
}

#[test]
fn a_signal_reaches_the_command_and_its_end_is_the_trees() {
    let ground = Ground::new();
    let script = "trap 'echo caught; exit 9' TERM; echo ready; sleep 30 & wait";
    let mut child = ground
        .command(&["--", "sh", "-c", script])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut out, &mut line).unwrap();
    assert_eq!(line, "ready\n");
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!((rest.as_str(), child.wait().unwrap().code()), ("caught\n", Some(9)), "the sleeper is dead, too");
}

#[test]
fn a_server_that_was_named_decides_or_nothing_runs() {
    let ground = Ground::new().set("EXEAT_URL", "http://127.0.0.1:9");
    let marker = ground.work().join("ran");
    let ran = ground.exec(&["--", "touch", "ran"]).exits(8);
    assert!(ran.stderr.contains("127.0.0.1:9") && !marker.exists(), "{ran:?}");
    ground.exec(&["--local", "--", "touch", "ran"]).exits(0);
    assert!(marker.exists());
    ground.exec(&["--local", "--run", "run_1", "--", "true"]).exits(2);
}

#[test]
fn a_server_decides_records_and_is_heard() {
    let site = Site::open();
    let variables = [
        ("EXEAT_HOSTS", format!("site.test:80=127.0.0.1:{}", site.port)),
        ("EXEAT_TRUSTED_UPSTREAMS", "site.test=127.0.0.0/8:80".to_owned()),
        ("EXEAT_EGRESS_HOLD_SECONDS", "0".to_owned()),
        // Confined asks are enforced all the same.
        ("POLICY_ENFORCEMENT_MODE", "shadow".to_owned()),
    ];
    let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let server = Server::start_with(&variables);
    let proxy = format!("http://{}", server.proxy_address());
    let ground = Ground::new().set("EXEAT_URL", server.url()).set("EXEAT_KEY", server.owner());
    let fetch = ["--proxy", &proxy, "--json", "--", "curl", "-sS", "http://site.test/x"];
    let ran = ground.exec(&fetch).exits(0);
    let body: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
    assert_eq!((body["error"].as_str(), site.hits()), (Some("external_read_requires_approval"), 0), "{body}");
    let told = report(&ran);
    assert_eq!(told["server"], server.url());
    let asked = &told["asked"][0];
    assert_eq!((&asked["host"], &asked["egress_request_id"]), (&"site.test".into(), &body["decision_id"]), "{told}");
    assert_eq!(asked["approval_id"], body["approval_id"]);
    server.run(&["policy", "allow", "site.test"]).exits(0);
    let ran = ground.exec(&fetch).exits(0);
    assert_eq!((ran.stdout.as_str(), site.hits()), ("hello\n", 1));
    assert_eq!(report(&ran)["allowed"][0]["host"], "site.test");
    // It narrows, and opens nothing.
    let ran = ground.exec(&[&["--allow", "other.test"][..], &fetch].concat());
    assert_eq!((ran.stdout == "hello\n", site.hits()), (false, 1), "{ran:?}");
    let listed = server.run(&["egress", "list", "--json"]);
    assert!(listed.stdout.contains("site.test"), "{listed:?}");
}

#[test]
fn a_report_goes_where_it_is_wanted() {
    let ground = Ground::new();
    ground.exec(&["--report", "report.json", "--", "sh", "-c", "exit 4"]).exits(4);
    let text = std::fs::read_to_string(ground.work().join("report.json")).unwrap();
    let told: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&told["exit_code"], &told["ended_by"]), (&4.into(), &"code".into()));
    ground.exec(&["--report", "report.json", "--", "no-such-program"]).exits(127);
    let told: Value =
        serde_json::from_str(&std::fs::read_to_string(ground.work().join("report.json")).unwrap()).unwrap();
    assert_eq!(told["error"], "command_not_executable");
}

#[test]
fn the_doctor_says_what_holds() {
    let ran = crate::program::exeat(&["doctor", "--json"]).exits(0);
    let found = ran.json();
    assert_eq!((&found["ok"], &found["allowlist"]), (&true.into(), &serde_json::json!([])));
    let layers = found["layers"].as_array().unwrap();
    let live = |rung: &str| {
        let mut of = layers.iter().filter(|layer| layer["rung"] == rung).peekable();
        of.peek().is_some() && of.all(|layer| layer["state"] == "live")
    };
    let rungs: Vec<&str> = found["rungs"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    for rung in ["A", "B"] {
        assert_eq!(rungs.contains(&rung), live(rung), "{found}");
    }
    let told = crate::program::exeat(&["doctor"]).exits(0);
    assert!(told.stdout.contains("rung A") && told.stdout.contains("rung B"), "{told:?}");
}
