//! What a command reaches: the gate, by every way, and nothing else.

use confine::{Network, Rung};

use crate::bed::{Bed, DECLARED, origin};

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
