//! The server process is started, waited for, heard and ended, tried with a stand-in for the binary.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use testkit::exeat::Setup;

const SERVE_VARIABLE: &str = "EXEAT_TESTKIT_STAND_IN";

/// A script that takes the arguments of the binary and becomes this very test, which then serves.
fn stand_in(dir: &TempDir, body: &str) -> PathBuf {
    let path = dir.path().join("exeat");
    std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    path
}

/// Answers 503 twice, then 200, until it is ended; says how it was started on stderr.
#[expect(clippy::print_stderr, reason = "what a server writes there is kept and shown")]
fn serve() {
    let variable = |name| std::env::var(name).unwrap();
    eprintln!("store {} home {}", variable("DATABASE_URL"), variable("HOME"));
    let listener = TcpListener::bind(std::env::var("EXEAT_LISTEN").unwrap()).unwrap();
    for (number, stream) in listener.incoming().enumerate() {
        let mut stream = stream.unwrap();
        let _request = stream.read(&mut [0; 4096]).unwrap();
        let status = if number < 2 { "503 Not Yet" } else { "200 OK" };
        write!(stream, "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n").unwrap();
    }
}

#[test]
fn starts_waits_for_and_ends_a_server() {
    if std::env::var_os(SERVE_VARIABLE).is_some() {
        return serve();
    }
    let dir = tempfile::tempdir().unwrap();
    let this = std::env::current_exe().unwrap();
    let script = format!(
        "[ \"$1\" = serve ] || {{ echo '{{\"key\": \"exk_'\"$4\"'\"}}'; exit 0; }}\n\
         exec '{}' exeat::starts_waits_for_and_ends_a_server --exact --nocapture --test-threads=1",
        this.display()
    );
    let setup = Setup::with_binary(stand_in(&dir, &script), "sqlite:/nowhere/x.db").unwrap().env(SERVE_VARIABLE, "1");
    assert_eq!(setup.key("gateway", Some("ws_a")).unwrap(), "exk_gateway");

    let mut process = setup.start().unwrap();
    assert!(process.is_running().unwrap());
    assert_eq!(process.client().get("/readyz").unwrap().status, 200);
    assert!(process.stderr().contains("store sqlite:/nowhere/x.db home "), "{}", process.stderr());
    let address = process.address();
    process.kill9().unwrap();
    assert!(std::net::TcpStream::connect(address).is_err(), "a killed server does not listen");

    let status = setup.start().unwrap().sigterm().unwrap();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(15));

    let dropped = setup.start().unwrap().address();
    let deadline = Instant::now() + Duration::from_secs(5);
    while std::net::TcpStream::connect(dropped).is_ok() {
        assert!(Instant::now() < deadline, "a dropped server still listens");
    }
}

#[test]
fn says_what_a_server_wrote_that_does_not_start() {
    let dir = tempfile::tempdir().unwrap();
    let setup = Setup::with_binary(stand_in(&dir, "echo 'no such store' >&2; exit 7"), "sqlite:x").unwrap();
    let error = format!("{:#}", setup.start().expect_err("it ends at once"));
    assert!(error.contains("no such store") && error.contains('7'), "{error}");
    let error = format!("{:#}", setup.run_json(&["version"]).expect_err("it fails"));
    assert!(error.contains("no such store") && error.contains("exeat version"), "{error}");
}
