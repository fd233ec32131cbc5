//! `exeat policy`: what needs no server, what it says of bad input, and publishing against the real one.

use std::path::Path;

use crate::program::{Ran, exeat};
use crate::server::Server;

const GOOD: &str = "[[allow]]\nid = \"a\"\nagent = \"coder\"\nhost = \"a.example.com\"\n";

fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn local(words: &[&str], path: &Path) -> Ran {
    exeat(&[&["policy"], words, &[text(path)]].concat())
}

#[test]
fn validates_without_a_server_and_names_what_is_wrong() {
    let good = folder(&[("a.toml", GOOD.as_bytes())]);
    let ran = local(&["validate"], good.path()).exits(0);
    assert!(ran.stdout.contains("1 rule: 0 deny, 0 ask, 1 allow"), "{ran:?}");

    let bad = folder(&[("a.toml", b"[[allow]]\nid = \"a\"\nhots = \"x\"\n"), ("b.toml", b"[[deny]]\nid = \"a b\"\n")]);
    let ran = local(&["validate"], bad.path()).exits(1);
    assert!(ran.stderr.contains("a.toml:3:1") && ran.stderr.contains("did you mean `host`?"), "{ran:?}");
    assert!(ran.stderr.contains("b.toml:2:6") && ran.stderr.contains("2 problems"), "{ran:?}");
    let ran = local(&["validate", "--json"], bad.path()).exits(1);
    assert_eq!(ran.json()["problems"][0]["line"], 3, "{ran:?}");

    let shadowed = folder(&[("a.toml", format!("{GOOD}[[deny]]\nid = \"d\"\nhost = \"*.example.com\"\n").as_bytes())]);
    let ran = local(&["validate"], shadowed.path()).exits(0);
    assert!(ran.stderr.contains("rule `a` never decides"), "{ran:?}");
    local(&["validate", "--strict"], shadowed.path()).exits(1);
}

#[test]
fn refuses_files_that_it_cannot_read() {
    let check = |files: &[(&str, &[u8])], want: &str| {
        let ran = local(&["validate"], folder(files).path()).exits(2);
        assert!(ran.stderr.contains(want), "{want}: {ran:?}");
    };
    check(&[("a.toml", b"[[allow]]\nid = \"\xff\"\n")], "`a.toml` is not UTF-8: byte 16, in line 2");
    check(&[("notes.txt", b"x")], "has no *.toml file");
    check(&[("a.toml", &vec![b'#'; 9 << 20])], "the limit of a set is 8388608");
    let ran = exeat(&["policy", "validate", "nowhere"]).exits(2);
    assert!(ran.stderr.contains("`nowhere` cannot be read") && ran.stderr.contains("next:"), "{ran:?}");
}

#[test]
fn formats_in_place_and_checks() {
    let untidy = folder(&[("a.toml", b"[[allow]]\nhost='a.example.com'  # ours\nid=\"a\"\nagent=\"coder\"\n")]);
    let ran = local(&["fmt", "--check"], untidy.path()).exits(1);
    assert!(ran.stdout.contains("a.toml"), "{ran:?}");
    local(&["fmt"], untidy.path()).exits(0);
    let formatted = std::fs::read_to_string(untidy.path().join("a.toml")).unwrap();
    assert_eq!(formatted, "[[allow]]\nid = \"a\"\nagent = \"coder\"\nhost = \"a.example.com\" # ours\n");
    local(&["fmt", "--check"], untidy.path()).exits(0);
    assert_eq!(std::fs::read_dir(untidy.path()).unwrap().count(), 1, "nothing is left beside the file");
}

#[test]
fn compares_two_folders_without_a_server() {
    let before = folder(&[("a.toml", GOOD.as_bytes())]);
    let after = folder(&[("a.toml", b"[[deny]]\nid = \"a\"\nhost = \"a.example.com\"\n")]);
    let diff =
        |from: &Path, to: &Path, more: &[&str]| exeat(&[&["policy", "diff", text(from), text(to)], more].concat());
    let ran = diff(before.path(), before.path(), &[]).exits(0);
    assert!(ran.stdout.contains("no ask is decided differently"), "{ran:?}");
    let ran = diff(before.path(), after.path(), &["--fail-on-widening"]).exits(0);
    assert!(ran.stdout.contains("changes allow → deny") && ran.stdout.contains("none lets more pass"), "{ran:?}");
    let ran = diff(after.path(), before.path(), &["--fail-on-widening", "--json"]).exits(1);
    assert!(ran.json()["diff"]["widening"].as_u64().unwrap() > 0, "{ran:?}");
}

