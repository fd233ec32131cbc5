//! A command with nothing but the gate to reach: the guard's jail joined to the way out.
//!
//! What comes in at a jail's [doors](guard::door) is served by the proxy as the call's own, names are synthetic
//! addresses that mean something to one call only, and whatever is tried around the gate becomes evidence.
//!
//! What it deliberately lacks: policy, SQL, an opinion on which commands may run.
//!
//! # Invariants
//! 1. Nothing is spawned while no rung is proven live ([`GuardState`]).
//! 2. The first violation of a call is durable before whoever tried it has its answer; what cannot be recorded
//!    kills the call.
//! 3. A call has one event for all its violations, whenever and however it ended.
//! 4. Every ask that leaves a jail is enforced, whatever the mode of the workspace.
//!
//! Start with [`Call`], then [`Confiner`].

mod ahead;
mod call;
mod comfort;
mod confiner;
mod dns;
mod ended;
mod error;
mod evidence;
mod life;
mod names;
mod record;
mod rulings;
mod selftest;
mod serve;
mod session;
mod state;
mod watch;

pub use ahead::Ahead;
pub use call::{Call, Network, OnRefused, RungChoice};
pub use confiner::{ConfineConfig, Confiner, Controls, Proof, Running};
pub use ended::{Ended, Evidence, Rulings, Told};
pub use error::ConfineError;
pub use guard::attempt::{Attempt, Class, Destination};
pub use guard::launch::Stdio;
pub use guard::plan::{Command, Exit, Limits, Plan, View, WindowSize};
pub use guard::rung::Rung;
pub use session::{Session, SessionPlan};
pub use state::{Finding, GuardState, Held};
