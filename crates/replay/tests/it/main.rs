//! The log of decisions and its replay, from outside.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod log;
mod replayed;
mod round_trip;
mod shadow;
