//! The guides to policies, to the proxy and to confined commands are run as they are printed: what they say a command answers,
//! it answers.
//!
//! A block after `<!-- run -->` is run line by line (`$ `), and what follows a line must be its
//! output; `…` stands for any text, a line that is only `…` for any lines. A block after
//! `<!-- file: NAME -->` is written to that file first. In a command `appr_…` and `egr_…` stand for the last
//! such id that was printed.

use std::path::Path;
use std::process::Command;

use crate::server::{Dev, Server};

const POLICIES: &str = include_str!("../../../../docs/guide/policies.md");
const PROXY: &str = include_str!("../../../../docs/guide/proxy.md");
const EXEC: &str = include_str!("../../../../docs/guide/exec.md");

enum Act {
    Write { name: String, text: String },
    Run { command: String, expected: Vec<String> },
}

/// What the guide does, in order.
fn acts(guide: &str) -> Vec<Act> {
    let (mut acts, mut lines) = (Vec::new(), guide.lines());
    while let Some(line) = lines.next() {
        let file = line.strip_prefix("<!-- file: ").and_then(|rest| rest.strip_suffix(" -->"));
        if file.is_none() && line != "<!-- run -->" {
            continue;
        }
        assert!(lines.next().is_some_and(|fence| fence.starts_with("```")), "a block follows `{line}`");
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        if let Some(name) = file {
            acts.push(Act::Write { name: name.to_owned(), text: format!("{}\n", block.join("\n")) });
            continue;
        }
        for line in block {
            match line.strip_prefix("$ ") {
                Some(command) => acts.push(Act::Run { command: command.to_owned(), expected: Vec::new() }),
                None => match acts.last_mut() {
                    Some(Act::Run { expected, .. }) => expected.push(line.to_owned()),
                    _ => panic!("output without a command: {line}"),
                },
            }
        }
    }
    acts
}

fn run(variables: &[(&str, &str)], folder: &Path, command: &str) -> String {
    let binaries = Path::new(env!("CARGO_BIN_EXE_exeat")).parent().unwrap();
    let path = format!("{}:{}", binaries.display(), std::env::var("PATH").unwrap_or_default());
    let ran = Command::new("sh")
        .args(["-c", &format!("{{ {command}\n}} 2>&1")])
        .current_dir(folder)
        .env_clear()
        .envs([("PATH", path.as_str()), ("NO_COLOR", "1")])
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    String::from_utf8(ran.stdout).unwrap()
}

/// Whether a line is as expected; `…` stands for any text.
fn fits(expected: &str, line: &str) -> bool {
    match expected.split_once('…') {
        None => expected == line,
        Some((before, after)) => line
            .strip_prefix(before)
            .is_some_and(|rest| rest.char_indices().any(|(at, _)| fits(after, &rest[at..])) || fits(after, "")),
    }
}

/// Whether all lines are; a line that is only `…` stands for any lines.
fn all_fit(expected: &[&str], lines: &[&str]) -> bool {
    match expected {
        [] => lines.is_empty(),
        ["…", rest @ ..] => (0..=lines.len()).any(|skipped| all_fit(rest, &lines[skipped..])),
        [first, rest @ ..] => {
            lines.split_first().is_some_and(|(line, lines)| fits(first, line) && all_fit(rest, lines))
        }
    }
}

fn told(text: &str) -> Vec<&str> {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let end = lines.iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1);
    lines[..end].to_vec()
}

/// The last word in a text that begins so and goes on with letters and digits.
fn last_id(prefix: &str, text: &str) -> Option<String> {
    let rest = &text[text.rfind(prefix)? + prefix.len()..];
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
    (end > 0).then(|| format!("{prefix}{}", &rest[..end]))
}

/// Does what a guide does; says how many commands that were.
fn follow(guide: &str, variables: &[(&str, &str)], folder: &Path) -> usize {
    let mut ran = 0;
    let mut ids: [(&str, Option<String>); 2] = [("appr_", None), ("egr_", None)];
    for act in acts(guide) {
        match act {
            Act::Write { name, text } => {
                let path = folder.join(name);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, text).unwrap();
            }
            Act::Run { mut command, expected } => {
                for (prefix, id) in &ids {
                    if let Some(id) = id {
                        command = command.replace(&format!("{prefix}…"), id);
                    }
                }
                let output = run(variables, folder, &command);
                for (prefix, id) in &mut ids {
                    *id = last_id(prefix, &output).or_else(|| id.take());
                }
                let expected = expected.join("\n");
                assert!(
                    all_fit(&told(&expected), &told(&output)),
                    "the guide promises of `{command}`:\n{expected}\n\nbut it says:\n{output}"
                );
                ran += 1;
            }
        }
    }
    ran
}

