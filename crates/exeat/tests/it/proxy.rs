//! The proxy as `serve` and `dev` start it, and the commands that go with it.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde_json::json;
use testkit::TempStore;
use testkit::exeat::Setup;

use crate::fake::Fake;
use crate::program::{against, exeat_with};
use crate::server::{Dev, Server};

/// An origin that answers every connection with one line; gives its port.
fn origin() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = [0; 4_096];
            if stream.read(&mut head).unwrap_or(0) > 0 {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close\r\n\r\narrive").ok();
            }
        }
    });
    port
}

/// Sends a request and reads the answer to the end of what comes within a while.
fn exchange(mut stream: impl std::io::Read + std::io::Write, request: &str) -> String {
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let mut part = [0; 4_096];
    while let Ok(read @ 1..) = stream.read(&mut part) {
        answer.extend_from_slice(&part[..read]);
    }
    String::from_utf8(answer).unwrap()
}

fn get(server: &Server, key: &str, url: &str, host: &str) -> String {
    let stream = TcpStream::connect(server.proxy_address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let request =
        format!("GET {url} HTTP/1.1\r\nHost: {host}\r\nProxy-Authorization: Bearer {key}\r\nConnection: close\r\n\r\n");
    exchange(stream, &request)
}

#[test]
fn serve_lets_out_what_is_allowed_to_where_it_was_told() {
    let port = origin();
    let hosts = format!("site.test:80=127.0.0.1:{port}");
    let server = Server::start_with(&[
        ("EXEAT_HOSTS", &hosts),
        ("EXEAT_TRUSTED_UPSTREAMS", "site.test=127.0.0.1:80"),
        ("EXEAT_EGRESS_HOLD_SECONDS", "0"),
    ]);
    let key = server.key("agent");
    let asked = get(&server, &key, "http://site.test/", "site.test");
    assert!(asked.starts_with("HTTP/1.1 403 ") && asked.contains("external_read_requires_approval"), "{asked}");
    server.run(&["policy", "allow", "site.test"]).exits(0);
    let passed = get(&server, &key, "http://site.test/", "site.test");
    assert!(passed.starts_with("HTTP/1.1 200 ") && passed.ends_with("arrive"), "{passed}");
    // Another port of the same name is not excepted, nor is the same address by its number.
    for url in [format!("http://site.test:{port}/"), format!("http://127.0.0.1:{port}/")] {
        server.run(&["policy", "allow", "site.test", "127.0.0.1", "--port", &port.to_string()]).exits(0);
        let refused = get(&server, &key, &url, url.trim_start_matches("http://").trim_end_matches('/'));
        assert!(refused.starts_with("HTTP/1.1 403 ") || refused.starts_with("HTTP/1.1 502 "), "{url}: {refused}");
        assert!(!refused.ends_with("arrive"), "{url}: {refused}");
    }
    let nobody = get(&server, "exk_1_wrong", "http://site.test/", "site.test");
    assert!(nobody.starts_with("HTTP/1.1 407 "), "{nobody}");
    let ready = server.run(&["status", "--json"]).exits(0).json();
    assert_eq!(ready["proxy"], "ok");
    let stats = server.run(&["egress", "stats", "--json"]).exits(0).json();
    let total = |name: &str| stats["total"][name].as_u64().unwrap();
    // The rule for the other port allows it; the name does not lead anywhere there.
    assert_eq!((total("allowed"), total("completed"), total("failed"), total("denied")), (2, 1, 1, 1), "{stats}");
    assert!(stats["total"]["bytes_down"].as_u64().unwrap() >= 6, "{stats}");
}

#[test]
fn our_own_listeners_are_never_excepted() {
    let api = testkit::free_port().unwrap();
    let listen = format!("127.0.0.1:{api}");
    let server = Server::start_with(&[
        ("EXEAT_LISTEN", &listen),
        ("EXEAT_HOSTS", &format!("own.test:80={listen}")),
        ("EXEAT_TRUSTED_UPSTREAMS", "own.test:80,own.test=127.0.0.0/8:80"),
    ]);
    server.run(&["policy", "allow", "own.test"]).exits(0);
    let refused = get(&server, &server.key("agent"), "http://own.test/livez", "own.test");
    assert!(refused.starts_with("HTTP/1.1 403 ") && refused.contains("destination_denied"), "{refused}");
}

#[test]
fn a_socket_lets_in_whom_the_configuration_names() {
    let port = origin();
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("proxy.sock");
    // The owner of a file just made is who runs this.
    let uid = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(folder.path()).unwrap());
    let store = TempStore::create().unwrap();
    let setup = |peers: &str| {
        Setup::with_binary(env!("CARGO_BIN_EXE_exeat").into(), &store.url())
            .unwrap()
            .env("POLICY_ENFORCEMENT_MODE", "enforce")
            .env("EXEAT_HOSTS", &format!("site.test:80=127.0.0.1:{port}"))
            .env("EXEAT_TRUSTED_UPSTREAMS", "site.test:80")
            .env("EXEAT_PROXY_UNIX", socket.to_str().unwrap())
            .env("EXEAT_PROXY_PEERS", peers)
            .env("EXEAT_EGRESS_HOLD_SECONDS", "0")
    };
    let ask = || {
        let stream = UnixStream::connect(&socket).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        exchange(stream, "GET http://site.test/ HTTP/1.1\r\nHost: site.test\r\nConnection: close\r\n\r\n")
    };
    let first = setup(&format!("{uid}=ws_test/p_nobody"));
    let process = first.start().unwrap();
    let unknown = ask();
    assert!(unknown.starts_with("HTTP/1.1 403 ") && unknown.contains("principal_not_found"), "{unknown}");
    let made = first.run_json(&["keys", "create", "--role", "agent", "--workspace", "ws_test", "--json"]).unwrap();
    let principal = made["principal_id"].as_str().unwrap();
    // A dead server leaves its socket; the next one takes its place.
    process.kill9().unwrap();
    let process = setup(&format!("{uid}=ws_test/{principal}")).start().unwrap();
    let asked = ask();
    assert!(asked.starts_with("HTTP/1.1 403 ") && asked.contains("external_read_requires_approval"), "{asked}");
    process.sigterm().unwrap();
    assert!(!socket.exists());
    // Others are refused there.
    let _process = setup(&format!("{}=ws_test/{principal}", uid + 1)).start().unwrap();
    let refused = ask();
    assert!(refused.starts_with("HTTP/1.1 403 ") && refused.contains("unknown_user"), "{refused}");
}

