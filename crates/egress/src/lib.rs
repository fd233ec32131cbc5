//! The way out: the one place of the program that opens connections to where agents want to go.
//!
//! What it deliberately lacks: SQL, opinions about policy.

pub mod dial;
pub mod fetch;
pub mod guard;
pub mod proxy;
pub mod resolve;
pub mod upstream;
