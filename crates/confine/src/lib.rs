//! A command with nothing but the gate to reach: the guard's jail joined to the way out.
//!
//! What comes in at a jail's [doors](guard::door) is served by the proxy as the call's own, names are synthetic
//! addresses that mean something to one call only, and whatever is tried around the gate becomes evidence.
//!
//! What it deliberately lacks: policy, SQL, an opinion on which commands may run.

pub use guard::attempt::{Attempt, Class, Destination};
pub use guard::plan::Exit;
pub use guard::rung::Rung;
