//! The decision, from the outside: every reason code, agreement with a naive reference, totality.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod cases;
mod deltas;
mod reference;
mod reference_agrees;
mod total;
mod traces;
mod world;