#[test]
fn runs_tests_and_assertions_without_a_server() {
    let cases = b"[[case]]\nname = \"reads\"\nask = { agent = \"coder\", url = \"https://a.example.com/\" }\nexpect = \"allow\"\n";
    let set = folder(&[("a.toml", GOOD.as_bytes()), ("a.test.toml", cases)]);
    local(&["test"], set.path()).exits(0);
    let ran = local(&["test", "--never", "agent:coder GET a.example.com"], set.path()).exits(1);
    assert!(ran.stdout.contains("1 passed, 1 failed"), "{ran:?}");
    let ran = local(&["test", "--never", "agnet:coder"], set.path()).exits(1);
    assert!(ran.stderr.contains("agnet"), "{ran:?}");
}

#[test]
fn one_rule_is_written_compared_and_published() {
    let server = Server::start();
    let ran = server.run(&["policy", "allow"]).exits(2);
    assert!(ran.stderr.contains("not made in passing"), "{ran:?}");
    let words = ["policy", "allow", "a.example.com", "--agent", "coder", "--method", "get", "--for", "30d"];
    let dry = server.run(&[&words[..], &["--dry-run", "--json"]].concat()).exits(0).json();
    assert_eq!(dry["published"], false, "{dry}");
    assert_eq!(server.run(&["policy", "show", "--json"]).exits(0).json()["version"], 0);

    let published = server.run(&[&words[..], &["--json"]].concat()).exits(0).json();
    assert_eq!(published["policy_set"]["version"], 1, "{published}");
    assert_eq!(published["rule"]["id"], "allow-coder-a.example.com");
    assert_eq!(published["diff"]["widening"], 1, "{published}");
    let again = server.run(&words).exits(0);
    assert!(
        again.stderr.contains("changes nothing") && again.stdout.contains("allow-coder-a.example.com-2"),
        "{again:?}"
    );

    let bad = server.run(&["policy", "deny", "https://a.example.com/x"]).exits(1);
    assert!(bad.stderr.contains("write the host only"), "{bad:?}");
    let back = server.run(&["policy", "rollback", "--json"]).exits(0).json();
    assert_eq!(back["policy_set"]["version"], 3, "{back}");
    server.run(&["policy", "rollback", "--to", "99"]).exits(6);
    assert!(server.run(&["policy", "diff", "v1", "v3"]).exits(0).stdout.contains("no ask is decided differently"));
    server.run(&["policy", "show", "v42"]).exits(6);
}

#[test]
fn a_whole_set_is_published_only_where_the_version_still_holds() {
    let server = Server::start();
    let set = folder(&[("a.toml", GOOD.as_bytes())]);
    server.run(&["policy", "publish", text(set.path()), "--yes"]).exits(0);
    std::fs::write(set.path().join("b.toml"), "[[deny]]\nid = \"b\"\nhost = \"b.example.com\"\n").unwrap();
    let ran = server.run(&["policy", "publish", text(set.path()), "--yes", "--if-version", "7"]).exits(7);
    assert!(ran.stderr.contains("version"), "{ran:?}");
    let failing =
        b"[[case]]\nname = \"no\"\nask = { agent = \"coder\", url = \"https://a.example.com/\" }\nexpect = \"deny\"\n";
    std::fs::write(set.path().join("a.test.toml"), failing).unwrap();
    let ran = server.run(&["policy", "publish", text(set.path()), "--yes"]);
    assert_ne!(ran.code, 0, "{ran:?}");
    assert!(ran.stderr.contains("test"), "{ran:?}");
    assert_eq!(server.run(&["policy", "show", "--json"]).exits(0).json()["version"], 1, "nothing was published");
}