#[test]
fn others_reach_it_by_tls_only_unless_told() {
    let folder = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}", folder.path().join("exeat.db").display());
    let with = |more: &[(&str, &str)]| {
        let mut variables = vec![("DATABASE_URL", store.as_str()), ("EXEAT_LISTEN", "127.0.0.1:0")];
        variables.extend_from_slice(more);
        exeat_with(&variables, &["serve"])
    };
    let told = with(&[("EXEAT_PROXY_LISTEN", "0.0.0.0:0")]).exits(2).stderr;
    for name in ["EXEAT_PROXY_LISTEN", "EXEAT_PROXY_TLS_CERT", "EXEAT_PROXY_DANGER_PLAIN_NON_LOOPBACK"] {
        assert!(told.contains(name), "{told}");
    }
    let missing = [("EXEAT_PROXY_TLS_CERT", "/nowhere/cert.pem"), ("EXEAT_PROXY_TLS_KEY", "/nowhere/key.pem")];
    let told = with(&missing).exits(2).stderr;
    assert!(told.contains("EXEAT_PROXY_TLS_CERT") && told.contains("/nowhere/cert.pem"), "{told}");
    let told = with(&[("EXEAT_UPSTREAM_PROXY", "socks5://user:hunter2@proxy")]).exits(2).stderr;
    assert!(told.contains("EXEAT_UPSTREAM_PROXY") && !told.contains("hunter2"), "{told}");
}

#[test]
fn dev_has_a_proxy_and_says_where() {
    let home = tempfile::tempdir().unwrap();
    let dev = Dev::start(home.path(), &[]);
    let proxy = dev.told["proxy"].as_str().unwrap().strip_prefix("http://").unwrap().to_owned();
    let answer = exchange(
        TcpStream::connect(proxy).unwrap(),
        "GET http://hello.test/ HTTP/1.1\r\nHost: hello.test\r\nConnection: close\r\n\r\n",
    );
    assert!(answer.starts_with("HTTP/1.1 407 "), "{answer}");
    let file = dev.told["demo_proxy_headers"].as_str().unwrap();
    assert!(std::fs::read_to_string(file).unwrap().starts_with("proxy-authorization: Bearer exk_"));
}

