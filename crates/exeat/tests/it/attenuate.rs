//! Narrowing a token on the command line, without a server, and using what comes out with the real one.

use std::io::Write as _;
use std::process::{Command, Stdio};

use model::TokenId;
use model::capability::{Bearer, LINKS_MAX, mint};
use serde_json::json;

use crate::program::{exeat, exeat_with};
use crate::server::Server;

const SECRET: [u8; 32] = [9; 32];

fn whole() -> String {
    mint(&TokenId::parse("t1").unwrap(), &SECRET)
}

fn caveats(token: &str) -> serde_json::Value {
    json!(Bearer::parse(token.trim()).unwrap().verify(&SECRET).unwrap().narrowing.unwrap().caveats())
}

#[test]
fn prints_the_narrower_token_and_nothing_else() {
    let token = whole();
    let with = |words: &[&str]| {
        let words = [&["capabilities", "attenuate"], words].concat();
        exeat_with(&[("EXEAT_TOKEN", token.as_str())], &words).exits(0)
    };
    let ran =
        with(&["--tool", "search", "--domain", "API.example.com", "--data-read", "document", "--zone", "sandbox"]);
    assert_eq!(ran.stdout.lines().count(), 1);
    assert_eq!(
        caveats(&ran.stdout),
        json!([{"data_access": {"read": ["document"]}, "egress_domains": ["api.example.com"], "tools": ["search"], "zone": "sandbox"}])
    );
    let told =
        with(&["--run", "run_1", "--uses", "3", "--for", "2030-01-01T00:00:00Z", "--name", "n", "--json"]).json();
    let caveat = json!({"expires_at": "2030-01-01T00:00:00.000Z", "id": "n", "run": "run_1", "uses": 3});
    assert_eq!((&told["caveat"], caveats(told["token"].as_str().unwrap())), (&caveat, json!([caveat])));
    // Two that count are two, unless they are named alike.
    assert_ne!(with(&["--uses", "1"]).stdout, with(&["--uses", "1"]).stdout);
    assert_eq!(with(&["--uses", "1", "--name", "n"]).stdout, with(&["--uses", "1", "--name", "n"]).stdout);
}

#[test]
fn takes_the_token_from_a_file_the_environment_or_standard_input_and_from_no_flag() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    std::fs::write(&file, format!("{}\n", whole())).unwrap();
    let from_file =
        exeat(&["capabilities", "attenuate", "--token-file", file.to_str().unwrap(), "--tool", "a"]).exits(0);
    for words in [&["--token-file", "-"][..], &[]] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_exeat"))
            .args(["capabilities", "attenuate", "--tool", "a"])
            .args(words)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(whole().as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), from_file.stdout, "{words:?}");
    }
    exeat(&["capabilities", "attenuate", "--token", &whole(), "--tool", "a"]).exits(2);
    let missing = exeat(&["capabilities", "attenuate", "--token-file", "nowhere", "--tool", "a"]).exits(5);
    assert!(missing.stderr.contains("nowhere"), "{missing:?}");
}

#[test]
fn refuses_what_takes_nothing_away_and_what_is_no_token() {
    let token = whole();
    let with = |token: &str, words: &[&str]| {
        let words = [&["capabilities", "attenuate"], words].concat();
        exeat_with(&[("EXEAT_TOKEN", token)], &words).exits(2).stderr
    };
    assert!(with(&token, &[]).contains("takes at least one thing away"));
    for words in [
        &["--domain", "a b"][..],
        &["--zone", "moon"],
        &["--uses", "-1"],
        &["--uses", "9999999999"],
        &["--name", "a b", "--tool", "x"],
    ] {
        with(&token, words);
    }
    for text in ["", "exk_1_a", "cap1.t1", &token[..token.len() - 1]] {
        let told = with(text, &["--tool", "a"]);
        assert!(told.contains("cannot be narrowed") && (text.is_empty() || !told.contains(text)), "{told}");
    }
    let mut full = token;
    for _ in 0..LINKS_MAX {
        full = exeat_with(&[("EXEAT_TOKEN", full.as_str())], &["capabilities", "attenuate", "--tool", "a"])
            .exits(0)
            .stdout;
    }
    assert!(with(&full, &["--tool", "a"]).contains("at most 16"));
}

#[test]
fn what_comes_out_lets_in_and_only_to_what_is_left() {
    let server = Server::start();
    let principal = server.run(&["principals", "create", "service", "--json"]).exits(0).json();
    let to = principal["principal_id"].as_str().unwrap();
    let grant =
        ["capabilities", "grant", "--to", to, "--by", to, "--domain", "*.example.com", "--action", "*", "--bearer"];
    let whole = server.run(&grant).exits(0).stdout.trim().to_owned();
    let words = ["capabilities", "attenuate", "--domain", "api.example.com", "--for", "1h"];
    let narrow = exeat_with(&[("EXEAT_TOKEN", whole.as_str())], &words).exits(0).stdout.trim().to_owned();
    let check = |token: &str, host: &str| {
        let url = format!("https://{host}/");
        server.run_as(token, &["check", "egress", &url, "--action", "internal.read"]).code
    };
    for (host, with_whole, with_narrow) in [("api.example.com", 0, 0), ("www.example.com", 0, 3), ("example.org", 3, 3)]
    {
        assert_eq!((check(&whole, host), check(&narrow, host)), (with_whole, with_narrow), "{host}");
    }
    let id = whole.split('.').nth(1).unwrap();
    server.run(&["capabilities", "revoke", id]).exits(0);
    assert_eq!((check(&whole, "api.example.com"), check(&narrow, "api.example.com")), (5, 5));
}
