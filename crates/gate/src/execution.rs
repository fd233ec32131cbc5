//! A request that is being carried out, until its outcome is recorded.
//!
//! The outcome does not hold anybody up: it goes to the gateway's queue and is recorded with others.
//! An execution that is dropped without an outcome was abandoned, and is recorded as cut.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use model::event::{EventContext, EventDraft, EventType};
use model::{Canonical, EgressRequestId, EventId};
use serde::Serialize;

use crate::gateway::{Gateway, Life};

mod codes;
mod words;

pub use codes::{ERROR_CODES, ErrorCode, error_code};
pub use words::in_words;

/// How an execution ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ExecutionOutcome {
    /// To its end.
    Completed,
    /// By a fault: of the network, of the other side, of what was sent.
    Failed,
    /// By the gateway: policy changed, a limit, what the bytes showed.
    Cut,
    /// Nobody knows.
    Unknown,
}

/// What the first bytes of a tunnel said of where it leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ServerName {
    /// The name that was asked for.
    Match,
    /// None.
    Absent,
    /// Another one.
    Other,
}

/// Who made sure that the address is a permitted one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AddressVetting {
    /// The gateway.
    Own,
    /// The proxy it goes through, by the operator's leave.
    Delegated,
}

/// What is recorded of an end. Members in canonical order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    /// How.
    pub outcome: ExecutionOutcome,
    /// The status of the answer, of a request that was seen whole.
    pub status: Option<u16>,
    /// Bytes towards the target, without the gateway's own.
    pub bytes_up: u64,
    /// Bytes from it.
    pub bytes_down: u64,
    /// The address that was reached.
    pub peer_ip: Option<IpAddr>,
    /// What a tunnel's first bytes said.
    pub sni: Option<ServerName>,
    /// Who vetted the address.
    pub address_vetting: Option<AddressVetting>,
    /// What went wrong, one of [`ERROR_CODES`].
    pub error_code: Option<&'static str>,
}

impl Ending {
    /// An end of which nothing more is known.
    #[must_use]
    pub const fn of(outcome: ExecutionOutcome) -> Self {
        Self {
            outcome,
            status: None,
            bytes_up: 0,
            bytes_down: 0,
            peer_ip: None,
            sni: None,
            address_vetting: None,
            error_code: None,
        }
    }

    /// A fault.
    #[must_use]
    pub const fn failed(code: &'static str) -> Self {
        Self { error_code: Some(code), ..Self::of(ExecutionOutcome::Failed) }
    }

    /// Ended by the gateway.
    #[must_use]
    pub const fn cut(code: &'static str) -> Self {
        Self { error_code: Some(code), ..Self::of(ExecutionOutcome::Cut) }
    }
}

/// One request on its way. Ends with [`Self::finish`].
#[must_use = "an execution that is dropped is recorded as abandoned"]
pub struct Execution {
    open: Option<Open>,
}

#[derive(Clone)]
pub(crate) struct Open {
    pub(crate) id: EgressRequestId,
    pub(crate) context: Arc<EventContext>,
    pub(crate) cause: EventId,
    pub(crate) started: Instant,
    pub(crate) gateway: Gateway,
    /// What it was recorded under. Held until the outcome is durable: the signs of life say how far
    /// back something is open.
    pub(crate) life: Life,
}

impl std::fmt::Debug for Execution {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Execution").field("id", &self.open.as_ref().map(|open| open.id.as_str())).finish()
    }
}

impl Execution {
    pub(crate) fn new(open: Open) -> Self {
        Self { open: Some(open) }
    }

    /// Records how it ended, soon: before the process ends, or by whoever sweeps after it.
    pub fn finish(mut self, ending: Ending) {
        self.end(ending);
    }

    fn end(&mut self, ending: Ending) {
        if let Some(open) = self.open.take() {
            let duration_ms = u64::try_from(open.started.elapsed().as_millis()).unwrap_or(u64::MAX);
            open.gateway.clone().finished(Finished { open, ending, duration_ms });
        }
    }
}

impl Drop for Execution {
    fn drop(&mut self) {
        self.end(Ending::cut("abandoned"));
    }
}

/// An end on its way into the log.
#[derive(Clone)]
pub(crate) struct Finished {
    pub(crate) open: Open,
    ending: Ending,
    duration_ms: u64,
}

#[derive(Serialize)]
struct Completed<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    address_vetting: Option<AddressVetting>,
    bytes_down: u64,
    bytes_up: u64,
    duration_ms: u64,
    egress_request_id: &'a EgressRequestId,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<&'a str>,
    outcome: ExecutionOutcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer_ip: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sni: Option<ServerName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
}

/// The event of an end.
pub(crate) fn completed(id: &EgressRequestId, ending: &Ending, duration_ms: u64) -> EventDraft {
    let data: Canonical = crate::decision::rendered(&Completed {
        address_vetting: ending.address_vetting,
        bytes_down: ending.bytes_down,
        bytes_up: ending.bytes_up,
        duration_ms,
        egress_request_id: id,
        error_code: ending.error_code,
        outcome: ending.outcome,
        peer_ip: ending.peer_ip,
        sni: ending.sni,
        status: ending.status,
    });
    EventDraft::new(EventType::EgressCompleted, data)
}

impl Finished {
    /// Its event.
    pub(crate) fn draft(&self) -> EventDraft {
        completed(&self.open.id, &self.ending, self.duration_ms).caused_by(Some(self.open.cause.clone()))
    }
}
