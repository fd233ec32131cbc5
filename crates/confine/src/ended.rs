//! How a call ended, and what it tried.

use std::time::Duration;

use guard::attempt::Attempt;
use guard::plan::Exit;
use guard::rung::Rung;
use model::{ApprovalId, EgressRequestId, EventId, Outcome};
use serde::Serialize;

/// A call that has ended.
#[derive(Debug, Clone)]
pub struct Ended {
    /// How the command ended, which it decides itself.
    pub exit: Exit,
    /// What was tried around the gate. A tool call that has some fails with `network_egress_blocked`,
    /// however the command ended.
    pub evidence: Option<Evidence>,
    /// How often something was felt for that taints nothing.
    pub notices: u64,
    /// What that was: sorted, at most 32.
    pub noticed: Vec<Attempt>,
    /// What was asked of the gate.
    pub rulings: Rulings,
    /// How strongly it was held.
    pub rung: Rung,
    /// From the start of its jail to the death of its last process.
    pub duration: Duration,
}

/// What was tried around the gate, as its event says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The event `security.egress_violation`.
    pub event_id: EventId,
    /// Sorted, each once, at most 32.
    pub attempts: Vec<Attempt>,
    /// Whether there were more.
    pub overflow: bool,
    /// The keyed digest of all that was tried, those beyond the 32 too.
    pub digest: String,
}

/// What was asked of the gate: each place once, in the order of the first ask, at most 256 of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Rulings {
    /// What was let out.
    pub allowed: Vec<Told>,
    /// What waits for a human, or did until it was no longer held.
    pub asked: Vec<Told>,
    /// What was refused.
    pub blocked: Vec<Told>,
    /// How many asks are in none of the three.
    pub more: u64,
}

/// What was asked for, and what the gate said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Told {
    /// The host, or the address where it was asked for as one.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The method; `CONNECT` of a tunnel.
    pub method: String,
    /// Whether the gate decided it, and how. `None`: what was sent could not be read as an ask, or its name
    /// does not exist here.
    pub decision: Option<Outcome>,
    /// Why, as a stable code.
    pub reason_code: String,
    /// The recorded request, of the last ask.
    pub egress_request_id: Option<EgressRequestId>,
    /// The approval that is asked for, of the last ask.
    pub approval_id: Option<ApprovalId>,
    /// Whether it came by no proxy.
    pub captured: bool,
    /// How often.
    pub count: u64,
}