#[test]
fn the_guide_to_policies_does_what_it_says() {
    let server = Server::start_with(&[("POLICY_ENFORCEMENT_MODE", "shadow")]);
    let folder = tempfile::tempdir().unwrap();
    let ran = follow(POLICIES, &[("EXEAT_URL", server.url()), ("EXEAT_KEY", server.owner())], folder.path());
    assert!(ran >= 20, "the guide runs its commands: {ran}");
}

#[test]
fn the_guide_to_the_proxy_does_what_it_says() {
    let home = tempfile::tempdir().unwrap();
    let _dev = Dev::start(home.path(), &[("EXEAT_EGRESS_HOLD_SECONDS", "1")]);
    let folder = tempfile::tempdir().unwrap();
    let ran = follow(PROXY, &[("HOME", home.path().to_str().unwrap())], folder.path());
    assert!(ran >= 14, "the guide runs its commands: {ran}");
}

/// Serves the files of a folder by their host and path, as any static site does; says at which port.
fn sites(root: std::path::PathBuf) -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let root = root.clone();
            std::thread::spawn(move || serve(&stream, &root));
        }
    });
    port
}

fn serve(mut stream: &std::net::TcpStream, root: &Path) {
    use std::io::{BufRead as _, BufReader, Write as _};
    let (mut path, mut host) = (String::new(), String::new());
    for line in BufReader::new(stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty()) {
        if path.is_empty() {
            path = line.split(' ').nth(1).unwrap_or_default().split('?').next().unwrap_or_default().to_owned();
        } else if let Some(named) = line.to_ascii_lowercase().strip_prefix("host:") {
            host = named.trim().to_owned();
        }
    }
    let file = root.join(host).join(path.trim_start_matches('/'));
    let file = if file.is_dir() { file.join("index.html") } else { file };
    let (status, kind, body) = match std::fs::read(&file) {
        Ok(body) if file.ends_with("index.html") => ("200 OK", "text/html", body),
        Ok(body) => ("200 OK", "application/octet-stream", body),
        Err(_) => ("404 Not Found", "text/plain", Vec::new()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
}

/// A repository at `git.test` and a library at `pypi.test`.
const MAKE_SITES: &str = r#"
set -e
mkdir -p git.test pypi.test/simple/greet src
cd src
git init -q .
printf 'import greet\nassert greet.hello("exeat") == "hello, exeat"\nprint(greet.hello("exeat"))\n' > test.py
git add test.py
git -c user.name=a -c user.email=a@a.test commit -q -m 'A test'
cd ..
git clone -q --bare src git.test/app.git
git -C git.test/app.git update-server-info
python3 - <<'END'
import zipfile
name = "greet-1.0-py3-none-any.whl"
with zipfile.ZipFile("pypi.test/simple/greet/" + name, "w") as wheel:
    wheel.writestr("greet.py", "def hello(name):\n    return 'hello, ' + name\n")
    wheel.writestr("greet-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: greet\nVersion: 1.0\n")
    wheel.writestr("greet-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    wheel.writestr("greet-1.0.dist-info/RECORD", "")
open("pypi.test/simple/greet/index.html", "w").write('<a href="' + name + '">' + name + "</a>")
END
"#;

#[test]
fn the_guide_to_confined_commands_does_what_it_says() {
    let ground = tempfile::tempdir().unwrap();
    let at = |name: &str| ground.path().join(name);
    for folder in ["home", "work", "sites"] {
        std::fs::create_dir(at(folder)).unwrap();
    }
    let home = at("home");
    let made =
        Command::new("sh").args(["-c", MAKE_SITES]).current_dir(at("sites")).env("HOME", &home).output().unwrap();
    assert!(made.status.success(), "git, python3 and a shell are needed: {made:?}");
    let port = sites(at("sites"));
    let names = ["git.test", "pypi.test", "paste.test"];
    let hosts = names.map(|name| format!("{name}:80=127.0.0.1:{port}")).join(",");
    let trusted = names.map(|name| format!("{name}=127.0.0.0/8:80")).join(",");
    let variables = [("HOME", home.to_str().unwrap()), ("EXEAT_HOSTS", &hosts), ("EXEAT_TRUSTED_UPSTREAMS", &trusted)];
    let ran = follow(EXEC, &variables, &at("work"));
    assert!(ran >= 10, "the guide runs its commands: {ran}");
}

#[test]
fn a_promise_that_is_not_kept_is_found() {
    let check = |expected: &str, output: &str, want: bool| {
        assert_eq!(all_fit(&told(expected), &told(output)), want, "{expected:?} {output:?}");
    };
    check("a … c", "a b c", true);
    check("a … c", "a b d", false);
    check("…\nlast", "one\ntwo\nlast\n", true);
    check("…\nlast", "one\nlast\nmore", false);
    check("", "something", false);
    check("…", "", true);
}
