//! Signals that reach this process go on to the command: it has a session of its own, so the keyboard's do not
//! reach it otherwise.

use std::sync::Arc;

use confine::Controls;
use rustix::process::Signal;
use tokio::signal::unix::{Signal as Heard, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::stdio;
use super::terminal::Raw;

/// Passed on as they are.
const PASSED: [i32; 6] = [
    Signal::INT.as_raw(),
    Signal::TERM.as_raw(),
    Signal::HUP.as_raw(),
    Signal::QUIT.as_raw(),
    Signal::USR1.as_raw(),
    Signal::USR2.as_raw(),
];
/// Of those that ask for the end: at the third the whole tree is killed.
const PATIENCE: usize = 3;

/// Signals that are listened to, from before the command starts: one that comes as soon as it runs is neither lost
/// nor the end of this process.
pub(super) struct Listening {
    passed: Vec<(i32, Heard)>,
    resized: Heard,
    stopped: Heard,
}

/// Passes signals on until it is dropped.
pub(super) struct Signals {
    _tasks: JoinSet<()>,
}

impl Listening {
    /// Begins to listen.
    ///
    /// # Errors
    /// A signal cannot be listened to.
    pub(super) fn begin() -> std::io::Result<Self> {
        let listen = |number| signal(SignalKind::from_raw(number));
        let passed = PASSED.map(|number| listen(number).map(|heard| (number, heard)));
        Ok(Self {
            passed: passed.into_iter().collect::<Result<_, _>>()?,
            resized: signal(SignalKind::window_change())?,
            stopped: listen(Signal::TSTP.as_raw())?,
        })
    }

    /// Passes on what was heard since, and what comes.
    pub(super) fn pass_to(self, controls: &Controls, raw: Option<Arc<Raw>>) -> Signals {
        let Self { passed, mut resized, mut stopped } = self;
        let mut tasks = JoinSet::new();
        let (ends, mut ended) = mpsc::channel::<()>(PATIENCE);
        for (number, mut heard) in passed {
            let (controls, ends) = (controls.clone(), ends.clone());
            let asks_for_end = number == Signal::INT.as_raw() || number == Signal::TERM.as_raw();
            tasks.spawn(async move {
                while heard.recv().await.is_some() {
                    controls.signal(number);
                    if asks_for_end {
                        let _ = ends.try_send(());
                    }
                }
            });
        }
        let killing = controls.clone();
        tasks.spawn(async move {
            for _ in 0..PATIENCE {
                if ended.recv().await.is_none() {
                    return;
                }
            }
            killing.kill();
        });
        let sizing = controls.clone();
        tasks.spawn(async move {
            while resized.recv().await.is_some() {
                if let Some(size) = stdio::size() {
                    sizing.resize(size);
                }
            }
        });
        let stopping = controls.clone();
        tasks.spawn(async move {
            while stopped.recv().await.is_some() {
                stopping.signal(Signal::TSTP.as_raw());
                if let Some(raw) = &raw {
                    raw.restore();
                }
                // Returns when somebody continues this process.
                let _ = rustix::process::kill_process(rustix::process::getpid(), Signal::STOP);
                if let Some(raw) = &raw {
                    let _ = raw.again();
                    if let Some(size) = stdio::size() {
                        stopping.resize(size);
                    }
                }
                stopping.signal(Signal::CONT.as_raw());
            }
        });
        Signals { _tasks: tasks }
    }
}
