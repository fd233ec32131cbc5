//! Commands in real jails, on each rung: what they reach, what is told of what they try, and that nothing of it is
//! lost. Needs a machine on which both rungs hold; where one does not, these tests fail and say why.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that is surprised fails"
)]

mod bed;
mod ends;
mod evidence;
mod records;
mod ways;
