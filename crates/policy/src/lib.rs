//! The decision of the gate: [`decide`], a pure and total function of ([`Snapshot`], [`model::Ask`], now).
//!
//! There is deliberately **no** I/O, clock, randomness that shows, SQL or HTTP here. A decision never
//! fails: trouble is a reason on a deny. It never depends on the enforcement mode.
//!
//! Invariants:
//! - every step is evaluated, the strictest wins, and the first step in order that gives the
//!   outcome gives the reason;
//! - no approval and no rule lifts a deny;
//! - what belongs to another workspace is exactly what is not known;
//! - the cost of a decision does not grow with the number of tokens or approvals.
//!
//! Start with [`decide`], then `steps`: one file per step of the contract's table.

mod case;
mod decide;
pub mod destination;
pub mod explain;
pub mod facts;
mod ground;
mod rules;
mod snapshot;
mod steps;

pub use decide::decide;
pub use explain::explain;
pub use facts::{Fact, Facts, Who};
pub use ground::settle;
pub use rules::{RulePack, RuleVerdict, Rules, Verdicts};
pub use snapshot::Snapshot;
pub use snapshot::approval::Approval;
pub use snapshot::principal::{Agent, Principal};
pub use snapshot::registry::RegistryEntry;
pub use snapshot::settings::{DefaultDecision, Defaults, Settings, TrustedUpstream};
pub use snapshot::token::Token;
