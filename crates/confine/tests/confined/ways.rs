//! What a command reaches: the gate, by every way, and nothing else.

use std::io::Read as _;
use std::time::Duration;

use confine::{Network, Rung, Stdio, WindowSize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::bed::{Bed, DECLARED, origin, text};

const BOTH: [Rung; 2] = [Rung::A, Rung::B];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_allowed_name_is_reached_with_a_proxy_and_without() {
    let bed = Bed::new(Some(origin().await)).await;
    for rung in BOTH {
        for script in [
            "curl -sS http://one.test/",
            "curl -sS --noproxy '*' http://one.test/",
            "exec 3<>/dev/tcp/one.test/80; printf 'GET / HTTP/1.0\\r\\nHost: one.test\\r\\n\\r\\n' >&3; tail -1 <&3",
            "curl -sS --socks5 127.0.0.1:3128 http://one.test/",
        ] {
            let ran = bed.run(rung, Network::None, script).await;
            assert_eq!(ran.out, "ok\n", "{rung} {script}");
            let ended = ran.ended();
            assert_eq!((ended.exit.code(), ran.attempts(), ended.rung), (0, Vec::new(), rung), "{script}");
            let [allowed] = ended.rulings.allowed.as_slice() else { panic!("{:?}", ended.rulings) };
            assert_eq!((allowed.host.as_str(), allowed.port), ("one.test", 80), "{rung} {script}");
            assert_eq!(allowed.captured, script.contains("noproxy") || script.contains("/dev/tcp"), "{rung} {script}");
        }
    }
    assert_eq!(bed.violations().await, Vec::<serde_json::Value>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_allowed_is_answered_and_what_that_means_is_the_calls_to_say() {
    let bed = Bed::new(Some(origin().await)).await;
    assert!(bed.confiner.state().allowlist.is_empty());
    for rung in BOTH {
        for (script, attempt) in [
            ("curl -sS -o /dev/null -w '%{http_code}' http://other.test/", "ask none http name 80"),
            ("curl -sS -o /dev/null -w '%{http_code}' --noproxy '*' http://other.test/", "ask none http name 80"),
            ("curl -sS -o /dev/null -w '%{http_code}' --noproxy '*' http://203.0.113.5/", "ask inet http reserved 80"),
        ] {
            let ran = bed.run(rung, DECLARED, script).await;
            assert_eq!((ran.out.as_str(), ran.attempts()), ("403", Vec::new()), "{rung} {script}");
            assert_eq!(ran.ended().rulings.blocked.len() + ran.ended().rulings.asked.len(), 1, "{rung} {script}");
            let ran = bed.run(rung, Network::None, script).await;
            assert_eq!((ran.out.as_str(), ran.attempts()), ("403", vec![attempt.to_owned()]), "{rung} {script}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_calls_own_loopback_works() {
    let bed = Bed::new(None).await;
    for rung in BOTH {
        let script = "python3 -m http.server 8123 --bind 127.0.0.1 >/dev/null 2>&1 & \
                      for n in $(seq 100); do curl -sS -o /dev/null http://localhost:8123/ 2>/dev/null && echo up && break; sleep 0.1; done";
        let ran = bed.run(rung, Network::None, script).await;
        assert_eq!((ran.out.as_str(), ran.attempts()), ("up\n", Vec::new()), "{rung}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_machine_finds_a_published_port_and_the_call_an_exposed_one() {
    let address = origin().await;
    let bed = Bed::new(None).await;
    for (rung, port) in [(Rung::A, 8126), (Rung::B, 8127)] {
        let script = format!("exec python3 -m http.server {port} --bind 127.0.0.1");
        let (mut call, out) = bed.call(rung, Network::None, &script);
        call.publish = vec![port];
        let running = bed.confiner.start(call, CancellationToken::new()).await.unwrap();
        let [(inside, outside)] = running.published() else { panic!("{:?}", running.published()) };
        assert_eq!(*inside, port);
        let mut answer = String::new();
        for _ in 0..100 {
            if let Ok(mut stream) = TcpStream::connect(outside).await {
                let _ = stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await;
                let _ = stream.read_to_string(&mut answer).await;
            }
            if !answer.is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        running.controls().kill();
        assert!(running.ended().await.unwrap().evidence.is_none(), "{rung}");
        assert!(answer.starts_with("HTTP/1.0 "), "{rung} {answer:?} {}", text(out));

        let script = format!("curl -sS http://127.0.0.1:{}/", address.port());
        let (mut call, out) = bed.call(rung, Network::None, &script);
        call.plan.exposed_ports = vec![address.port()];
        let ended = bed.confiner.run(call, CancellationToken::new()).await.unwrap();
        assert_eq!((text(out).as_str(), ended.evidence), ("ok\n", None), "{rung}");
        // The control: a port that was not exposed is not there.
        let (call, out) = bed.call(rung, Network::None, &script);
        bed.confiner.run(call, CancellationToken::new()).await.unwrap();
        assert!(!text(out).contains("ok\n"), "{rung}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_may_have_a_terminal_of_its_own() {
    let bed = Bed::new(None).await;
    for rung in BOTH {
        let (mut call, _out) = bed.call(rung, Network::None, "tty -s && stty size");
        call.stdio = Stdio::Terminal;
        call.command.terminal = Some(WindowSize { rows: 33, columns: 99 });
        let mut running = bed.confiner.start(call, CancellationToken::new()).await.unwrap();
        let mut outer = std::fs::File::from(running.terminal().unwrap());
        let said = tokio::task::spawn_blocking(move || {
            let mut said = Vec::new();
            // Its end is an error when the other side is gone.
            let _ = outer.read_to_end(&mut said);
            String::from_utf8_lossy(&said).into_owned()
        });
        assert_eq!(running.ended().await.unwrap().exit.code(), 0, "{rung}");
        assert_eq!(said.await.unwrap(), "33 99\r\n", "{rung}");
    }
}
