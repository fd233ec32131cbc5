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

#[cfg(test)]
extern crate self as rules;

pub mod cases;
pub mod check;
pub mod compile;
pub mod diff;
pub mod fmt;
pub mod hours;
mod lattice;
pub mod linear;
pub mod load;
mod nearest;
pub mod never;
pub mod problem;
#[cfg(test)]
#[path = "../tests/it/random.rs"]
#[allow(dead_code, clippy::indexing_slicing, clippy::unwrap_used, reason = "shared with the tests from outside")]
mod random;
pub mod rule;
pub mod selector;
mod space;
pub mod when;
pub mod write;

pub use compile::{Compiled, compile};
pub use diff::{Diff, DiffError, DiffOptions, diff};
pub use load::{Loaded, load};
pub use nearest::{Nearest, nearest};
pub use problem::Problem;
pub use rule::{Effect, PolicySet, Rule};
pub use selector::Selector;
pub use when::{Tri, When};

/// The JSON Schema of a policy file, for editors.
pub const SCHEMA: &str = include_str!("../schema/policy.schema.json");

/// One text of a policy set.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Source {
    /// The file's name, as places and problems name it.
    pub name: String,
    /// The TOML.
    pub text: String,
}
