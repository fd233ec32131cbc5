//! Policies people write: typed rules in TOML, compiled to an index that the gate asks in step 6.
//!
//! There is deliberately **no** I/O and no clock here: a set is loaded from texts, evaluated on
//! facts at a time that is given.
//!
//! Invariants:
//! - the index agrees with [`linear`], which walks all rules, on every ask;
//! - rules combine as a lattice, deny over ask over allow, never by their order;
//! - a rule that cannot be read is an error with its line, never a rule that is left out.
//!
//! Start with [`rule::Rule`], then [`load`] (from text) and [`compile`] (to an index).

pub mod hours;
pub mod rule;
pub mod when;

pub use rule::{Effect, PolicySet, Rule};
pub use when::{Tri, When};

/// One text of a policy set.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Source {
    /// The file's name, as places and problems name it.
    pub name: String,
    /// The TOML.
    pub text: String,
}
