//! What one call tried and asked, told by those who guard it and by the gate, and made durable as it comes.
//!
//! Whoever tells waits until the record is durable, and whoever tried waits for them. When it cannot be made
//! durable nothing more happens: the call is killed, and ends in `event_log_failure`.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use egress::proxy::Ruling;
use futures::future::BoxFuture;
use gate::{Gate, Violation};
use guard::attempt::{Attempt, Class, Destination, Seen, Unrecorded, Witness, destination};
use guard::rung::Rung;
use model::Outcome;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::evidence::Gathered;
use crate::rulings::Asked;
use crate::{ConfineError, Evidence, Network, OnRefused, Rulings};

/// How often the event at the end is tried to be written, and the pause before it is tried again.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(300);

/// The record of one call.
pub(crate) struct Record {
    gate: Gate,
    violation: Violation,
    rung: Rung,
    input_hmac: String,
    network: Network,
    runtime: Handle,
    gathered: Mutex<Gathered>,
    asked: Mutex<Asked>,
    /// Held while a mark is being made durable, so that a later one says no less.
    marking: tokio::sync::Mutex<()>,
    failed: AtomicBool,
    /// Kills the call.
    kill: CancellationToken,
}

/// What a record needs to know of its call.
pub(crate) struct Of {
    pub(crate) violation: Violation,
    pub(crate) rung: Rung,
    pub(crate) input_hmac: String,
    pub(crate) network: Network,
}

impl Record {
    /// A record of nothing. To be made in a runtime; `kill` is cancelled when nothing more may happen.
    pub(crate) fn new(gate: Gate, of: Of, kill: CancellationToken) -> Arc<Self> {
        let Of { violation, rung, input_hmac, network } = of;
        Arc::new(Self {
            gate,
            violation,
            rung,
            input_hmac,
            network,
            runtime: Handle::current(),
            gathered: Mutex::default(),
            asked: Mutex::default(),
            marking: tokio::sync::Mutex::new(()),
            failed: AtomicBool::new(false),
            kill,
        })
    }

    /// Takes what was seen; durable once it returns.
    pub(crate) async fn take(&self, seen: Seen) -> Result<(), Unrecorded> {
        let subject = seen.subject.as_deref().map(|subject| self.gate.subject_hmac(subject));
        let changed = self.gathered().add(seen.attempt, seen.class, subject);
        if seen.class == Class::Notice {
            metrics::counter!("exeat_guard_notices_total", "op" => seen.attempt.op).increment(1);
            return Ok(());
        }
        metrics::counter!("exeat_guard_violations_total", "op" => seen.attempt.op).increment(1);
        if changed {
            let marking = self.marking.lock().await;
            let marked = self.gate.mark_violation(&self.violation, &self.summary()).await;
            drop(marking);
            if let Err(error) = marked {
                tracing::error!(%error, "an attempt to get out cannot be recorded: the command is killed");
                return self.fail();
            }
        }
        if self.failed.load(Ordering::Acquire) { Err(Unrecorded) } else { Ok(()) }
    }

    /// Takes what was seen by somebody who cannot be told that it could not be recorded.
    pub(crate) async fn take_all(&self, all: Vec<Seen>) {
        for seen in all {
            if self.take(seen).await.is_err() {
                return;
            }
        }
    }

    /// Something can no longer be seen: what was tried may be more than what is known, so the call is over.
    pub(crate) fn lost(&self, error: &std::io::Error) {
        tracing::error!(%error, "what a command tries cannot be seen any more: it is killed");
        let _ = self.fail();
    }

    /// Nothing can be recorded: the call is over.
    fn fail(&self) -> Result<(), Unrecorded> {
        if guard::weaken::asked("swallow_log_error") {
            return Ok(());
        }
        self.failed.store(true, Ordering::Release);
        self.kill.cancel();
        Err(Unrecorded)
    }

    /// Whether a refusal of the gate is a violation of this call.
    fn taints(&self) -> bool {
        matches!(self.network, Network::None | Network::Declared { on_refused: OnRefused::Fail })
    }

    /// What was asked, noticed and tried, once nobody is left who could do more; the event is durable then.
    pub(crate) async fn finish(&self) -> Result<(Option<Evidence>, u64, Vec<Attempt>, Rulings), ConfineError> {
        let rulings = std::mem::take(&mut *self.asked.lock().unwrap_or_else(PoisonError::into_inner)).into_rulings();
        let (notices, noticed) = self.gathered().notices();
        let evidence = if self.gathered().is_clean() { None } else { Some(self.event().await?) };
        if self.failed.load(Ordering::Acquire) {
            return Err(ConfineError::EventLog);
        }
        Ok((evidence, notices, noticed, rulings))
    }

    async fn event(&self) -> Result<Evidence, ConfineError> {
        let (attempts, overflow) = self.gathered().attempts();
        let digest = self.digest();
        let summary = self.summary();
        for left in (0..TRIES).rev() {
            match self.gate.record_violation(&self.violation, &summary).await {
                Ok(event_id) => return Ok(Evidence { event_id, attempts, overflow, digest }),
                Err(error) => tracing::error!(%error, left, "a violation cannot be recorded"),
            }
            tokio::time::sleep(PAUSE).await;
        }
        Err(ConfineError::EventLog)
    }

    fn summary(&self) -> serde_json::Value {
        let digest = self.digest();
        self.gathered().summary(self.rung, &self.input_hmac, &digest)
    }

    fn digest(&self) -> String {
        let text = self.gathered().canonical();
        self.gate.attempts_hmac(text.as_str().as_bytes())
    }

    fn gathered(&self) -> MutexGuard<'_, Gathered> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Told by the guard, on a thread of its own.
impl Witness for Record {
    fn saw(&self, seen: Seen) -> Result<(), Unrecorded> {
        self.runtime.block_on(self.take(seen))
    }
}

/// Told by the proxy.
impl egress::proxy::Witness for Record {
    fn ruled(&self, ruling: Ruling) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if ruling.reason_code == "event_log_failure" {
                let _ = self.fail();
                return;
            }
            let refused = ruling.blocked || ruling.decision == Some(Outcome::RequireApproval);
            let seen = (refused && self.taints()).then(|| refusal(&ruling));
            self.asked.lock().unwrap_or_else(PoisonError::into_inner).add(ruling);
            if let Some(seen) = seen {
                // When it cannot be recorded the call is killed, and whoever asked with it.
                let _ = self.take(seen).await;
            }
        })
    }
}

/// A refusal of the gate as an attempt.
fn refusal(ruling: &Ruling) -> Seen {
    let address: Option<IpAddr> = ruling.host.parse().ok();
    let attempt = Attempt {
        op: "ask",
        family: match address {
            Some(IpAddr::V4(_)) => "inet",
            Some(IpAddr::V6(_)) => "inet6",
            None => "none",
        },
        protocol: if ruling.method == "CONNECT" { "tcp" } else { "http" },
        destination: address.map_or(Destination::Name, destination),
        port: Some(ruling.port),
    };
    Seen::violation(attempt).at(format!("{}:{}", ruling.host, ruling.port).into_bytes())
}