#[test]
fn env_prints_variables_for_a_shell_or_a_script() {
    let answer =
        json!({ "credential": "exp1.a.b", "expires_at": "2026-11-22T00:00:00.000Z", "principal_id": "p_coder" });
    let agents = json!({ "agents": [{ "agent_id": "a_1", "display_name": "coder", "principal_id": "p_coder" }] });
    let fake = Fake::new(&[("POST /v1/proxy/credentials", 201, answer), ("GET /v1/agents", 200, agents)]);
    let ran = against(&fake, &["proxy", "env", "--agent", "coder", "--for", "8h", "--proxy", "http://gate.test:7071"])
        .exits(0);
    assert!(ran.stdout.contains("export https_proxy='http://exeat:exp1.a.b@gate.test:7071'\n"), "{ran:?}");
    assert!(ran.stdout.contains("export NODE_USE_ENV_PROXY='1'\n"), "{ran:?}");
    assert!(ran.stdout.lines().all(|line| line.starts_with("export ")), "{ran:?}");
    assert!(ran.stderr.contains("2026-11-22") && !ran.stderr.contains("exp1"), "{ran:?}");
    let asked = fake.only("POST /v1/proxy/credentials");
    assert_eq!(asked.body, json!({ "principal_id": "p_coder", "expires_in_s": 28_800 }));

    let ran =
        against(&fake, &["proxy", "env", "--shell", "fish", "--socks", "--proxy", "http://gate.test:7071"]).exits(0);
    assert!(ran.stdout.contains("set -gx all_proxy 'socks5h://exeat:exp1.a.b@gate.test:7071'\n"), "{ran:?}");
    // Without a word about it the proxy is taken to be beside the server.
    let ran = against(&fake, &["proxy", "env", "--json"]).exits(0);
    assert_eq!(ran.json()["env"]["NO_PROXY"], "localhost,127.0.0.1,::1");
    assert_eq!(ran.json()["proxy"], "http://127.0.0.1:7071");
    assert!(ran.stderr.contains("--proxy"), "{ran:?}");
    against(&fake, &["proxy", "env", "--agent", "nobody"]).exits(6);
    against(&fake, &["proxy", "env", "--proxy", "gate.test:7071"]).exits(2);
}

#[test]
fn tail_shows_what_the_filters_leave() {
    let event = |id: &str, host: &str, decision: &str| {
        let data = json!({ "egress_request_id": id, "action": "external.write", "method": "CONNECT", "target_domain": host,
            "target_url": format!("https://{host}/"), "decision": decision, "blocked": decision != "allow", "reason_code": "x" });
        let kind = if decision == "allow" { "egress.allowed" } else { "egress.blocked" };
        json!({ "event_type": kind, "occurred_at": "2026-01-02T03:04:05.678Z", "actor_type": "user", "actor_id": "ann", "data": data })
    };
    let end = json!({ "event_type": "egress.completed", "occurred_at": "2026-01-02T03:04:06.000Z", "actor_type": "user",
        "actor_id": "ann", "data": { "egress_request_id": "egr_1", "outcome": "cut", "bytes_up": 1, "bytes_down": 2_000,
        "duration_ms": 5, "error_code": "policy_changed" } });
    let all = [
        event("egr_1", "a.github.com", "allow"),
        event("egr_2", "b.test", "deny"),
        event("egr_3", "github.com", "deny"),
        end,
    ];
    let text: String = all.iter().zip(1..).map(|(event, id)| format!("id: {id}\ndata: {event}\n\n")).collect();
    let tail = |words: &[&str]| {
        let fake = Fake::streaming("/v1/streams/events", &[&text]);
        against(&fake, &[&["egress", "tail"], words].concat()).exits(0)
    };
    let ran = tail(&["host:*.github.com", "decision:deny", "-n", "1"]);
    assert!(ran.stdout.contains("github.com:443") && ran.stdout.contains("egr_3"), "{ran:?}");
    let ran = tail(&["outcome:cut", "user:ann", "-n", "1"]);
    assert!(
        ran.stdout.contains("a.github.com:443")
            && ran.stdout.contains("2.0 kB down")
            && ran.stdout.contains("policy_changed"),
        "{ran:?}"
    );
    let ran = tail(&["--json", "-n", "4"]);
    let lines: Vec<serde_json::Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 4);
    assert_eq!((&lines[3]["request"]["host"], &lines[3]["data"]["outcome"]), (&json!("a.github.com"), &json!("cut")));
    let fake = Fake::streaming("/v1/streams/events", &[&text]);
    let ran = against(&fake, &["egress", "tail", "hots:a.test"]).exits(2);
    assert!(ran.stderr.contains("did you mean `host`?"), "{ran:?}");
}
