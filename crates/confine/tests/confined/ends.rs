//! How commands end, and everything with them.

use std::time::{Duration, Instant};

use confine::{ConfineError, Exit, Network, Rung, SessionPlan};
use tokio_util::sync::CancellationToken;

use crate::bed::{Bed, DECLARED, command, text};

const BOTH: [Rung; 2] = [Rung::A, Rung::B];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_ends_as_it_will_and_its_children_with_it() {
    let bed = Bed::new(None).await;
    for rung in BOTH {
        let ran = bed.run(rung, Network::None, "exit 7").await;
        assert_eq!(ran.ended().exit, Exit::Code(7), "{rung}");
        let before = Instant::now();
        let late = "(setsid bash -c 'sleep 2; echo x > /dev/udp/8.8.8.8/9' >/dev/null 2>&1 &) ; exit 3";
        let ran = bed.run(rung, Network::None, late).await;
        assert_eq!((ran.ended().exit, ran.attempts()), (Exit::Code(3), Vec::new()), "{rung}");
        assert!(before.elapsed() < Duration::from_secs(2), "{rung}: nobody waited for the child");
    }
    assert_eq!(bed.confiner.spawned(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_is_stopped_from_outside() {
    let bed = Bed::new(None).await;
    for rung in BOTH {
        let stop = CancellationToken::new();
        let (call, _out) = bed.call(rung, Network::None, "sleep 60");
        let running = bed.confiner.start(call, stop.clone()).await.unwrap();
        stop.cancel();
        let ended = running.ended().await.unwrap();
        assert!(matches!(ended.exit, Exit::Killed | Exit::Signal(9)), "{rung}: {:?}", ended.exit);
        // Whoever lets it go stops it too.
        let (call, out) = bed.call(rung, Network::None, "echo begun; sleep 1; echo still there");
        let running = bed.confiner.start(call, CancellationToken::new()).await.unwrap();
        drop(running);
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        assert!(!text(out).contains("still there"), "{rung}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_spawned_before_the_guard_is_proven() {
    let bed = Bed::untested(None).await;
    let ran = bed.run(Rung::A, Network::None, "true").await;
    assert!(matches!(&ran.ended, Err(ConfineError::IsolationUnavailable { .. })), "{:?}", ran.ended);
    assert_eq!((bed.confiner.spawned(), ran.ended.unwrap_err().exit_code()), (0, 125));
    assert!(!bed.confiner.state().is_ready());
    assert!(bed.confiner.self_test().await.is_ready());
    assert_eq!(bed.run(Rung::A, Network::None, "true").await.ended().exit, Exit::Code(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_executed_is_told_as_a_shell_would() {
    let bed = Bed::new(None).await;
    for rung in BOTH {
        for (program, code) in [("/no/such/program", 127), ("/etc/passwd", 126)] {
            let (mut call, _out) = bed.call(rung, Network::None, "");
            call.command.argv = vec![program.as_bytes().to_vec()];
            let error = bed.confiner.run(call, CancellationToken::new()).await.unwrap_err();
            assert_eq!(error.exit_code(), code, "{rung} {program}: {error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_is_one_jail_for_many_commands() {
    let bed = Bed::new(None).await;
    for rung in BOTH {
        let plan = SessionPlan {
            caller: bed.agent.clone(),
            place: gate::Place::default(),
            tool_name: None,
            cause: None,
            correlation_id: None,
            plan: bed.plan(),
            rung: confine::RungChoice::Exactly(rung),
            network: DECLARED,
            input_hmac: "x".to_owned(),
        };
        let session = bed.confiner.session(plan).await.unwrap();
        let run = async |script: &str| {
            let (call, out) = bed.call(rung, DECLARED, "");
            let exit = session.run(command(script), call.stdio, CancellationToken::new()).await.unwrap();
            (exit, text(out))
        };
        let serve = "setsid python3 -m http.server 8124 --bind 127.0.0.1 >/dev/null 2>&1 & sleep 0.1; exit 5";
        assert_eq!(run(serve).await.0, Exit::Code(5));
        let find = "for n in $(seq 30); do curl -sS -o /dev/null http://localhost:8124/ 2>/dev/null && echo up && break; sleep 0.1; done";
        assert_eq!(run(find).await, (Exit::Code(0), "up\n".to_owned()), "{rung}");
        run("unshare -Un true").await;
        let ended = session.end().await.unwrap();
        assert!(ended.evidence.is_some(), "{rung}");
    }
    assert_eq!(bed.violations().await.len(), 2, "one event for each session");
}
