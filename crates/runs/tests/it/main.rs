//! Tests of runs: every one against both databases.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that is surprised fails"
)]
#![allow(clippy::needless_pass_by_value, reason = "a case reads as what it is")]

mod agents;
mod attempts;
mod bed;
mod fairness;
mod guarded;
mod http;
mod inputs;
mod leases;
mod lists;
mod past;
mod process;
mod races;
mod shadow;
mod steps;
mod timeouts;
mod waiting;
mod wakeups;
