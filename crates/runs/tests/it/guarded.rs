//! A guard that only says so: it remembers what it was asked to run, and answers as it was told to. What a
//! worker records is seen with it; that a command is really held, the guard's own tests and the attacks show.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use confine::{
    Attempt, Call, Command, ConfineError, Destination, Ended, Evidence, Exit, Finding, GuardState, Held, Network, Plan,
    Rulings, Rung, Stdio,
};
use futures::future::BoxFuture;
use guard::Layer;
use model::EventId;
use runs::{Confined, ProcessConfig, Processes};
use tokio_util::sync::CancellationToken;

/// What was to be run.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) command: Command,
    pub(crate) plan: Plan,
    pub(crate) network: Network,
    pub(crate) tool_name: String,
    pub(crate) principal_id: String,
    pub(crate) input_hmac: String,
    pub(crate) stdin: Vec<u8>,
}

/// What a command says, and how it ends.
pub(crate) struct Says {
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    pub(crate) outcome: Result<Ended, ConfineError>,
}

impl Says {
    pub(crate) fn exit(exit: Exit) -> Self {
        Self { stdout: b"said".to_vec(), stderr: Vec::new(), outcome: Ok(ended(exit)) }
    }
}

pub(crate) fn ended(exit: Exit) -> Ended {
    Ended {
        exit,
        evidence: None,
        notices: 0,
        noticed: Vec::new(),
        rulings: Rulings::default(),
        rung: Rung::A,
        duration: Duration::from_millis(7),
    }
}

/// A violation, as it would have been recorded.
pub(crate) fn evidence() -> Evidence {
    Evidence {
        event_id: EventId::new(),
        attempts: vec![Attempt::call("ptrace", Destination::Kernel)],
        overflow: false,
        digest: "d".repeat(64),
    }
}

type Answer = Box<dyn Fn(&Seen) -> Option<Says> + Send + Sync>;

/// The guard; every handle is the same one.
#[derive(Clone)]
pub(crate) struct Guarded(Arc<Inner>);

struct Inner {
    answer: Answer,
    seen: Mutex<Vec<Seen>>,
    live: AtomicBool,
    tests: AtomicU64,
    stopped: AtomicU64,
}

impl Guarded {
    /// One that answers so; `None`: the command goes on until it is stopped.
    pub(crate) fn new(answer: impl Fn(&Seen) -> Option<Says> + Send + Sync + 'static) -> Self {
        let (live, tests, stopped) = (AtomicBool::new(true), AtomicU64::new(0), AtomicU64::new(0));
        Self(Arc::new(Inner { answer: Box::new(answer), seen: Mutex::default(), live, tests, stopped }))
    }

    /// One whose layers do not hold.
    pub(crate) fn broken() -> Self {
        let guarded = Self::new(|_| Some(Says::exit(Exit::Code(0))));
        guarded.0.live.store(false, Ordering::Release);
        guarded
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.0.seen.lock().unwrap().clone()
    }

    pub(crate) fn tests(&self) -> u64 {
        self.0.tests.load(Ordering::Acquire)
    }

    /// How many commands were stopped.
    pub(crate) fn stopped(&self) -> u64 {
        self.0.stopped.load(Ordering::Acquire)
    }

    /// The tools of a process that is held by it, with folders in `work`.
    pub(crate) fn processes(&self, work: &std::path::Path) -> Processes {
        Processes::new(self.clone(), ProcessConfig::new(work.join("runs")))
    }
}

impl Confined for Guarded {
    fn run(&self, call: Call, stop: CancellationToken) -> BoxFuture<'_, Result<Ended, ConfineError>> {
        Box::pin(async move {
            if !self.0.live.load(Ordering::Acquire) {
                let (layer, reason) = (Layer::Seccomp, "the filter cannot be installed".to_owned());
                return Err(ConfineError::IsolationUnavailable {
                    layer,
                    reason,
                    fix: Some("allow seccomp".to_owned()),
                });
            }
            let Stdio::Files { stdin, stdout, stderr } = call.stdio else { panic!("a tool has no terminal") };
            let read = tokio::task::spawn_blocking(move || {
                let mut bytes = Vec::new();
                File::from(stdin).read_to_end(&mut bytes).unwrap();
                bytes
            });
            let seen = Seen {
                command: call.command,
                plan: call.plan,
                network: call.network,
                tool_name: call.tool_name.unwrap(),
                principal_id: call.caller.principal_id.as_str().to_owned(),
                input_hmac: call.input_hmac.unwrap(),
                stdin: read.await.unwrap(),
            };
            let says = (self.0.answer)(&seen);
            self.0.seen.lock().unwrap().push(seen);
            let Some(says) = says else {
                stop.cancelled().await;
                self.0.stopped.fetch_add(1, Ordering::AcqRel);
                return Ok(ended(Exit::Killed));
            };
            let Says { stdout: said, stderr: complained, outcome } = says;
            let out = tokio::task::spawn_blocking(move || File::from(stdout).write_all(&said));
            let err = tokio::task::spawn_blocking(move || File::from(stderr).write_all(&complained));
            out.await.unwrap().unwrap();
            err.await.unwrap().unwrap();
            outcome
        })
    }

    fn self_test(&self) -> BoxFuture<'_, Arc<GuardState>> {
        self.0.tests.fetch_add(1, Ordering::AcqRel);
        Box::pin(async { Confined::state(self) })
    }

    fn state(&self) -> Arc<GuardState> {
        let live = self.0.live.load(Ordering::Acquire);
        let state = if live { Held::Live } else { Held::Missing };
        let finding = Finding { rung: Rung::A, layer: Layer::Seccomp, state, reason: None, fix: None };
        let rungs = if live { vec![Rung::A] } else { Vec::new() };
        let (allowlist, digest) = (Vec::new(), String::new());
        Arc::new(GuardState { rungs, findings: vec![finding], allowlist, digest })
    }

    fn spawned(&self) -> u64 {
        self.0.seen.lock().unwrap().len() as u64
    }
}
