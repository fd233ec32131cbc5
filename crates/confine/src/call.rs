//! What is to be run, for whom, and what it may expect.

use gate::{Caller, Place};
use guard::launch::Stdio;
use guard::plan::{Command, Plan};
use guard::rung::Rung;
use model::{CorrelationId, EventId};

/// A command to be run confined.
pub struct Call {
    /// Who asks for what leaves, and whose events it makes.
    pub caller: Caller,
    /// The room, run and step it belongs to; checked.
    pub place: Place,
    /// The tool it is, where it is one.
    pub tool_name: Option<String>,
    /// What its event follows, where something does (`tool.invoked`).
    pub cause: Option<EventId>,
    /// What ties its event to others; new when left out.
    pub correlation_id: Option<CorrelationId>,
    /// What it may see and use. Its rung is chosen by [`Self::rung`], whatever it says. The files that names and
    /// certificates need inside are added.
    pub plan: Plan,
    /// What runs. The variables that lead to the gate are added, over any of the same name.
    pub command: Command,
    /// How strongly it must be held.
    pub rung: RungChoice,
    /// What it said about the network.
    pub network: Network,
    /// The keyed digest of its input ([`gate::Gate::input_hmac`]); of its arguments when left out.
    pub input_hmac: Option<String>,
    /// Its first three descriptors; the other end of a terminal is [`crate::Running::terminal`].
    pub stdio: Stdio,
    /// Ports inside that the machine may reach: listened to on the same port of 127.0.0.1, or on any free one
    /// when that is taken.
    pub publish: Vec<u16>,
}

/// How strongly a call must be held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RungChoice {
    /// As strongly as can be, and no less than this.
    AtLeast(Rung),
    /// Just so: tests and diagnosis.
    Exactly(Rung),
}

impl Default for RungChoice {
    fn default() -> Self {
        Self::AtLeast(Rung::B)
    }
}

/// What a call said about the network, which says what a refusal means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// It needs none: whatever it asks for and is refused is a violation.
    None,
    /// It asks.
    Declared {
        /// What a refusal of the gate does to it. An approval that is held counts once the hold is over.
        on_refused: OnRefused,
    },
}

/// What a refusal of the gate does to a call that said it would ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnRefused {
    /// It fails the call, as a violation.
    Fail,
    /// The command lives with it.
    #[default]
    Continue,
}
